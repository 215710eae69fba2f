"""Which entries of a batch go to the actor, and which wait behind a parked one. Pure.

A fact that this program cannot know stops the runner (`ReaderTooOld`); a request is seen by the adopting actor alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from runtime.entry import SCHEMA_VERSION, Entry
from runtime.errors import ReaderTooOld

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runtime.actor import Actor


class Known(Protocol):
    """Tells which event types this program was built for."""

    def knows(self, event_type: str) -> bool:
        """Is it one of them?"""
        ...


class Plan(msgspec.Struct):
    """Entries in log order: to deliver, to park behind an earlier one, and to park as broken facts (with why)."""

    deliver: list[Entry]
    behind: list[Entry]
    broken: list[tuple[Entry, str]]


def triage(entries: Sequence[Entry], actor: Actor, held: Mapping[str, int], known: Known) -> Plan:
    """Sort the entries of one batch. Raises `ReaderTooOld` for a fact of an unknown type or version."""
    if not actor.parks:
        return Plan(deliver=list(entries), behind=[], broken=[])
    plan = Plan(deliver=[], behind=[], broken=[])
    blocked = set(held)
    for entry in entries:
        if entry.sequence < 1 and not entry.fault:
            if actor.adopts:
                plan.deliver.append(entry)
        elif entry.fault:
            _sort_faulty(entry, actor, plan, blocked)
        elif entry.entity in blocked:
            plan.behind.append(entry)
        elif not known.knows(entry.type):
            raise ReaderTooOld(f"{entry.id} is a fact of type {entry.type[:80]!r}, which this program does not know")
        else:
            plan.deliver.append(entry)
    return plan


def _sort_faulty(entry: Entry, actor: Actor, plan: Plan, blocked: set[str]) -> None:
    """A faulty request is the adopting actor's to park; a faulty fact every group parks, and it holds its entity."""
    if entry.sequence == 0:
        if actor.adopts:
            plan.broken.append((entry, entry.fault or ""))
        return
    if entry.sequence > 0 and entry.version and entry.version != SCHEMA_VERSION:
        raise ReaderTooOld(
            f"{entry.id} is a fact of version {entry.version[:40]!r}, this program reads {SCHEMA_VERSION}"
        )
    plan.broken.append((entry, entry.fault or ""))
    if entry.entity:
        blocked.add(entry.entity)
