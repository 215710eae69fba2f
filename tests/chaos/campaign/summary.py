"""All verdicts of a campaign together: one word, a table, a report in Markdown and in JSON."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from tests.chaos.campaign.faults import FAULTS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.chaos.campaign.verdict import Verdict

MUST_MEET = ("fenced", "gap", "conflict", "lost", "unknown", "park", "kills", "resync", "takeover")
"""I19: answers and events that a campaign has to have met at least once."""


class Summary(msgspec.Struct):
    """A campaign."""

    word: Literal["PASS", "FAIL", "UNKNOWN"]
    seeds: list[int]
    seconds: float
    faults: dict[str, int]
    never: dict[str, str]
    """Faults that no seed exercised, and why."""
    met: dict[str, int]
    checked: dict[str, int]
    measures: dict[str, dict[str, float]]
    failed: dict[int, list[str]]
    unmeasured: int
    conditions: dict[str, str]
    left_out: list[str] = []
    """Faults that this kind of store cannot have, or that its campaign does not play."""


def summary(verdicts: Sequence[Verdict], seconds: float, without: frozenset[str] = frozenset()) -> Summary:
    """Put verdicts together. UNKNOWN: nothing failed, and something was never exercised (I19)."""
    faults = Counter[str]()
    met, checked = Counter[str](), Counter[str]()
    reasons: dict[str, str] = {}
    values: dict[str, list[float]] = {}
    conditions: dict[str, str] = {}
    for one in verdicts:
        faults.update(one.exercised)
        checked.update(one.checked)
        met.update(_met(one.met))
        reasons |= {name: why for name, why in one.skipped.items() if why}
        conditions |= one.conditions
        for name, found in one.measures.items():
            values.setdefault(name, []).extend(found)
    never = {
        name: reasons.get(name, "its moment never came") for name in FAULTS if not faults[name] and name not in without
    }
    never |= {
        f"meet {name}": "it never happened" for name in MUST_MEET if not met[name] and f"meet {name}" not in without
    }
    failed = {one.seed: [str(violation) for violation in one.violations[:5]] for one in verdicts if one.word == "FAIL"}
    return Summary(
        word="FAIL" if failed or not verdicts else "UNKNOWN" if never else "PASS",
        seeds=[one.seed for one in verdicts], seconds=seconds, faults=dict(faults), never=never, met=dict(met),
        checked=dict(checked), measures={name: _spread(found) for name, found in values.items()}, failed=failed,
        conditions=conditions | _machine(),
        left_out=sorted(name for name in FAULTS if name in without and not faults[name]),
        unmeasured=sum(name.startswith("measure ") for one in verdicts for name in one.skipped),
    )  # fmt: skip


def _met(words: dict[str, int]) -> dict[str, int]:
    found = dict(words)
    found["resync"] = sum(count for word, count in words.items() if word.startswith("resync:"))
    found["takeover"] = words.get("lease:lost", 0) + words.get("kills", 0)
    return found


def _spread(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        "n": len(ordered), "median": round(statistics.median(ordered), 3),
        "p95": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))], 3), "max": round(ordered[-1], 3),
    }  # fmt: skip


def _machine() -> dict[str, str]:
    return {
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
    }


def exit_code(word: str) -> int:
    """0 PASS, 1 FAIL, 3 UNKNOWN."""
    return {"PASS": 0, "FAIL": 1}.get(word, 3)


def lines(found: Summary) -> list[str]:
    """The table for people, as Markdown."""
    rows = ["| fault | F | exercised |", "|---|---|---:|"]
    rows += [
        f"| {name} | {one.number} | {found.faults.get(name, 0)} |"
        for name, one in FAULTS.items()
        if name not in found.left_out
    ]
    if found.left_out:
        rows += ["", f"Not played against this kind of store: {', '.join(found.left_out)}."]
    rows += ["", "| met by the workers | times |", "|---|---:|"]
    rows += [f"| {name} | {count:,} |" for name, count in sorted(found.met.items())]
    rows += ["", "| judged, per id | count |", "|---|---:|"]
    rows += [f"| {name} | {count:,} |" for name, count in found.checked.items()]
    rows += ["", "| measured | n | median | p95 | max |", "|---|---:|---:|---:|---:|"]
    rows += [
        f"| {name} | {one['n']:g} | {one['median']:g} | {one['p95']:g} | {one['max']:g} |"
        for name, one in found.measures.items()
    ]
    if found.unmeasured:
        rows += [
            "",
            f"{found.unmeasured} measurements do not count: the machine was busy, or seats changed hands.",
        ]
    for seed, why in found.failed.items():
        rows += ["", f"**Seed {seed} failed:**", *(f"* {line}" for line in why)]
    if found.never:
        rows += ["", "Never exercised: " + "; ".join(f"{name} ({why})" for name, why in found.never.items())]
    return rows


def write_report(found: Summary, folder: Path, name: str, command: str) -> Path:
    """`<name>.md` and `<name>.json`: conditions, seeds, table, verdict."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")
    seeds = f"{found.seeds[0]} to {found.seeds[-1]}" if found.seeds else "none"
    text = [
        f"# Fault campaign: {found.word}", "",
        f"{len(found.seeds)} seeds ({seeds}) in {found.seconds / 60:.1f} minutes. Repeat with:", "",
        f"    {command}", "",
        "Conditions: " + ", ".join(f"{key} {value}" for key, value in found.conditions.items())
        + "; partitions, fsync policy, transport and faults of each seed follow from its number (`plan.py`).", "",
        *lines(found), "",
    ]  # fmt: skip
    path = folder / f"{name}.md"
    path.write_text("\n".join(text))
    return path


def as_json(found: Summary) -> str:
    """For machines."""
    plain: Any = msgspec.to_builtins(found, str_keys=True)
    return json.dumps(plain)
