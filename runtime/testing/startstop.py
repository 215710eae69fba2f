"""Stress on start and stop: one test that finds the lifecycle races of any service.

The idea is river's `startstoptest.Stress`: many tasks start and stop one service at the same time, in every
order.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

import anyio
import anyio.lowlevel

if TYPE_CHECKING:
    from collections.abc import Callable


class Service(Protocol):
    """What can be stressed: `run` until stopped, `stop` from anywhere, before, during and after, any number
    of times.
    """

    async def run(self) -> None:
        """Work until stopped."""

    def stop(self) -> None:
        """Ask the present run, or the next one, to end."""


async def stress(
    service_factory: Callable[[], Service],
    *,
    tasks: int = 10,
    rounds: int = 50,
    within: float = 20.0,
    already_running: tuple[type[Exception], ...] = (),
) -> int:
    """Start and stop one service from `tasks` tasks, `rounds` times each; returns how many runs there were.

    `already_running`: what a second `run` at the same time may raise. AssertionError: it was not over
    `within` seconds, or left asyncio tasks behind. Any other error of the service comes out as it is.
    """
    service, before = service_factory(), asyncio.all_tasks()
    runs = _Runs(service, already_running)
    with anyio.move_on_after(within) as limit:
        async with anyio.create_task_group() as group:
            for number in range(tasks):
                group.start_soon(runs.start_and_stop, number, rounds)
    assert not limit.cancelled_caught, f"not stopped within {within} s, after {runs.completed} runs"
    left = asyncio.all_tasks() - before
    assert not left, f"tasks left behind: {left}"
    return runs.completed


class _Runs:
    """The runs of one service, counted."""

    def __init__(self, service: Service, already_running: tuple[type[Exception], ...]) -> None:
        self.service = service
        self.already_running = already_running
        self.completed = 0

    async def start_and_stop(self, number: int, rounds: int) -> None:
        for turn in range(rounds):
            over = anyio.Event()
            async with anyio.create_task_group() as group:
                group.start_soon(self._run, over)
                # A different number of turns of the loop each time: stop hits every moment of a start.
                for _ in range((number * 7 + turn * 3) % 11):
                    await anyio.lowlevel.checkpoint()
                while not over.is_set():
                    self.service.stop()
                    await anyio.lowlevel.checkpoint()

    async def _run(self, over: anyio.Event) -> None:
        try:
            await self.service.run()
            self.completed += 1
        except self.already_running:
            pass
        finally:
            over.set()
