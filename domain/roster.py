"""The adjusters as a snapshot: licences, skills, absences, load. Data, not behaviour; who gets a claim is
decided in `domain.assignment`.
"""

from __future__ import annotations

from datetime import date, datetime

import msgspec
from msgspec.structs import replace

from domain.authority import Delegation, effective_role
from domain.triage import Tier


class Absence(msgspec.Struct, frozen=True, rename="camel"):
    """Out of office on `first <= day <= last`."""

    first: date
    last: date


class Adjuster(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """`load` and `capacity` are weighted work; `last_assigned` None: never, which waited longest.

    `conflicts`: subject ids whose claims they may not handle. `restricted`: may take VIP and employee claims.
    `role`: how much may be decided, with what is delegated for some days; empty: nobody says. `reports_to`: whose
    decisions may not be reviewed on appeal.
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
    role: str = ""
    delegations: tuple[Delegation, ...] = ()
    reports_to: str = ""


class Catastrophe(msgspec.Struct, frozen=True, rename="camel"):
    """An event with a group of adjusters of its own: losses of `first <= day <= last` there and by these perils (none
    named: all), and every notice that names the event.
    """

    code: str
    jurisdictions: frozenset[str]
    first: date
    last: date
    adjusters: frozenset[str]
    perils: frozenset[str] = frozenset()

    def holds(self, jurisdiction: str, peril: str, day: date, event: str) -> bool:
        """Does this loss belong to it?"""
        if event:
            return event == self.code
        return (
            self.first <= day <= self.last
            and jurisdiction in self.jurisdictions
            and (not self.perils or peril in self.perils)
        )


class Roster(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A snapshot; its version is stored in the assignment. Capacity is therefore a soft limit."""

    version: int
    adjusters: tuple[Adjuster, ...]
    catastrophes: tuple[Catastrophe, ...] = ()


def superiors(roster: Roster, adjuster_id: str) -> tuple[str, ...]:
    """Everybody above somebody, the nearest first; a circle ends where it closes."""
    above = {adjuster.adjuster_id: adjuster.reports_to for adjuster in roster.adjusters if adjuster.reports_to}
    found: list[str] = []
    name = above.get(adjuster_id, "")
    while name and name != adjuster_id and name not in found:
        found.append(name)
        name = above.get(name, "")
    return tuple(found)


def role_on(roster: Roster, actor_id: str, day: date) -> str:
    """The highest role that somebody of the roster holds on a day, delegations included; empty: nobody says."""
    for adjuster in roster.adjusters:
        if adjuster.adjuster_id == actor_id:
            return effective_role(actor_id, adjuster.role, adjuster.delegations, day) if adjuster.role else ""
    return ""


def with_load(roster: Roster, adjuster_id: str, change: int, at: datetime | None = None) -> Roster:
    """The next snapshot: somebody's load changed by `change`; `at`: when they were assigned a claim."""
    adjusters = tuple(
        _loaded(adjuster, change, at) if adjuster.adjuster_id == adjuster_id else adjuster
        for adjuster in roster.adjusters
    )
    return Roster(roster.version + 1, adjusters, roster.catastrophes)


def _loaded(adjuster: Adjuster, change: int, at: datetime | None) -> Adjuster:
    last = at if at is not None else adjuster.last_assigned
    return replace(adjuster, load=max(adjuster.load + change, 0), last_assigned=last)
