"""Supervisors with failable children: who is started, restarted and stopped, and in which order."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from runtime.backoff import BackoffOptions
from runtime.supervision import (
    BackoffEntered,
    ChildDone,
    ChildFailed,
    ChildSpec,
    ChildStarted,
    ChildStopped,
    Escalated,
    Fatal,
    GaveUp,
    IntensityOptions,
    Started,
    State,
    StopTimedOut,
    Strategy,
    Supervisor,
    SupervisorStarted,
    SupervisorStopped,
)
from runtime.testing.failable import Failable
from runtime.testing.signal_log import SignalLog

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

QUICK = BackoffOptions(first_seconds=0.001, cap_seconds=0.002)
ORDERED = [Strategy.REST_FOR_ONE, Strategy.ONE_FOR_ALL]


def _supervisor(
    log: SignalLog,
    *specs: ChildSpec,
    strategy: Strategy = Strategy.ONE_FOR_ONE,
    limit: float = 5.0,
    backoff: BackoffOptions = QUICK,
    ends_with_children: bool = False,
) -> Supervisor:
    return Supervisor(
        "root",
        specs,
        strategy=strategy,
        intensity=IntensityOptions(limit=limit),
        backoff=backoff,
        emit=log,
        random=lambda: 1.0,
        ends_with_children=ends_with_children,
    )


@asynccontextmanager
async def running(supervisor: Supervisor, log: SignalLog) -> AsyncIterator[None]:
    """Run until the block ends, then stop softly."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(supervisor.run)
        await log.wait_for(SupervisorStarted, supervisor=supervisor.name)
        yield
        supervisor.stop()


def _states(supervisor: Supervisor) -> dict[str, State]:
    return {child.name: child.state for child in supervisor.children()}


async def test_a_failed_child_is_started_again_and_its_siblings_are_left_alone() -> None:
    log, a, b = SignalLog(), Failable("a"), Failable("b")
    async with running(_supervisor(log, a.spec(), b.spec()), log):
        a.fail(ValueError("broken pipe"))
        await log.wait_for(ChildStarted, child="a", incarnation=2)
        assert (a.starts, b.starts) == (2, 1)
    failed = log.all(ChildFailed)
    assert [(each.child, each.error, each.restarting) for each in failed] == [("a", "ValueError: broken pipe", True)]


async def test_rest_for_one_restarts_only_the_later_ones_stopped_from_the_last() -> None:
    journal: list[str] = []
    log = SignalLog()
    a, b, c, d = (Failable(name, journal=journal) for name in "abcd")
    supervisor = _supervisor(log, *(each.spec() for each in (a, b, c, d)), strategy=Strategy.REST_FOR_ONE)
    async with running(supervisor, log):
        b.fail()
        await log.wait_for(ChildStarted, child="d", incarnation=2)
        assert journal == ["+a", "+b", "+c", "+d", "-b", "-d", "-c", "+b", "+c", "+d"]


async def test_one_for_all_restarts_everybody_in_order() -> None:
    journal: list[str] = []
    log = SignalLog()
    a, b, c = (Failable(name, journal=journal) for name in "abc")
    supervisor = _supervisor(log, *(each.spec() for each in (a, b, c)), strategy=Strategy.ONE_FOR_ALL)
    async with running(supervisor, log):
        b.fail()
        await log.wait_for(ChildStarted, child="c", incarnation=2)
        assert journal == ["+a", "+b", "+c", "-b", "-c", "-a", "+a", "+b", "+c"]


@pytest.mark.parametrize("strategy", ORDERED)
async def test_a_dependent_child_starts_only_when_the_one_before_it_is_up(strategy: Strategy) -> None:
    log, a, b = SignalLog(), Failable("a", comes_up=False), Failable("b")
    supervisor = _supervisor(log, a.spec("transient"), b.spec(), strategy=strategy)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(supervisor.run)
        await anyio.wait_all_tasks_blocked()
        assert _states(supervisor) == {"a": State.STARTING, "b": State.WAITING}
        a.finish()
        await log.wait_for(ChildStarted, child="b")
        assert _states(supervisor) == {"a": State.DONE, "b": State.RUNNING}
        supervisor.stop()


@pytest.mark.parametrize("strategy", list(Strategy))
async def test_children_stop_in_reverse_order(strategy: Strategy) -> None:
    journal: list[str] = []
    log = SignalLog()
    specs = [Failable(name, journal=journal).spec() for name in "abc"]
    async with running(_supervisor(log, *specs, strategy=strategy), log):
        journal.clear()
    assert journal == ["-c", "-b", "-a"]


async def test_a_child_that_fails_before_it_is_up_is_a_failed_child() -> None:
    log, a = SignalLog(), Failable("a", comes_up=False)
    a.fail()
    supervisor = _supervisor(log, a.spec())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(supervisor.run)
        failed = await log.wait_for(ChildFailed, child="a")
        assert not failed.was_started
        a.comes_up = True
        await log.wait_for(SupervisorStarted)
        supervisor.stop()


async def test_a_late_word_of_an_earlier_start_does_not_make_the_present_one_started() -> None:
    log = SignalLog()
    earlier: list[Started] = []
    after_late_word: list[State] = []

    async def tells_late(started: Started) -> None:
        earlier.append(started)
        if len(earlier) == 1:
            raise ConnectionError("first start")
        earlier[0]()
        await anyio.wait_all_tasks_blocked()
        after_late_word.append(supervisor.children()[0].state)
        started()
        await anyio.sleep_forever()

    supervisor = _supervisor(log, ChildSpec(name="a", run=tells_late))
    async with running(supervisor, log):
        await log.wait_for(ChildStarted, child="a", incarnation=2)
        await anyio.wait_all_tasks_blocked()
    assert after_late_word == [State.STARTING]


async def test_a_soft_stop_without_any_time_is_a_hard_one() -> None:
    log, a = SignalLog(), Failable("a", ignores_stop=True)
    with anyio.fail_after(5):
        async with running(_supervisor(log, a.spec(stop_timeout=0.0)), log):
            pass
    assert [each.child for each in log.all(StopTimedOut)] == ["a"]


async def test_a_permanent_child_that_returns_comes_back_and_a_transient_one_is_done() -> None:
    log, a, b = SignalLog(), Failable("a"), Failable("b")
    supervisor = _supervisor(log, a.spec("permanent"), b.spec("transient"))
    async with running(supervisor, log):
        a.finish()
        b.finish()
        await log.wait_for(ChildStarted, child="a", incarnation=2)
        await log.wait_for(ChildDone, child="b", restarting=False)
        assert _states(supervisor) == {"a": State.RUNNING, "b": State.DONE}
    assert b.starts == 1


async def test_a_temporary_child_stays_failed_and_counts_for_nothing() -> None:
    log, a = SignalLog(), Failable("a")
    supervisor = _supervisor(log, a.spec("temporary"), limit=1.0)
    async with running(supervisor, log):
        a.fail()
        await log.wait_for(ChildFailed, child="a", restarting=False)
        (child,) = supervisor.children()
        assert (child.state, child.failures) == (State.FAILED, 0.0)
        assert child.last_error.startswith("RuntimeError")


async def test_a_child_without_work_left_ends_a_supervisor_that_ends_with_its_children() -> None:
    log, a, b = SignalLog(), Failable("a"), Failable("b")
    supervisor = _supervisor(log, a.spec("transient"), b.spec("temporary"), ends_with_children=True)
    a.finish()
    b.fail()
    with anyio.fail_after(5):
        await supervisor.run()


async def test_failures_above_the_limit_escalate_with_the_last_one_as_cause() -> None:
    journal: list[str] = []
    log, a, b = SignalLog(), Failable("a", journal=journal), Failable("b", journal=journal)
    supervisor = _supervisor(log, a.spec(), b.spec(), limit=2.0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_fail_on_each_start, b, log, 3)
        with pytest.raises(GaveUp, match="root gave up: b failed") as raised, anyio.fail_after(5):
            await supervisor.run()
    assert isinstance(raised.value.__cause__, KeyError)
    assert b.starts == 3
    assert not a.running, "siblings are stopped before the supervisor fails to its parent"
    assert log.all(Escalated, child="b")
    assert [each.child for each in log.all(ChildStopped)] == ["a"]


async def _fail_on_each_start(child: Failable, log: SignalLog, times: int) -> None:
    for incarnation in range(1, times + 1):
        await log.wait_for(ChildStarted, child=child.name, incarnation=incarnation)
        child.fail(KeyError("again"))


async def test_the_delay_grows_with_each_failure_of_the_child() -> None:
    log, a = SignalLog(), Failable("a")
    backoff = BackoffOptions(first_seconds=0.001, cap_seconds=0.1)
    supervisor = _supervisor(log, a.spec(), backoff=backoff)
    async with running(supervisor, log):
        await _fail_on_each_start(a, log, 3)
        await log.wait_for(ChildStarted, child="a", incarnation=4)
    assert [each.delay_seconds for each in log.all(BackoffEntered)] == pytest.approx([0.001, 0.002, 0.004])


async def test_a_supervisor_that_gave_up_is_a_failed_child_and_comes_back_with_its_children() -> None:
    log, leaf = SignalLog(), Failable("leaf")
    inner = Supervisor("inner", [leaf.spec()], intensity=IntensityOptions(limit=1.0), backoff=QUICK, emit=log)
    spec = ChildSpec(name="inner", run=inner.run, stop=inner.stop)
    async with running(_supervisor(log, spec), log):
        await _fail_on_each_start(leaf, log, 2)
        failed = await log.wait_for(ChildFailed, supervisor="root", child="inner")
        assert failed.error.startswith("GaveUp")
        await log.wait_for(ChildStarted, supervisor="root", child="inner", incarnation=2)
        assert leaf.running


async def test_a_fatal_error_goes_through_every_parent_at_once() -> None:
    log, leaf, other = SignalLog(), Failable("leaf"), Failable("other")
    inner = Supervisor("inner", [leaf.spec()], backoff=QUICK, emit=log)
    supervisor = _supervisor(log, other.spec(), ChildSpec(name="inner", run=inner.run, stop=inner.stop))
    leaf.fail(ExceptionGroup("from a task group", [Fatal("no such profile")]))
    with pytest.raises(Fatal, match="no such profile"), anyio.fail_after(5):
        await supervisor.run()
    assert (leaf.starts, other.running) == (1, False)
    assert [each.supervisor for each in log.all(Escalated)] == ["inner", "root"]


async def test_a_child_that_ignores_its_soft_stop_is_cancelled_at_its_deadline_and_named() -> None:
    log, a, b = SignalLog(), Failable("a", ignores_stop=True), Failable("b")
    supervisor = _supervisor(log, a.spec(stop_timeout=0.01), b.spec())
    async with running(supervisor, log):
        pass
    assert [each.child for each in log.all(StopTimedOut)] == ["a"]
    assert supervisor.unstopped() == ("a",)
    assert {each.child: each.forced for each in log.all(ChildStopped)} == {"a": True, "b": False}
    assert log.all(SupervisorStopped)[0].unstopped == ("a",)


async def test_a_child_without_a_soft_stop_is_cancelled_at_once_and_that_is_no_fault() -> None:
    log, a = SignalLog(), Failable("a")
    supervisor = _supervisor(log, a.spec(soft=False))
    async with running(supervisor, log):
        pass
    assert a.cancelled_by_us
    assert supervisor.unstopped() == ()
    assert [(each.forced, each.error) for each in log.all(ChildStopped)] == [(False, "")]


async def test_a_soft_stop_that_raises_does_not_keep_its_child_running() -> None:
    log, a = SignalLog(), Failable("a")

    def broken() -> None:
        raise OSError("cannot ask")

    supervisor = _supervisor(log, ChildSpec(name="a", run=a.run, stop=broken))
    with anyio.fail_after(5):
        async with running(supervisor, log):
            pass
    assert a.cancelled_by_us


async def test_a_stop_during_backoff_ends_without_another_start() -> None:
    log, a = SignalLog(), Failable("a")
    supervisor = _supervisor(log, a.spec(), backoff=BackoffOptions(first_seconds=9.0))
    with anyio.fail_after(5):
        async with running(supervisor, log):
            a.fail()
            await log.wait_for(BackoffEntered)
    assert a.starts == 1


async def test_an_error_while_stopping_is_told_and_does_not_restart_the_child() -> None:
    log = SignalLog()

    async def bad_loser(started: Started) -> None:
        started()
        try:
            await anyio.sleep_forever()
        finally:
            raise OSError("lost while closing")

    async with running(_supervisor(log, ChildSpec(name="a", run=bad_loser)), log):
        pass
    assert [each.error for each in log.all(ChildStopped)] == ["OSError: lost while closing"]


def test_two_children_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="must differ, got a, a"):
        _supervisor(SignalLog(), Failable("a").spec(), Failable("a").spec())


def test_the_stop_budget_is_the_sum_for_dependent_children_and_the_longest_for_others() -> None:
    specs = [Failable("a").spec(stop_timeout=2.0), Failable("b").spec(stop_timeout=3.0)]
    assert _supervisor(SignalLog(), *specs).stop_budget() == 3.0
    assert _supervisor(SignalLog(), *specs, strategy=Strategy.REST_FOR_ONE).stop_budget() == 5.0
