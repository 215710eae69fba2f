"""The adjusters as a snapshot: licences, skills, absences, load. Data, not behaviour; who gets a claim is
decided in `domain.assignment`.
"""

from __future__ import annotations

from datetime import date, datetime

import msgspec
from msgspec.structs import replace

from domain.triage import Tier


class Absence(msgspec.Struct, frozen=True, rename="camel"):
    """Out of office on `first <= day <= last`."""

    first: date
    last: date


class Adjuster(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """`load` and `capacity` are weighted work; `last_assigned` None: never, which waited longest.

    `conflicts`: subject ids whose claims they may not handle. `restricted`: may take VIP and employee claims.
    """

    adjuster_id: str
    jurisdictions: frozenset[str]
    lines: frozenset[str]
    skill: Tier
    capacity: int
    load: int = 0
    last_assigned: datetime | None = None
    active: bool = True
    absences: tuple[Absence, ...] = ()
    licensed_until: date | None = None
    conflicts: frozenset[str] = frozenset()
    restricted: bool = False


class Roster(msgspec.Struct, frozen=True, rename="camel"):
    """A snapshot; its version is stored in the assignment. Capacity is therefore a soft limit."""

    version: int
    adjusters: tuple[Adjuster, ...]


def with_load(roster: Roster, adjuster_id: str, change: int, at: datetime | None = None) -> Roster:
    """The next snapshot: somebody's load changed by `change`; `at`: when they were assigned a claim."""
    adjusters = tuple(
        _loaded(adjuster, change, at) if adjuster.adjuster_id == adjuster_id else adjuster
        for adjuster in roster.adjusters
    )
    return Roster(roster.version + 1, adjusters)


def _loaded(adjuster: Adjuster, change: int, at: datetime | None) -> Adjuster:
    last = at if at is not None else adjuster.last_assigned
    return replace(adjuster, load=max(adjuster.load + change, 0), last_assigned=last)
