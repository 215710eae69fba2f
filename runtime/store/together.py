"""Sends what many callers append at the same moment in few calls: each keeps its own answer.

A call costs this client more than a unit does, and the pool has fewer connections than there may be callers: 64 of them
with a call each waited for a connection so long that some gave up. While a call is out, what comes in waits for the
next one, as a group commit does; a caller who is alone waits for nobody.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

Unit = TypeVar("Unit")
Answer = TypeVar("Answer")

CALLS_OUT = 2
"""Calls on their way at a time: one is packed or read here while the store works on the other."""

UNITS_OF_A_CALL = 32
"""Units of one call: some 2 ms of the store's time, for which everybody else waits. What more came at one moment goes
out in the next call at once, so that 64 callers keep store and client at work side by side: half as many
appends again as with one call for all of them."""


class Together(Generic[Unit, Answer]):
    """Joins the appends of one client."""

    def __init__(self, send: Callable[[Sequence[Unit]], Awaitable[Sequence[Answer | Exception]]]) -> None:
        """`send` appends units in one call: answer or error of each, in order; what it raises is the error of all."""
        self._send = send
        self._waiting: list[tuple[Unit, asyncio.Future[Answer]]] = []
        self._out: dict[asyncio.Task[None], list[tuple[Unit, asyncio.Future[Answer]]]] = {}
        self._collecting = False

    async def append(self, unit: Unit) -> Answer:
        """Append one unit. Raises what became of this unit, and what became of the call that carried it."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((unit, answer))
        self._go_on()
        try:
            return await answer
        except asyncio.CancelledError:
            self._give_up()
            raise

    def _go_on(self) -> None:
        """Begin a call unless enough are out; it takes what has come when it is its turn, all of this one."""
        if self._waiting and not self._collecting and len(self._out) < CALLS_OUT:
            self._collecting = True
            task = asyncio.create_task(self._call())
            self._out[task] = []
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        for _, answer in self._out.pop(task):
            answer.cancel()  # only of a call that was cancelled: the others are done
        self._go_on()

    def _give_up(self) -> None:
        """Cancel the calls whose callers are all gone; any other call goes on for those who are left."""
        for task, share in self._out.items():
            if share and all(answer.cancelled() for _, answer in share):
                task.cancel()

    async def _call(self) -> None:
        self._collecting = False
        wanted = [one for one in self._waiting if not one[1].done()]
        share = wanted[:UNITS_OF_A_CALL]
        self._waiting = wanted[UNITS_OF_A_CALL:]
        task: Any = asyncio.current_task()
        self._out[task] = share
        if not share:
            return
        self._go_on()  # for those who found no room in this call
        outcomes: Sequence[Answer | Exception]
        try:
            outcomes = await self._send([unit for unit, _ in share])
        except Exception as problem:
            outcomes = [problem] * len(share)
        for (_, answer), outcome in zip(share, outcomes, strict=True):
            if answer.done():
                continue
            if isinstance(outcome, Exception):
                answer.set_exception(outcome)
            else:
                answer.set_result(outcome)
