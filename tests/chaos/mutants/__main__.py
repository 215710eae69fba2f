"""Break the product in every way of guarantees.md (e): `python -m tests.chaos.mutants`, or `make mutants`.

Exit status: 0 when each mutant turned its directed test red, 1 when one survived, does not fit the source any more, or
showed nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from rich.console import Console
from rich.markdown import Markdown
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from runtime.embedded.locate import locate
from tests.chaos.mutants.running import Outcome, run_all
from tests.chaos.mutants.table import MUTANTS

if TYPE_CHECKING:
    from collections.abc import Sequence

REPORTS = Path(__file__).parents[1] / "reports"
COMMAND = "make mutants MUTANTS=--report"
HEAD = (
    "Each is one check of the product taken out or turned wrong, in a copy of the source. The test beside it is green",
    "on the true source and has to be red here; the rows are those of the guarantees' section (e). Repeat with:",
)


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.mutants", description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="those whose name or row contains this")
    parser.add_argument("--jobs", type=int, default=2, help="mutants at a time [2]")
    parser.add_argument("--list", action="store_true", help="list them and end")
    parser.add_argument("--json", action="store_true", help="the outcomes as JSON on stdout")
    parser.add_argument("--report", action="store_true", help=f"write a dated report to {REPORTS.name}/")
    return parser.parse_args(words)


def main(words: Sequence[str]) -> int:
    """Run what the command line says."""
    given = _options(words)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: every copy is removed before we go
    chosen = [one for one in MUTANTS if given.only in one.name or given.only in one.row]
    if not chosen:
        sys.stderr.write(f"no mutant has {given.only!r} in its name or row: see --list\n")
        return 2
    if given.list:
        sys.stdout.write("".join(f"{one.name}    ({one.row})\n" for one in chosen))
        return 0
    began = time.monotonic()
    found = asyncio.run(_shown(chosen, given.jobs))
    text = lines(found, time.monotonic() - began)
    if given.report:
        REPORTS.mkdir(exist_ok=True)
        (REPORTS / f"{datetime.now(UTC):%Y-%m-%d}-mutants.md").write_text("\n".join(text) + "\n", encoding="utf-8")
    if given.json:
        plain: Any = msgspec.to_builtins(found)
        sys.stdout.write(json.dumps(plain) + "\n")
    else:
        Console().print(Markdown("\n".join(text)))
    return 0 if all(one.verdict == "red" for one in found) else 1


async def _shown(chosen: Sequence[Any], jobs: int) -> list[Outcome]:
    """Run with a bar on a terminal, with a line per mutant elsewhere."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[bad]} not red"),
    )
    bad = done = 0
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("mutants (first the true source)", total=len(chosen), bad=0)

        def tell(one: Outcome) -> None:
            nonlocal bad, done
            done, bad = done + 1, bad + (one.verdict != "red")
            bar.update(task, advance=1, bad=bad, description="mutants")
            if one.verdict != "red" or not console.is_terminal:
                console.print(
                    f"{done}/{len(chosen)} {one.verdict}: {one.mutant} ({one.seconds:.0f} s) {one.why}"[:600],
                    soft_wrap=True, markup=False, highlight=False,
                )  # fmt: skip

        return await run_all(chosen, jobs, tell)


def lines(found: Sequence[Outcome], seconds: float) -> list[str]:
    """The report, as Markdown."""
    red = sum(one.verdict == "red" for one in found)
    server = locate()
    system = (
        f"{server.name} {server.version}, Python {platform.python_version()}, {platform.system()} {platform.release()}"
    )
    text = [
        f"# Mutants: {red} of {len(found)} red", "",
        *HEAD, "",
        f"    {COMMAND}", "",
        f"{seconds / 60:.1f} minutes; {system}, {os.cpu_count()} cores.", "",
        "| row | mutant | broken where | red in | directed test | verdict |", "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for one in found:
        tests = "<br>".join(f"`{test.removeprefix('tests/')}`" for test in one.tests)
        where = "<br>".join(one.broken_in) or "runtime/store/lua"
        text.append(f"| {one.row} | {one.mutant} | {where} | {one.invariant} | {tests} | {one.verdict} |")
    notes = [f"* **{one.mutant}**: {one.verdict}: {one.why}" for one in found if one.verdict != "red"]
    return [*text, *(["", "Not red:", "", *notes] if notes else [])]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
