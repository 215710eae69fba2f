"""The loop that keeps a process in the cluster: beat, see who lives, take our share, give back the rest.

It serves nothing itself: it tells a `Floor` to open and close seats. A seat that is no longer ours by sharing
is closed first (the runner finishes and hands back), then released; a seat whose lease another process took
is closed at once.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from runtime import failpoints
from runtime.cluster.sharing import chosen
from runtime.errors import RuntimeFault, StoreUnavailable
from runtime.signals import LeaseChanged

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runtime.cluster.lease import LeaseOptions, Leases, Seat
    from runtime.cluster.registry import ProcessCard, Registry
    from runtime.signals import Bus


LEAVE_SECONDS = 1.0
"""Seconds for giving leases back and leaving the registry; a store that does not answer lets them run out."""


class Floor(Protocol):
    """Where seats are served."""

    def open(self, seat: Seat) -> None:
        """Start serving a seat."""
        ...

    async def close(self, seat: Seat) -> None:
        """Stop serving a seat; returns when nothing of it runs any more."""
        ...


class Membership:
    """This process among the others."""

    def __init__(
        self,
        registry: Registry,
        leases: Leases,
        process: str,
        seats: Mapping[Seat, str],
        floor: Floor,
        *,
        options: LeaseOptions,
        bus: Bus,
    ) -> None:
        """`seats`: every seat that this process can serve, and the name of its actor."""
        self._registry = registry
        self._leases = leases
        self._process = process
        self._seats = seats
        self._floor = floor
        self._options = options
        self._bus = bus
        self._stopping = asyncio.Event()
        self._closing: dict[Seat, tuple[str, asyncio.Task[None]]] = {}
        self._asked: set[Seat] = set()
        self.held: set[Seat] = set()
        self.owners: dict[Seat, str] = {}
        self.living: Mapping[str, ProcessCard] = {}
        self.reachable = False

    @property
    def leased(self) -> bool:
        """Have we the lease of every seat that we mean to go on serving, by our own clock?"""
        return self.reachable and all(self._leases.trusted(seat) for seat in self.held - self._closing.keys())

    def stop(self) -> None:
        """Give everything back and leave. Legal at any time, also twice."""
        self._stopping.set()

    async def run(self, started: Callable[[], None]) -> None:
        """Beat until told to stop; then close every seat, release the leases and leave the registry."""
        said = False
        self._begin_anew()
        try:
            while not self._stopping.is_set():
                try:
                    await self._round_unless_stopped()
                    self.reachable = True
                except StoreUnavailable:
                    self.reachable = False  # the runners wait as well; the position keeps everybody safe
                if self.reachable and not said and not self._stopping.is_set():
                    said = True
                    started()
                await self._sleep()
        finally:
            self.reachable = False
            try:
                await self._leave()
            finally:
                self._stopping.clear()  # only now: a stop that comes while we leave is meant for this run

    def _begin_anew(self) -> None:
        """Nothing is held at a start; the floor starts together with us (one_for_all), with nothing."""
        self.held.clear()
        self.owners.clear()
        self._closing.clear()
        self._asked.clear()

    async def _round_unless_stopped(self) -> None:
        """One beat, given up when we are to stop: a store that hangs must not hold up the closing."""
        beat = asyncio.create_task(self._round(), name="beat of the membership")
        stop = asyncio.create_task(self._stopping.wait(), name="stop of the membership")
        try:
            await asyncio.wait({beat, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            beat.cancel()
            stop.cancel()
            await asyncio.wait({beat, stop})
        if not (beat.cancelled() and self._stopping.is_set()):
            beat.result()  # raises what the beat raised; a cancellation that is not ours is a failure like any other

    async def _round(self) -> None:
        """One beat: who lives, what is ours, renew, take, give back."""
        self.living = await self._registry.beat()
        wanted = {seat for seat in self._seats if self._should_serve(seat)}
        self._asked = wanted | self.held
        owners = await self._leases.take(self._asked)
        self.owners.update(owners)
        for seat in sorted(self.held):
            if owners[seat] != self._process:
                await failpoints.reach("lease.lost")
                self._begin_closing(seat, "lost")
            elif seat not in wanted:
                self._begin_closing(seat, "released")
        for seat in sorted(wanted):
            if owners[seat] == self._process and seat not in self.held:
                await failpoints.reach("lease.taken")
                self.held.add(seat)
                self._tell(seat, "taken")
                self._floor.open(seat)
        await self._give_back_closed()

    def _should_serve(self, seat: Seat) -> bool:
        """Is this seat ours among the living that can serve it?"""
        actor = self._seats[seat]
        able = [name for name, card in self.living.items() if not card.serves or actor in card.serves]
        return bool(able) and chosen(str(seat), able) == self._process

    def _begin_closing(self, seat: Seat, state: str) -> None:
        """Close a seat beside the beats: a runner that takes its time must not cost the other leases."""
        if seat not in self._closing:
            self._closing[seat] = (state, asyncio.create_task(self._floor.close(seat), name=f"close {seat}"))

    async def _give_back_closed(self) -> None:
        """Release what has been closed since the last beat."""
        done = [seat for seat, (_, task) in self._closing.items() if task.done()]
        for seat in done:
            state, task = self._closing.pop(seat)
            self.held.discard(seat)
            self._tell(seat, state)
            task.result()
        if done:
            await failpoints.reach("handover.closed")
            await self._leases.release(done)
            await failpoints.reach("handover.released")

    async def _leave(self) -> None:
        """Runners end first, then the leases: whoever takes a seat finds nobody at work in it."""
        await failpoints.reach("drain.begin")
        for seat in sorted(self.held):
            self._begin_closing(seat, "released")
        mine = {**self._closing}
        if mine:
            # Not `gather`: a cancellation of ours must not cancel the closing of a seat.
            await asyncio.wait({task for _, task in mine.values()})
        self._closing.clear()
        self.held.clear()
        for seat, (state, _) in sorted(mine.items()):
            self._tell(seat, state)
        try:
            async with asyncio.timeout(LEAVE_SECONDS):
                # Also what the last beat asked for: when it was given up, its answer may have been lost.
                await self._leases.release({*mine, *self._asked})
                await self._registry.leave()
        except (RuntimeFault, TimeoutError):
            return  # the leases end by themselves

    async def _sleep(self) -> None:
        """Until the next beat; or until a seat is closed, for nobody serves it before its lease is given back.

        What was closed before, and could not be given back, waits for the beat: otherwise we would spin.
        """
        stop = asyncio.create_task(self._stopping.wait(), name="stop of the membership")
        closing = {task for _, task in self._closing.values() if not task.done()}
        try:
            await asyncio.wait(
                {stop, *closing}, timeout=self._options.beat_seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            stop.cancel()
            await asyncio.wait({stop})

    def _tell(self, seat: Seat, state: str) -> None:
        self._bus.emit(LeaseChanged(group=seat.group, partition=seat.partition, state=state))
