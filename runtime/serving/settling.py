"""Settles until the answer is known. Owns the position that this runner works from.

A settle whose reply was lost is sent again with the same token and the same effects; the handler does not run again.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from runtime import failpoints
from runtime.answers import (
    Fenced,
    Gap,
    GuardFailed,
    Invalid,
    SettleAnswer,
    Settled,
    Settlement,
    Stopped,
)
from runtime.entry import in_order
from runtime.errors import Conflict, EffectRefused, Halted, RuntimeFault, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.serving.protocols import Link
    from runtime.serving.waits import Waits


class Doubt(RuntimeFault):
    """The position or the buffer cannot be trusted: forget, resync, read again."""

    def __init__(self, reason: str) -> None:
        """`reason` is one word for the signal: fenced, gap, idle, held, error."""
        super().__init__(f"in doubt: {reason}")
        self.reason = reason


class Settling:
    """The second atomic step, for one runner."""

    def __init__(self, link: Link, waits: Waits) -> None:
        """`reset` says from where."""
        self._link = link
        self._waits = waits
        self.position = ""
        self.retries = 0
        self._last_token = ""
        self._highest = ""

    def rolled_back(self, position: str) -> str:
        """Why the store must have been rolled back, when it says less than it has confirmed to us; else ''.

        Asked once per loss: afterwards the store's word counts.
        """
        highest, self._highest = self._highest, position
        if not highest or in_order(position) >= in_order(highest):
            return ""
        return f"the store stands at {position}, and it had confirmed {highest}"

    def trust_the_store(self) -> None:
        """Forget what was confirmed: the partition is halted, and an operator looks before it goes on."""
        self._highest = ""

    def reset(self, position: str, retries: int, token: str) -> None:
        """Work from this position, left by the settle with this token."""
        self.position = position
        self.retries = retries
        self._last_token = token

    async def settle(self, what: Settlement) -> SettleAnswer:
        """Settle, and move our own position when it was done. Raises `StoreUnavailable` only when stopping."""
        token = os.urandom(16).hex()
        last = what.entries[-1].id if what.entries else self.position
        await failpoints.reach("settle.before")
        answer = await self._until_known(token, what)
        await failpoints.reach("settle.replied")
        if isinstance(answer, Fenced) and answer.token == token and answer.position == last:
            answer = Settled(position=last, settled=0, retries=self.retries)  # an earlier try had come through
        if isinstance(answer, Settled):
            self.position, self.retries = answer.position, answer.retries
            self._last_token = token
            self._highest = self.position
        return answer

    async def aside(self, what: Settlement, released: Sequence[tuple[str, str]] = ()) -> None:
        """Settle effects that move no position: marks, ticks, parked entries taken again.

        Raises `Doubt`, `Conflict`, `EffectRefused`, `Halted`.
        """
        what.entries = ()
        what.released = released
        if what.effects or what.appends or released:
            refuse(await self.settle(what))

    async def _until_known(self, token: str, what: Settlement) -> SettleAnswer:
        attempt = 0
        while True:
            try:
                call = self._link.settle(self.position, token, what, after=self._last_token)
                return await failpoints.sent("settle.sent", call)
            except StoreUnavailable as problem:
                if self._waits.stopping:
                    raise
                attempt += 1
                async with self._waits.declared("store_away", str(problem)):
                    await self._waits.pause(attempt)


def refuse(answer: SettleAnswer) -> None:
    """Raise what an answer other than OK means."""
    match answer:
        case Settled():
            return
        case Fenced():
            raise Doubt("fenced")
        case Gap():
            raise Doubt("gap")
        case GuardFailed() if answer.key.startswith(("held ", "parked ")):
            raise Doubt("held")
        case GuardFailed():
            raise Conflict(f"{answer.key} stands at {answer.version}")
        case Invalid():
            raise EffectRefused(answer.why)
        case Stopped():
            raise Halted(f"{answer.answer}: {answer.why}")


def outcome_name(answer: SettleAnswer) -> str:
    """One word for an answer: ok, fenced, gap, conflict, invalid, lost, torn, halted."""
    match answer:
        case Settled():
            return "ok"
        case Fenced():
            return "fenced"
        case Gap():
            return "gap"
        case GuardFailed():
            return "conflict"
        case Invalid():
            return "invalid"
        case Stopped():
            return answer.answer.lower()
