"""Starting, stopping, adding and removing at any moment."""

from __future__ import annotations

import anyio
import pytest

from runtime.backoff import BackoffOptions
from runtime.supervision import (
    AlreadyRunning,
    ChildSpec,
    ChildStarted,
    Strategy,
    Supervisor,
    SupervisorStarted,
)
from runtime.testing.failable import Failable, StartedTwice
from runtime.testing.signal_log import SignalLog
from runtime.testing.startstop import stress

QUICK = BackoffOptions(first_seconds=0.001, cap_seconds=0.002)


@pytest.mark.parametrize("strategy", list(Strategy))
async def test_started_and_stopped_by_many_at_once_it_never_hangs_and_leaves_no_task(
    strategy: Strategy,
) -> None:
    children = [Failable(name) for name in "abc"]
    specs = [child.spec() for child in children]
    runs = await stress(
        lambda: Supervisor("root", specs, strategy=strategy, emit=SignalLog()),
        already_running=(AlreadyRunning,),
    )
    assert runs > 10
    assert not any(child.running for child in children)


def test_the_stress_holds_under_uvloop_too() -> None:
    children = [Failable(name) for name in "abc"]
    specs = [child.spec() for child in children]

    async def under_uvloop() -> int:
        return await stress(lambda: Supervisor("root", specs, emit=SignalLog()), already_running=(AlreadyRunning,))

    assert anyio.run(under_uvloop, backend_options={"use_uvloop": True}) > 10


async def test_a_stop_before_the_start_lets_nothing_start() -> None:
    a = Failable("a")
    supervisor = Supervisor("root", [a.spec()], emit=SignalLog())
    supervisor.stop()
    supervisor.stop()
    with anyio.fail_after(5):
        await supervisor.run()
    assert a.starts == 0


async def test_a_stopped_supervisor_can_run_again() -> None:
    log, a = SignalLog(), Failable("a")
    supervisor = Supervisor("root", [a.spec()], emit=log)
    for count in (1, 2):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(supervisor.run)
            await log.wait_for(SupervisorStarted, count=count)
            supervisor.stop()
            supervisor.stop()
    assert a.starts == 2


async def test_a_second_run_at_the_same_time_is_refused() -> None:
    log = SignalLog()
    supervisor = Supervisor("root", [Failable("a").spec()], emit=log)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(supervisor.run)
        await log.wait_for(SupervisorStarted)
        with pytest.raises(AlreadyRunning):
            await supervisor.run()
        supervisor.stop()


async def test_a_failable_child_makes_a_double_start_impossible_to_miss() -> None:
    twin = Failable("twin")
    specs = [ChildSpec(name=name, run=twin.run, stop=twin.stop) for name in ("one", "two")]
    with pytest.raises(StartedTwice), anyio.fail_after(5):
        await Supervisor("root", specs, emit=SignalLog()).run()


async def test_children_come_and_go_while_it_runs() -> None:
    log, a, b = SignalLog(), Failable("a"), Failable("b")
    supervisor = Supervisor("root", [], emit=log)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(supervisor.run)
            supervisor.add(a.spec())
            supervisor.add(b.spec())
            await log.wait_for(ChildStarted, child="b")
            await supervisor.remove("a").wait()
            assert (a.running, b.running) == (False, True)
            assert [child.name for child in supervisor.children()] == ["b"]
            supervisor.stop()


async def test_removing_twice_or_somebody_unknown_is_over_at_once() -> None:
    log, a = SignalLog(), Failable("a")
    supervisor = Supervisor("root", [a.spec()], emit=log)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(supervisor.run)
            await log.wait_for(SupervisorStarted)
            first, second = supervisor.remove("a"), supervisor.remove("a")
            await first.wait()
            await second.wait()
            await supervisor.remove("nobody").wait()
            supervisor.stop()
    assert a.stops_asked == 1


async def test_a_removal_returns_only_when_the_child_ended_or_was_cancelled_at_its_deadline() -> None:
    log, a = SignalLog(), Failable("a", ignores_stop=True)
    supervisor = Supervisor("root", [a.spec(stop_timeout=0.01)], emit=log)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(supervisor.run)
            await log.wait_for(SupervisorStarted)
            await supervisor.remove("a").wait()
            assert a.cancelled_by_us
            assert not a.running
            supervisor.stop()


async def test_a_child_added_again_while_it_is_being_removed_starts_when_the_old_one_is_gone() -> None:
    log, a = SignalLog(), Failable("a")
    supervisor = Supervisor("root", [a.spec()], emit=log)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(supervisor.run)
            await log.wait_for(SupervisorStarted)
            gone = supervisor.remove("a")
            supervisor.add(a.spec())
            await gone.wait()
            await log.wait_for(ChildStarted, child="a", incarnation=2)
            assert a.starts == 2
            supervisor.stop()


async def test_a_child_added_under_a_living_name_replaces_it() -> None:
    journal: list[str] = []
    log, old, new = SignalLog(), Failable("a", journal=journal), Failable("a", journal=journal)
    supervisor = Supervisor("root", [old.spec()], emit=log)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(supervisor.run)
        await log.wait_for(SupervisorStarted)
        supervisor.add(new.spec())
        await log.wait_for(ChildStarted, child="a", incarnation=2)
        assert (old.running, new.running) == (False, True)
        supervisor.stop()
    assert journal == ["+a", "-a", "+a", "-a"]


async def test_what_was_added_is_forgotten_when_the_run_ends_and_before_it_is_kept() -> None:
    log, a, b = SignalLog(), Failable("a"), Failable("b")
    supervisor = Supervisor("root", [a.spec()], emit=log)
    supervisor.add(b.spec())
    for count in (1, 2):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(supervisor.run)
            await log.wait_for(SupervisorStarted, count=count)
            supervisor.stop()
    assert (a.starts, b.starts) == (2, 1)


async def test_nobody_waits_for_a_removal_for_ever_when_the_run_is_cancelled() -> None:
    log, a = SignalLog(), Failable("a", ignores_stop=True)
    supervisor = Supervisor("root", [a.spec()], backoff=QUICK, emit=log)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(supervisor.run)
        await log.wait_for(SupervisorStarted)
        gone = supervisor.remove("a")
        tasks.cancel_scope.cancel()
    assert gone.is_set()
