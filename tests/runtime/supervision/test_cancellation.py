"""Whose cancellation it was decides: ours is re-raised, a stranger's is a failure."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from runtime.backoff import BackoffOptions
from runtime.supervision import (
    ChildFailed,
    ChildSpec,
    ChildStarted,
    ChildStopped,
    Started,
    StopTimedOut,
    Supervisor,
)
from runtime.supervision.child import run_to_end
from runtime.testing.failable import Failable
from runtime.testing.signal_log import SignalLog

QUICK = BackoffOptions(first_seconds=0.001, cap_seconds=0.002)


async def test_a_foreign_cancellation_of_a_child_is_a_failure_and_it_comes_back() -> None:
    log, a = SignalLog(), Failable("a")
    supervisor = Supervisor("root", [a.spec()], backoff=QUICK, emit=log)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(supervisor.run)
        await log.wait_for(ChildStarted, child="a")
        a.cancel_as_a_stranger()
        failed = await log.wait_for(ChildFailed, child="a")
        assert failed.error.startswith("ForeignCancellation")
        await log.wait_for(ChildStarted, child="a", incarnation=2)
        supervisor.stop()


async def test_a_cancelled_future_that_a_child_awaits_is_a_failure_too() -> None:
    log = SignalLog()
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.cancel()

    async def awaits_it(started: Started) -> None:
        started()
        await future

    supervisor = Supervisor("root", [ChildSpec(name="a", run=awaits_it)], backoff=QUICK, emit=log)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(supervisor.run)
        await log.wait_for(ChildFailed, child="a", count=2)
        supervisor.stop()


async def test_a_timeout_around_the_supervisor_fires_and_leaves_nothing_running() -> None:
    log, a = SignalLog(), Failable("a")
    supervisor = Supervisor("root", [a.spec()], backoff=QUICK, emit=log)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await supervisor.run()
    assert a.cancelled_by_us
    assert not a.running
    assert not log.all(ChildFailed), "our own cancellation is no failure"


async def test_cancelling_the_task_of_the_supervisor_is_re_raised_to_it() -> None:
    log, leaf = SignalLog(), Failable("leaf")
    inner = Supervisor("inner", [leaf.spec()], emit=log)
    root = Supervisor("root", [ChildSpec(name="inner", run=inner.run, stop=inner.stop)], emit=log)
    task = asyncio.create_task(root.run())
    await log.wait_for(ChildStarted, child="leaf")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not leaf.running
    assert [(each.forced, each.error) for each in log.all(ChildStopped)] == [(True, ""), (True, "")]


async def test_a_cancelled_child_sees_its_own_cancellation_pass_through() -> None:
    endings: list[object] = []

    async def sleeps(started: Started) -> None:
        await anyio.sleep_forever()

    with anyio.CancelScope() as scope:
        scope.cancel()
        endings.append(await run_to_end(ChildSpec(name="a", run=sleeps), lambda: None))
    assert scope.cancelled_caught
    assert endings == [], "an ending of its own would mean that the cancellation was swallowed"


async def test_a_scope_cancelled_around_a_tree_that_is_stopping_names_who_still_ran() -> None:
    log, leaf = SignalLog(), Failable("leaf", ignores_stop=True)
    inner = Supervisor("inner", [leaf.spec(stop_timeout=60.0)], emit=log)
    spec = ChildSpec(name="inner", run=inner.run, stop=inner.stop, stop_timeout=0.01)
    root = Supervisor("root", [spec], emit=log)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(root.run)
        await log.wait_for(ChildStarted, child="leaf")
        root.stop()
    named = [(each.supervisor, each.child) for each in log.all(StopTimedOut)]
    assert named == [("root", "inner"), ("inner", "leaf")]


async def test_a_child_that_swallows_one_cancellation_still_ends() -> None:
    log, stubborn = SignalLog(), []

    async def swallows_once(started: Started) -> None:
        started()
        try:
            await anyio.sleep_forever()
        except anyio.get_cancelled_exc_class():
            stubborn.append("once")
        await anyio.sleep_forever()

    supervisor = Supervisor("root", [ChildSpec(name="a", run=swallows_once)], emit=log)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(supervisor.run)
            await log.wait_for(ChildStarted, child="a")
            supervisor.stop()
    assert stubborn == ["once"]
