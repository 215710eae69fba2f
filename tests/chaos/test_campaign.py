"""The fault campaign in small: one seed against real processes, and a judge that can fail.

`make campaign SEEDS=200` runs the rest. What the one seed left is then spoiled in one way per invariant, and every one
of them has to turn the judge red: a checker that cannot fail shows nothing.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.chaos.campaign import checker
from tests.chaos.campaign.check_groups import applied_once_in_order
from tests.chaos.campaign.doctored import SPOILED, Left, one_lost_one_twice
from tests.chaos.campaign.dump import read_dump
from tests.chaos.campaign.embedded_target import EmbeddedTarget
from tests.chaos.campaign.faults import FAULTS
from tests.chaos.campaign.history import read_history
from tests.chaos.campaign.plan import SMALL, plan_of
from tests.chaos.campaign.running import SEED_SECONDS
from tests.chaos.campaign.summary import exit_code, summary
from tests.chaos.campaign.verdict import Verdict, Violation
from tests.support.source_tree import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.chaos.campaign.evidence import Evidence

# The seed takes seventeen seconds, and several times as long on a machine that others use as well.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(SEED_SECONDS + 60)]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """What one seed left: run by the program that runs all of them."""
    left = Path(tempfile.mkdtemp(prefix="cc-", dir="/tmp"))  # short: a socket's path ends at 107 bytes
    try:
        words = [sys.executable, "-m", "tests.chaos.campaign.seed_run", str(left), "embedded", str(SMALL)]
        with (left / "run.log").open("wb") as log:
            subprocess.run(
                words, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=SEED_SECONDS, check=False
            )
        yield left
    finally:
        shutil.rmtree(left, ignore_errors=True)


@pytest.fixture(scope="module")
def left(folder: Path) -> Left:
    """The same, as the judge reads it."""
    outcome = msgspec.json.decode((folder / "outcome.json").read_bytes())
    rows, dump = read_history(folder / "history.jsonl"), read_dump(folder / "dump.json")
    return Left(rows, dump, checker.read_sent(folder / "data"), outcome["answers"])


def test_nothing_is_lost_doubled_or_out_of_order_under_a_handful_of_faults(folder: Path) -> None:
    assert (folder / "verdict.json").exists(), (folder / "run.log").read_text()[-3000:]
    verdict = msgspec.json.decode((folder / "verdict.json").read_bytes(), type=Verdict)
    # How fast a takeover is shows on a machine that does nothing else: `make campaign` judges it.
    wrong = [one for one in verdict.violations if one.invariant != "floor"]
    assert not wrong, wrong
    assert set(verdict.exercised) == set(plan_of(SMALL).faults), verdict.skipped
    assert verdict.checked["events"] > 100 and verdict.checked["confirmed"] > 40, verdict.checked


@pytest.mark.parametrize(("invariant", "spoil"), SPOILED, ids=lambda one: one if isinstance(one, str) else one.__name__)
def test_the_judge_names_what_is_wrong(left: Left, invariant: str, spoil: Callable[[Left], None]) -> None:
    spoiled = left.copy()
    spoil(spoiled)
    found = {violation.invariant for violation in checker.judge(spoiled.evidence())}
    assert invariant in found, f"nobody noticed: {found}"


def by_sums(seen: Evidence) -> Iterator[Violation]:
    """The judge that guarantees.md (e) warns of: it counts, and does not look who it was."""
    for name, partition in seen.places():
        for group in seen.groups(name, partition):
            count = sum(map(len, seen.batches(name, group, partition)))
            if count != len(seen.due(name, group, partition)):
                yield Violation("I6", f"{group} applied {count} entries")


def test_a_judge_that_counts_instead_of_looking_at_ids_would_have_missed_it(left: Left) -> None:
    spoiled = left.copy()
    one_lost_one_twice(spoiled)
    assert not list(by_sums(spoiled.evidence()))
    assert list(applied_once_in_order(spoiled.evidence()))


def test_a_campaign_that_never_exercised_a_fault_does_not_pass() -> None:
    met = dict.fromkeys(("fenced", "gap", "conflict", "lost", "unknown", "park", "kills", "lease:lost"), 1)
    every = dict.fromkeys(FAULTS, 1)
    full = Verdict(1, "PASS", [], {}, exercised=every, met=met | {"resync:gap": 1})
    assert summary([full], 1.0).word == "PASS"
    assert exit_code(summary([full], 1.0).word) == 0
    every.pop("kill -9 the store")
    short = summary([Verdict(1, "PASS", [], {}, exercised=every, met=full.met)], 1.0)
    assert (short.word, exit_code(short.word)) == ("UNKNOWN", 3)
    assert list(short.never) == ["kill -9 the store"]
    calm = summary([Verdict(1, "PASS", [], {}, exercised=full.exercised, met={})], 1.0)
    assert "meet fenced" in calm.never
    bad = summary([full, Verdict(2, "FAIL", [Violation("I6", "twice")], {})], 1.0)
    assert (bad.word, exit_code(bad.word), bad.failed) == ("FAIL", 1, {2: ["I6: twice"]})


def test_a_plan_is_the_same_for_ever_and_a_few_in_a_row_exercise_everything() -> None:
    assert plan_of(7) == plan_of(7)
    without = EmbeddedTarget.without
    dealt = {name for seed in range(20) for name in plan_of(seed, without).faults}
    assert dealt == set(FAULTS) - without
    assert {plan_of(seed).partitions for seed in range(20)} == {1, 4}
    assert {plan_of(seed).fsync for seed in range(20)} == {"always", "everysec", "no"}
    assert len({plan_of(seed).damage for seed in range(60)} - {""}) == 6


def test_a_target_may_do_without_some_faults() -> None:
    without = frozenset({"kill -9 the store", "fill the disk of the store"})
    assert not {name for seed in range(40) for name in plan_of(seed, without).faults} & without
