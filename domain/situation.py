"""What a guard looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from domain.bodies.base import Body
    from domain.claim_record import Claim
    from domain.commands import Command
    from domain.context import Context


class Situation(NamedTuple):
    """The claim before the fact, what is wanted, by whom and when, and the body that would become the fact.

    The process manager acts without a command (`command` None): its actor is the system.
    """

    claim: Claim
    command: Command | None
    context: Context
    body: Body
