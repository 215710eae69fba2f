"""Serves one (group, partition) until it is told to stop: read, hand to the work, and recover from any doubt.

    resync -> take -> (prefetch) -> serve -> take ...
       ^                              |
       +---- fenced, gap, idle, lost group, store away, halted: forget the buffer, back to the position

After any doubt: forget, put the group back, read again. Never sweep, never guess a cursor.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import anyio
import msgspec

from runtime import failpoints
from runtime.actor import Actor, ticks
from runtime.errors import Conflict, EffectRefused, GroupLost, Halted, ReaderTooOld, StoreUnavailable
from runtime.serving.settling import Doubt
from runtime.serving.work import PATIENCE, Work
from runtime.signals import Bus, Resynced

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.clock import Clock
    from runtime.serving.attempts import WorkOptions
    from runtime.serving.gate import Gate
    from runtime.serving.protocols import Link
    from runtime.serving.triage import Known
    from runtime.serving.waits import Waits


LEAVE_SECONDS = 1.0
"""Seconds for clearing the start mark: a store that does not answer must not use up the drain."""

LEASE_LOOK_SECONDS = 0.02
"""Seconds between two looks whether a lease that ran out was renewed; our own clock is asked, not the store."""

CLOSE_SECONDS = 2.0
"""Seconds for closing the connection when we were cut off; shorter than `StopOptions.cancel_seconds`."""


class RunnerOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a runner waits."""

    tick_seconds: float = 1.0
    """Seconds between two ticks of an actor that has work by time. Reason: SLA clocks count in hours."""
    halted_poll_seconds: float = 5.0
    """Seconds until a halted runner, or one that is too old, looks again whether it may go on."""


class Runner:
    """The loop of one (group, partition)."""

    def __init__(
        self,
        actor: Actor,
        partition: int,
        link: Link,
        waits: Waits,
        *,
        bus: Bus,
        clock: Clock,
        gate: Gate,
        known: Known,
        work: WorkOptions | None = None,
        options: RunnerOptions | None = None,
        leased: Callable[[], bool] = lambda: True,
    ) -> None:
        """Nothing is connected before `run`. `leased`: may we still believe that this seat is ours?"""
        self._leased = leased
        self._actor = actor
        self._partition = partition
        self._link = link
        self._waits = waits
        self._bus = bus
        self._clock = clock
        self._options = options or RunnerOptions()
        self._work = Work(actor, partition, link, waits, bus, clock, gate, known, work)
        self._next_tick = clock.monotonic() if ticks(actor) else float("inf")
        self._doubts = 0
        self._doubted_at = ""
        self._interrupting: asyncio.Task[None] | None = None

    @property
    def position(self) -> str:
        """The last entry whose effects are applied, as far as this runner knows."""
        return self._work.position

    def stop(self) -> None:
        """Finish the settle at hand, hand the rest back, and end. Legal at any time, also twice."""
        self._waits.stop()
        if self._interrupting is None:
            self._interrupting = asyncio.get_running_loop().create_task(self._link.interrupt())

    async def run(self, started: Callable[[], None]) -> None:
        """Serve until `stop`. Says `started` once the group stands on its position and reading may begin."""
        try:
            await self._recover("start", first=True)
            if not self._waits.stopping:
                started()
            while not self._waits.stopping:
                await self._turn()
            await self._leave()
        finally:
            await self._close()

    async def _turn(self) -> None:
        """One batch, or one quiet while."""
        try:
            entries = await self._link.take()
            if self._waits.stopping:
                return
            if entries:
                await failpoints.reach("batch.decoded")
                if not await self._leased_again():
                    return
                self._link.begin()
                await self._work.serve(entries)
            else:
                await self._look_while_idle()
            await self._do_what_is_due()
        except Doubt as doubt:
            await self._calm_down(doubt)
            await self._recover(doubt.reason)
        except GroupLost:
            await self._recover("lost_group")
        except ReaderTooOld as problem:
            await self._wait_for_people("reader_too_old", problem)
        except Halted as problem:
            await self._wait_for_people("halted", problem)
        except StoreUnavailable as problem:
            async with self._waits.declared("store_away", str(problem)):
                await self._waits.pause(1)
            await self._recover("error")

    async def _leased_again(self) -> bool:
        """Whoever was paused for longer than its lease (SIGSTOP, a frozen machine) goes on only when it has one again.

        For liveness: others may serve this seat by now, and we would only stand in their way. The position keeps
        everybody safe. False when we were asked to stop meanwhile.
        """
        while not self._leased() and not self._waits.stopping:
            async with self._waits.declared("lease", "the lease of this seat has run out"):
                await self._waits.sleep(LEASE_LOOK_SECONDS)
        return not self._waits.stopping

    async def _calm_down(self, doubt: Doubt) -> None:
        """Doubt again and again at one position is no race: wait longer each time, so that nothing spins."""
        at = self._work.position
        self._doubts = self._doubts + 1 if at == self._doubted_at else 1
        self._doubted_at = at
        if self._doubts > PATIENCE:
            async with self._waits.declared("backoff", str(doubt)):
                await self._waits.pause(self._doubts - PATIENCE)

    async def _look_while_idle(self) -> None:
        """An empty read although the cursor is not on the position, or something is pending: entries went astray.

        A consumer that died may have read the tail; nothing would ever be settled, so no gap would show it.
        """
        look = await self._link.look()
        if look.halted or look.torn:
            raise Halted(look.torn or look.halted)
        self._work.note_retries(look.retries)
        if look.delivered != self._work.position or look.pending > 0:
            raise Doubt("idle")
        if look.consumers > 1:
            await self._link.tidy()

    async def _do_what_is_due(self) -> None:
        """Ticks of the actor, and parked entries that an operator wants tried again."""
        if self._work.retries:
            for entity, parked in (await self._link.wanted_again()).items():
                await self._work.take_again(entity, parked)
                await failpoints.reach("retry.settled")
                await self._link.unretry(entity)
            self._work.note_retries(0)
        if self._clock.monotonic() >= self._next_tick:
            self._next_tick = self._clock.monotonic() + self._options.tick_seconds
            try:
                await self._work.tick()
            except (Conflict, EffectRefused):
                return  # somebody else moved what it looked at: the next tick looks again

    async def _recover(self, reason: str, *, first: bool = False) -> None:
        """Put the group back to its position, however long that takes."""
        attempt = 0
        while not self._waits.stopping:
            try:
                standing = await self._link.resync(start=first)
            except StoreUnavailable as problem:
                attempt += 1
                async with self._waits.declared("store_away", str(problem)):
                    await self._waits.pause(attempt)
                continue
            except Halted as problem:
                self._work.trust_the_store()
                async with self._waits.declared("halted", str(problem)):
                    await self._waits.sleep(self._options.halted_poll_seconds)
                continue
            lost = self._work.rolled_back(standing)
            if lost:
                await self._halt(f"ROLLED BACK: {self._actor.group}: {lost}")
                continue
            self._work.reset(standing)
            why = "lost_group" if standing.healed else reason
            self._bus.emit(Resynced(self._actor.name, self._actor.group, self._partition, why, standing.position))
            return

    async def _halt(self, why: str) -> None:
        """Halt the partition for everybody: what was confirmed is gone, and nothing may be skipped silently."""
        try:
            await self._link.halt(why)
        except StoreUnavailable as problem:
            async with self._waits.declared("store_away", str(problem)):
                await self._waits.pause(1)

    async def _wait_for_people(self, reason: str, problem: Exception) -> None:
        """Nothing here can go on by itself: say so, and look again after a while."""
        async with self._waits.declared(reason, str(problem)):
            await self._waits.sleep(self._options.halted_poll_seconds)
        await self._recover(reason)

    async def _leave(self) -> None:
        """Clear the start mark: we leave in good order."""
        try:
            async with asyncio.timeout(LEAVE_SECONDS):
                await failpoints.reach("leave.before")
                await self._link.clear_start()
        except (StoreUnavailable, TimeoutError):
            return  # a death is counted that was none; it needs two without progress to matter

    async def _close(self) -> None:
        # Shielded: who was cancelled is cancelled again at every await (redis-facts T1), and would leave the read
        # and its connection behind.
        with anyio.move_on_after(CLOSE_SECONDS, shield=True):
            if self._interrupting is not None:
                await asyncio.wait({self._interrupting})
            await self._link.close()
