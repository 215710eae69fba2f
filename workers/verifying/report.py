"""What a verification found: per invariant how much was checked, how much was wrong, and the first
differences.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

FIRST = 20
"""Differences that are kept as text per invariant; all of them are counted."""

INVARIANTS: Mapping[str, str] = {
    "entries": "every fact has the fields of the envelope and a body that fits its type",
    "sequence": "the facts of every entity are numbered 1..n without a hole",
    "history": "the index of every entity names exactly its entries, in order",
    "head": "the version of every entity is the number of its facts",
    "snapshot": "every snapshot is the fold of its facts, field by field",
    "timers": "exactly the timers are set that the states of the claims want",
    "analytics": "every figure is the fold of the facts, and there is no other figure",
    "summaries": "every day that was closed was summarised as it stood then",
    "work_lists": "every work list holds exactly the claims that the facts put there, each once",
    "loads": "the load of every adjuster is what the facts assigned and took away",
    "losses": "every loss and its insured stand in the index of losses, each once, and nothing else does",
    "handlers": "for every household and event the index names who has its open claims, and nobody else",
    "sightings": "every document and contact that the facts show is noted with its claim, and nothing else is",
    "payouts": "every payout order has exactly one record of its sending, and every record an order",
    "reconciliation": "every order that waits for a person is on the list, and every doubt has its message there",
    "floors": "no view has another floor than its newest fact",
    "notifications": "every fact told whom it had to tell, exactly once, and nobody else",
    "dispatch": "every intent has exactly one record of its sending, and every record an intent",
    "audit_chain": "the chain over all entries has the head that was recorded",
    "checkpoints": "every checkpoint is a link of the chain",
    "archive": "the archive ends at a link of the chain, and so does its place in the store",
    "positions": "every group settled every entry that was added: nothing is pending, nothing undelivered",
    "dead_letters": "every parked entry is in its log as it was, and holds back what it has to hold back",
}
"""Invariant -> what it says."""


class Checked(msgspec.Struct):
    """One invariant: things checked, things wrong, and the first of these for people."""

    checked: int = 0
    violations: int = 0
    first: list[str] = []

    def right(self, count: int = 1) -> None:
        """So many things were as they should be."""
        self.checked += count

    def wrong(self, what: str) -> None:
        """One thing was not."""
        self.checked += 1
        self.violations += 1
        if len(self.first) < FIRST:
            self.first.append(what)

    def same(self, where: str, expected: object, found: object) -> bool:
        """Compare one thing with what the facts say."""
        if expected == found:
            self.checked += 1
            return True
        self.wrong(f"{where}: the facts say {shown(expected)}, the store has {shown(found)}")
        return False


class Report(msgspec.Struct):
    """The verdict. `moving`: the cluster was at work meanwhile, so that a difference may be none."""

    ok: bool
    moving: bool
    entries: int
    claims: int
    seconds: float
    invariants: dict[str, Checked]


class Progress(msgspec.Struct, frozen=True):
    """How far a verification is: entries of the logs."""

    stage: str
    done: int
    total: int


class Findings:
    """The invariants while they are checked."""

    def __init__(self) -> None:
        """All of them, nothing checked yet."""
        self.by_name = {name: Checked() for name in INVARIANTS}

    def __getitem__(self, name: str) -> Checked:
        """One invariant."""
        return self.by_name[name]

    @property
    def ok(self) -> bool:
        """Is nothing wrong?"""
        return not any(found.violations for found in self.by_name.values())


def shown(value: object) -> str:
    """A value for people, never longer than a line."""
    if value is None:
        return "nothing"
    text = value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)
    return text if len(text) <= 100 else f"{text[:97]}..."
