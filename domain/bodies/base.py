"""What every body of a fact has in common: the derived keys and the changes of clocks."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec


class Actor(msgspec.Struct, frozen=True, rename="camel"):
    """Who did it: an opaque id and the role in which it was done.

    Deciding roles are those of `authority.Role`; the others are in `roles.ROLES`.
    """

    id: str
    role: str

    def to_wire(self) -> str:
        """The envelope's `actor` field: `role:id`."""
        return f"{self.role}:{self.id}"

    @classmethod
    def from_wire(cls, text: str) -> Actor:
        """Read `role:id` back; a text without a colon is an id without a role."""
        role, colon, name = text.partition(":")
        return cls(id=name, role=role) if colon else cls(id=text, role="")


SYSTEM = Actor(id="processor", role="system")
"""The claims processor and the rules that it runs."""
TIMEKEEPER = Actor(id="timekeeper", role="timekeeper")
"""Whoever fires due clocks."""


class ClockChange(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What a fact does to one clock. It is stored with the fact, so replay needs no SLA profile.

    `clock` is `PROFILE.name` (`INTERNAL.acknowledge`); `due` is set by start, resume, extend (a letter gives more time)
    and lengthen (the law does, by itself); `warn` are
    the percentages of the span at which people are warned, empty for 50 and 80 (start only).
    """

    op: Literal["start", "stop", "pause", "resume", "extend", "lengthen"]
    clock: str
    cycle: int
    due: datetime | None = None
    warn: tuple[int, ...] = ()


class Body(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """Base of all bodies.

    The keys here are derived by `decisions.draft` when the fact is made, so that a projection needs no
    other state than the fact: `type` (lab word of the line: auto, home, life, health), `priority`, the
    claimant, the adjuster after this fact, the time of submission, the policy; and, when this fact changes
    it, the status word of lab readers and the one before. They are never a ground for a decision.
    """

    type: str = ""
    priority: str = ""
    claimant_id: str = ""
    assigned_to: str = ""
    submitted_at: datetime | None = None
    policy_number: str = ""
    status: str = ""
    status_before: str = ""
    clocks: tuple[ClockChange, ...] = ()
