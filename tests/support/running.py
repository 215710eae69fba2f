"""A runner on a real store for a test: started, listened to, stopped, with nothing left behind.

async with serving(address, things, Lister()) as served:
    await served.until_rest()
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, ClassVar, TypeVar

from runtime.actor import Actor
from runtime.backoff import BackoffOptions
from runtime.clock import SystemClock
from runtime.codec import OpenCodec
from runtime.effects import Effects, ListPush, Park, Wanted
from runtime.serving.gate import Gate
from runtime.serving.runner import Runner, RunnerOptions
from runtime.serving.waits import Waits
from runtime.signals import Bus, Resynced, Signal, WaitDeclared
from runtime.store.clients import open_commands, open_reader
from runtime.store.link import StoreLink
from runtime.store.reader import ReadOptions
from tests.support.waiting import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from runtime.entry import Batch
    from runtime.serving.attempts import WorkOptions
    from runtime.store.clients import StoreAddress
    from tests.support.things import Things

BLOCK_MS = 100
SignalT = TypeVar("SignalT", bound=Signal)


class Lister(Actor):
    """Writes the event ids that it was given to the list `seen`, in order; fails on some, parks some."""

    name: ClassVar[str] = "lister"
    group: ClassVar[str] = "listers"

    def __init__(self, fails: Collection[str] = (), parks: Collection[str] = ()) -> None:
        """Event ids that it raises on, and that it asks to park."""
        self.fails = set(fails)
        self.parks_these = set(parks)
        self.given: list[list[str]] = []
        self.forgot = 0

    async def handle(self, batch: Batch) -> Effects:
        """Give one effect for the batch; the same for any cut of it."""
        self.given.append([entry.event_id for entry in batch.entries])
        wanted: list[Wanted] = []
        for entry in batch.entries:
            if entry.event_id in self.fails:
                raise ValueError(f"cannot take {entry.event_id}")
            if entry.event_id in self.parks_these:
                wanted.append(Park(entry.id, "not wanted"))
            else:
                wanted.append(ListPush("seen", (entry.event_id,)))
        return wanted

    def forget(self) -> None:
        """Count it."""
        self.forgot += 1


class Served:
    """A runner at work, with everything that it said."""

    def __init__(self, runner: Runner, things: Things, group: str, link: StoreLink) -> None:
        """`heard` fills while it runs."""
        self.runner = runner
        self.things = things
        self.group = group
        self.link = link
        self.heard: list[Signal] = []
        self.started = asyncio.Event()
        self.task = asyncio.create_task(runner.run(self.started.set), name=f"runner of {group}")
        self.killed = False

    def all_of(self, kind: type[SignalT]) -> list[SignalT]:
        """The signals of one type, in order."""
        return [signal for signal in self.heard if isinstance(signal, kind)]

    @property
    def resyncs(self) -> list[str]:
        """Why the group was put back to its position."""
        return [signal.reason for signal in self.all_of(Resynced)]

    @property
    def waits(self) -> list[tuple[str, str]]:
        """Declared waits: reason and detail."""
        return [(signal.reason, signal.detail) for signal in self.all_of(WaitDeclared)]

    async def until_wait(self, reason: str, within: float = PATIENCE) -> str:
        """Wait until it declares a wait for this reason; its detail."""

        def declared() -> str | None:
            return next((detail for why, detail in self.waits if why == reason), None)

        return await until(declared, within=within, what=f"a declared wait {reason}") or ""

    async def until_rest(self, within: float = PATIENCE) -> None:
        """Wait until nothing is left: position == last entry, pending 0."""

        async def resting() -> bool:
            if self.task.done():
                self.task.result()
            return (await self.things.look(self.group)).at_rest

        await until(resting, within=within, what=f"{self.group} at rest")

    async def stop(self) -> None:
        """Stop in good order and wait for the end."""
        self.runner.stop()
        await self.task

    async def kill(self) -> None:
        """End it in the middle of whatever it does; its start mark stays, as after a death of the process."""
        self.killed = True
        self.task.cancel()
        await asyncio.wait({self.task})


@asynccontextmanager
async def serving(
    address: StoreAddress,
    things: Things,
    actor: Actor,
    *,
    process: str = "p1",
    block_ms: int = BLOCK_MS,
    batch: int = 500,
    work: WorkOptions | None = None,
    gate: Gate | None = None,
) -> AsyncIterator[Served]:
    """Run the actor on partition 0 until the block ends; then it is stopped; its failure is the test's."""
    bus = Bus()
    commands = open_commands(address, max_connections=4)
    reading = open_reader(address, block_ms=block_ms, client_name=f"cs:{process}")
    link = StoreLink(
        reading, commands, {things.name: things.log}, things.name, actor.group, 0, process, things.entries,
        bus=bus, read=ReadOptions(batch=batch, block_ms=block_ms), command_ttl_ms=60_000,
    )  # fmt: skip
    waits = Waits(actor.name, actor.group, 0, bus, BackoffOptions(first_seconds=0.005, cap_seconds=0.05))
    runner = Runner(
        actor, 0, link, waits, bus=bus, clock=SystemClock(), gate=gate or Gate(), known=OpenCodec(),
        work=work,        options=RunnerOptions(tick_seconds=0.02, halted_poll_seconds=0.05),
    )  # fmt: skip
    served = Served(runner, things, actor.group, link)
    bus.subscribe(served.heard.append)
    try:
        yield served
        if not served.killed:
            await served.stop()
    finally:
        if not served.task.done():
            await served.kill()
        await commands.aclose()
