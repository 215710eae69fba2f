"""What a command needs to become facts: the event, a builder, and what comes before and after."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from domain.bodies.base import Body
from domain.claim_record import Claim
from domain.context import Context
from domain.decisions.draft import Draft

if TYPE_CHECKING:
    from domain.outcome import Code


class Problem(NamedTuple):
    """Why a builder cannot give a body."""

    code: Code
    message: str
    guard: str = ""


Builder = Callable[[Claim, Any, Context], Body | Problem]
Hook = Callable[[Draft, Any], None]
Check = Callable[[Claim, Any], Problem | None]


class Step(NamedTuple):
    """`match` is asked before the state (bank messages must not read WRONG_STATE when they came twice);
    `before` adds facts that must precede the command's own, `after` those that belong to it.
    """

    event: str
    build: Builder
    match: Check | None = None
    before: Hook | None = None
    after: Hook | None = None
