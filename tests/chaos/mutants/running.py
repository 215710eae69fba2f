"""Runs mutants: each in a copy of the source, where its change of text is made and its directed tests are run.

First every test runs on the true source, where it has to be green: a test that is red anyway shows nothing. A red test
counts only when it is a finding: source that does not run at all, or a test that cannot be found, is none.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import sys
import tempfile
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from xml.etree import ElementTree

import msgspec

from tests.chaos.mutants.variant import LostSubject, Mutant
from tests.support.source_tree import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

TREE = ("runtime", "workers", "domain", "config", "tests", "pyproject.toml")
"""What a copy holds."""

SECONDS = 240.0
"""Until the tests of one mutant are ended from outside; most take three."""

NO_FINDING = re.compile(r"SyntaxError|ImportError|NameError|AttributeError|Error compiling|cannot be loaded|script_")
"""Words of a mutant that does not run: nothing was noticed then."""

Word = Literal["red", "SURVIVED", "LOST", "UNSOUND"]


class Outcome(msgspec.Struct, frozen=True):
    """What became of one mutant."""

    row: str
    mutant: str
    broken_in: tuple[str, ...]
    invariant: str
    tests: tuple[str, ...]
    verdict: Word
    """`LOST`: its words are no longer in the source; `UNSOUND`: a test is red without it, or nothing ran."""
    why: str = ""
    seconds: float = 0.0


class Cases(msgspec.Struct, frozen=True):
    """The cases of one test id in one run: how each ended, and what the first red one said."""

    passed: int = 0
    failed: int = 0
    said: str = ""


async def run_all(mutants: Sequence[Mutant], jobs: int, tell: Callable[[Outcome], None]) -> list[Outcome]:
    """Run these mutants, a few at a time; `tell` gets each outcome as it comes."""
    with tempfile.TemporaryDirectory(prefix="cs-mutants-") as folder:
        copies = [await asyncio.to_thread(_copied, Path(folder) / f"tree-{n}") for n in range(jobs)]
        tests = list(dict.fromkeys(test for one in mutants for test in one.tests))
        sound = await _run(copies[0], tests, SECONDS * 4)
        doubtful = [test for test in tests if sound.get(test, Cases()).failed or not sound.get(test, Cases()).passed]
        if doubtful:  # a busy machine is no finding: once more, alone
            sound |= await _run(copies[0], doubtful, SECONDS * 4)
        waiting, found = list(reversed(mutants)), []

        async def work(tree: Path) -> None:
            while waiting:
                mutant = waiting.pop()
                outcome = await _outcome(tree, mutant, sound)
                found.append(outcome)
                tell(outcome)

        await asyncio.gather(*(work(tree) for tree in copies))
    order = {one.name: n for n, one in enumerate(mutants)}
    return sorted(found, key=lambda one: order[one.mutant])


def _copied(tree: Path) -> Path:
    tree.mkdir()
    for name in TREE:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("node_modules", ".pytest_cache"))
        else:
            shutil.copy2(ROOT / name, tree / name)
    return tree


async def _outcome(tree: Path, mutant: Mutant, sound: dict[str, Cases]) -> Outcome:
    began = asyncio.get_running_loop().time()
    verdict, why = await _judged(tree, mutant, sound)
    return Outcome(
        mutant.row, mutant.name, tuple(dict.fromkeys(one.file for one in mutant.changes)), mutant.invariant,
        mutant.tests, verdict, why, round(asyncio.get_running_loop().time() - began, 1),
    )  # fmt: skip


async def _judged(tree: Path, mutant: Mutant, sound: dict[str, Cases]) -> tuple[Word, str]:
    for test in mutant.tests:
        cases = sound.get(test, Cases())
        if mutant.story and cases.failed:
            return ("LOST" if "lost its subject" in cases.said else "SURVIVED"), cases.said
        if cases.failed or not cases.passed:
            return "UNSOUND", f"{test} is not green on the true source: {cases.said or 'it did not run'}"
    if mutant.story:
        return "red", "the story does not hold in the broken library"
    try:
        before = _break(tree, mutant)
    except LostSubject as problem:
        return "LOST", str(problem)
    try:
        found = await _run(tree, mutant.tests, SECONDS)
    finally:
        for path, original in before.items():
            shutil.copy2(original, path)
            original.unlink()
    return _noticed(mutant, found)


def _noticed(mutant: Mutant, found: dict[str, Cases]) -> tuple[Word, str]:
    said = ""
    for test in mutant.tests:
        cases = found.get(test, Cases())
        if not cases.failed:
            return ("SURVIVED", f"{test} stayed green") if cases.passed else ("UNSOUND", f"{test} did not run")
        if NO_FINDING.search(cases.said):
            return "UNSOUND", f"it does not run: {cases.said}"
        said = said or cases.said
    return "red", said


def _break(tree: Path, mutant: Mutant) -> dict[Path, Path]:
    """Write the broken text; the files and where their originals are kept. Raises `LostSubject` before it writes."""
    by_file = defaultdict(list)
    for change in mutant.changes:
        by_file[change.file].append(change)
    texts: dict[Path, str] = {}
    for name, changes in by_file.items():
        text = (tree / name).read_text(encoding="utf-8")
        for change in changes:
            text = change.applied_to(text)
        texts[tree / name] = text
    before: dict[Path, Path] = {}
    for path, text in texts.items():
        before[path] = path.with_name(path.name + ".original")
        shutil.copy2(path, before[path])  # with its time: compiled files of the original stay valid
        path.write_text(text, encoding="utf-8")
    return before


async def _run(tree: Path, tests: Iterable[str], seconds: float) -> dict[str, Cases]:
    """Run tests in a copy. Test id, with and without its case -> cases."""
    report = tree / "report.xml"
    report.unlink(missing_ok=True)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", f"--junitxml={report}", "-m", "",
        "-o", "junit_family=xunit1", *tests,
        cwd=tree, env=dict(os.environ) | {"PYTHONPATH": str(tree)}, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        await asyncio.wait_for(process.wait(), seconds)
    except TimeoutError:
        return {}
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    return _cases(report) if report.exists() else {}


def _cases(report: Path) -> dict[str, Cases]:
    found: dict[str, Cases] = {}
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        name = f"{case.get('file')}::{case.get('name')}"
        problem = case.find("failure")
        bad = problem is not None
        said = " ".join((problem.get("message") or "").split())[:300] if problem is not None else ""
        skipped = case.find("skipped") is not None or (case.find("error") is not None and not bad)
        for key in dict.fromkeys((name, name.partition("[")[0])):
            old = found.get(key, Cases())
            good = not (bad or skipped)
            found[key] = Cases(old.passed + good, old.failed + bad, old.said or said)
    return found
