"""The two answers of a decision: accepted with facts, or refused with state, command, guard and the
sentence.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from domain.claim_record import Claim
from domain.events import NewFact

Code = Literal[
    "WRONG_STATE",
    "GUARD_FAILED",
    "NOT_ALLOWED",
    "NOT_FOUND",
    "CONFLICT",
    "REPEATED",
    "UNMATCHED",
    "INVALID",
    "NOTHING_DUE",
]
"""Why a command is refused.

CONFLICT: the claim id is taken by another submission. REPEATED: it has been done already, with the same
content.
UNMATCHED: a bank message that fits no payment: it goes to the reconciliation list. NOTHING_DUE: a timer
that is settled, moved or early. INVALID: the content cannot be (a precise field in the message).
"""


class Accepted(msgspec.Struct, frozen=True):
    """The facts to append in one step, in order, and the claim as they leave it."""

    facts: tuple[NewFact, ...]
    claim: Claim


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing happens. `state` is empty when there is no claim; `guard` is empty when no guard refused."""

    code: Code
    message: str
    command: str = ""
    state: str = ""
    guard: str = ""

    def __str__(self) -> str:
        """One line for people."""
        guard = f" by {self.guard}" if self.guard else ""
        where = f" in {self.state}" if self.state else ""
        return f"{self.command}{where} refused{guard} ({self.code}): {self.message}"
