"""Telemetry in tests: signals and samples that say only what matters, and a running service."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar

from runtime.signals import BatchSettled, WaitDeclared, WaitEnded
from runtime.telemetry.samples import BacklogSample
from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


class Service(Protocol):
    """What a supervisor runs."""

    async def run(self, started: Callable[[], None]) -> None:
        """Until stopped."""

    def stop(self) -> None:
        """End soon."""


S = TypeVar("S", bound=Service)


@asynccontextmanager
async def running(service: S) -> AsyncIterator[S]:
    """The service has started inside, and has ended after."""
    up = asyncio.Event()
    task = asyncio.create_task(service.run(up.set))
    waiter = asyncio.create_task(up.wait())
    await asyncio.wait({task, waiter}, return_when=asyncio.FIRST_COMPLETED)
    try:
        if not up.is_set():
            waiter.cancel()
            await task
        yield service
    finally:
        service.stop()
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(task, waiter, return_exceptions=True)


def sample(undelivered: int = 0, pending: int = 0, *, group: str = "g", partition: int = 0) -> BacklogSample:
    """A sample of the store; the oldest entry is as many seconds old as there is backlog."""
    return BacklogSample(
        group=group,
        partition=partition,
        undelivered=undelivered,
        pending=pending,
        oldest_seconds=float(undelivered + pending),
        parked=2,
        stream_entries=1000,
        stream_bytes=64_000,
        stream="log",
        position="1700000000123-4",
        settled_entries=990,
    )


def settled(outcome: str = "ok", *, group: str = "g", partition: int = 0, entries: int = 5) -> BatchSettled:
    """A settled (or refused) batch of the actor `actor-<group>`."""
    return BatchSettled(
        actor=f"actor-{group}",
        group=group,
        partition=partition,
        entries=entries,
        outcome=outcome,
        handle_seconds=0.002,
        settle_seconds=0.0007,
        position="1700000000999-1",
    )


def waits(reason: str, detail: str = "", *, group: str = "g", partition: int = 0) -> WaitDeclared:
    """A runner declares a wait."""
    return WaitDeclared(f"actor-{group}", group, partition, reason, detail)


def wait_over(reason: str, *, group: str = "g", partition: int = 0) -> WaitEnded:
    """A runner's wait is over."""
    return WaitEnded(f"actor-{group}", group, partition, reason)
