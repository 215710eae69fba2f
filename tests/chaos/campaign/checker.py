"""The judge: pure functions over what a run left. It starts nothing, asks no server, and trusts no sum.

`python -m tests.chaos.campaign.checker FOLDER` judges a folder again that a run left behind.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tests.chaos.campaign import check_groups, check_log, check_money, check_outside, check_run, check_views
from tests.chaos.campaign.dump import read_dump
from tests.chaos.campaign.evidence import CLAIMS, OUTBOX, Evidence
from tests.chaos.campaign.history import of_kind, read_history
from tests.chaos.campaign.verdict import Verdict, Violation

if TYPE_CHECKING:
    from collections.abc import Iterable

Check = Callable[[Evidence], Iterator[Violation]]

CHECKS: tuple[Check, ...] = (
    check_log.confirmed_is_there,
    check_log.nothing_else_is_there,
    check_log.one_set_per_command,
    check_log.ids_rise_and_chain,
    check_log.numbered_without_a_hole,
    check_groups.applied_once_in_order,
    check_groups.settles_make_a_chain,
    check_groups.at_rest_nothing_is_left,
    check_groups.groups_need_no_putting_back,
    check_views.claims_are_their_fold,
    check_views.counts_are_what_was_applied,
    check_outside.requests_have_their_outcome,
    check_outside.intents_are_those_of_the_facts,
    check_outside.calls_are_those_of_the_intents,
    check_money.money_left_once,
    check_outside.nothing_personal_in_clear,
    check_run.drained_in_time,
    check_run.damage_halts,
    check_run.resources_are_back,
    check_run.floors_are_kept,
    check_run.clients_met_no_bug,
)
"""In this order: the first violation of the first check is the counterexample that is shown."""

MOST = 20
"""Violations of one check that are kept."""


def judge(seen: Evidence) -> list[Violation]:
    """Every violation, the telling ones first."""
    found: list[Violation] = []
    for check in CHECKS:
        for violation, _ in zip(check(seen), range(MOST), strict=False):
            found.append(violation)
    return found


def read_sent(folder: Path) -> list[dict[str, object]]:
    """The lines of the provider's file, rotated ones too. The last one may be cut by a kill."""
    found = []
    for path in sorted(folder.glob("notifications.jsonl*")):
        for line in path.read_bytes().splitlines() if not path.name.endswith(".lock") else []:
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
    return found


def evidence_of(folder: Path) -> Evidence:
    """What a run left in a folder."""
    outcome = json.loads((folder / "outcome.json").read_bytes())
    rows, dump = read_history(folder / "history.jsonl"), read_dump(folder / "dump.json")
    return Evidence(rows, dump, read_sent(folder / "data"), outcome["answers"])


def judged(folder: Path) -> Verdict:
    """The verdict on a folder. A run that broke is a FAIL, with its own error as the counterexample."""
    outcome = json.loads((folder / "outcome.json").read_bytes())
    verdict = Verdict(outcome["seed"], "PASS", [], {}, seconds=outcome["seconds"], conditions=outcome["conditions"])
    verdict.flavour = outcome["plan"]["flavour"]
    if outcome["error"]:
        verdict.violations.append(Violation("run", outcome["error"]))
    if outcome["verify"]:
        verdict.violations.append(Violation("verify", outcome["verify"]))
    if (folder / "dump.json").exists():
        seen = evidence_of(folder)
        verdict.violations[:0] = judge(seen)
        _describe(verdict, seen)
    verdict.word = "FAIL" if verdict.violations else "PASS"
    return verdict


def _describe(verdict: Verdict, seen: Evidence) -> None:
    """Counts of what there was, so that a PASS over nothing shows."""
    places = seen.places()
    verdict.checked = {
        "events": sum(len(seen.log(name, n)) for name, n in places if name == CLAIMS),
        "claims": len(seen.facts()),
        "tries": len(seen.tries),
        "confirmed": sum(bool(one.confirmed) for one in seen.tries),
        "unknown": sum(any(a["outcome"] == "unknown" for a in one.told) for one in seen.tries),
        "given up": sum(not one.confirmed and not one.refused for one in seen.tries),
        "conflicts": sum(any(a["outcome"] == "conflict" for a in one.told) for one in seen.tries),
        "settles": sum(len(seen.batches(name, group, n)) for name, n in places for group in seen.groups(name, n)),
        "intents": sum(len(seen.log(name, n)) for name, n in places if name == OUTBOX),
        "payouts": len(seen.bank_orders),
        "parked": sum(len(seen.parked(name, group, n)) for name, n in places for group in seen.groups(name, n)),
    }
    for row in of_kind(seen.rows, "fault"):
        if row.data["state"] == "end" and row.data["done"]:
            verdict.exercised[row.data["name"]] = verdict.exercised.get(row.data["name"], 0) + 1
        elif row.data["state"] == "end":
            verdict.skipped[row.data["name"]] = row.data["detail"]
    for row in of_kind(seen.rows, "measure"):
        verdict.measures.setdefault(row.data["name"], []).append(float(row.data["value"]))
    for row in of_kind(seen.rows, "unmeasured"):
        verdict.skipped[f"measure {row.data['name']}"] = row.data["why"]
    verdict.met = dict(seen.answers)
    verdict.met["kills"] = sum(row.data["event"] == "killed" for row in of_kind(seen.rows, "process"))


def main(words: Iterable[str]) -> int:
    """Judge the folders that are named."""
    code = 0
    for word in words:
        verdict = judged(Path(word))
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(verdict)).decode() + "\n")
        code |= verdict.word == "FAIL"
    return int(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
