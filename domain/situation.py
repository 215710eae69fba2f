"""What a guard looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain import portrait

if TYPE_CHECKING:
    from domain.adjudication import Adjudication
    from domain.bodies.base import Body
    from domain.claim_record import Claim
    from domain.commands import Command
    from domain.context import Context
    from domain.coverage import CoverageResult


class Situation:
    """The claim before the fact, what is wanted, by whom and when, and the body that would be the fact.

    The process manager acts without a command (`command` None): its actor is the system. Cover is worked out
    once, when the first guard asks.
    """

    __slots__ = ("_cover", "body", "claim", "command", "context")

    def __init__(self, claim: Claim, command: Command | None, context: Context, body: Body) -> None:
        """Hold the four."""
        self.claim = claim
        self.command = command
        self.context = context
        self.body = body
        self._cover: CoverageResult | None = None

    @property
    def cover(self) -> CoverageResult:
        """All checks of cover as they come out now."""
        if self._cover is None:
            self._cover = portrait.cover(self.claim, self.context, self.claim.duplicate.score)
        return self._cover

    @property
    def payable(self) -> Adjudication | None:
        """What the policy pays at most, with nothing taken off."""
        return portrait.adjudicated(self.claim, self.context)
