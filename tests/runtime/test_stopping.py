"""Signals of the operating system to this very process, and what becomes of a service."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import anyio
import pytest

from runtime.stopping import (
    EXIT_NOT_DRAINED,
    EXIT_OK,
    DrainCutShort,
    StopOptions,
    StopReport,
    StopRequested,
    run_until_stopped,
)
from runtime.supervision import (
    ChildSpec,
    ChildStarted,
    Fatal,
    Started,
    Supervisor,
    SupervisorStarted,
    Unstopped,
)
from runtime.testing.failable import Failable
from runtime.testing.signal_log import SignalLog

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.signals import Signal


class _Process:
    """What a process is made of here: a tree, a log of signals, a witness."""

    def __init__(self, *specs: ChildSpec, options: StopOptions | None = None) -> None:
        self.log = SignalLog()
        self.witness = Unstopped()
        self.options = options or StopOptions()
        self.supervisor = Supervisor("root", specs, emit=self.emit)
        self.abandoned: list[StopReport] = []
        self.on_abandon: Callable[[], None] = lambda: None

    def emit(self, event: Signal) -> None:
        self.witness(event)
        self.log(event)

    def _abandon(self, report: StopReport) -> None:
        self.abandoned.append(report)
        self.on_abandon()

    async def run(self) -> StopReport:
        return await run_until_stopped(
            self.supervisor, self.options, emit=self.emit, witness=self.witness, abandon=self._abandon
        )

    async def run_and_signal(self, *numbers: signal.Signals) -> StopReport:
        """Send the signals, each when the one before has been taken note of."""
        reports: list[StopReport] = []

        async def run() -> None:
            reports.append(await self.run())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            await self.log.wait_for(SupervisorStarted)
            for number in numbers:
                os.kill(os.getpid(), number)
                await self.log.wait_for(StopRequested)
        return reports[0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_softly_and_a_drained_process_ends_with_zero(number: signal.Signals) -> None:
    a = Failable("a")
    report = await _Process(a.spec()).run_and_signal(number)
    assert (report.cause, report.forced, report.unstopped) == (number.name, False, ())
    assert report.exit_code == EXIT_OK
    assert (a.stops_asked, a.cancelled_by_us) == (1, False)


async def test_after_the_deadline_the_service_is_cancelled_and_the_report_names_who_did_not_stop() -> None:
    slow, quick = Failable("slow", ignores_stop=True), Failable("quick")
    process = _Process(slow.spec(stop_timeout=60.0), quick.spec(), options=StopOptions(drain_seconds=0.02))
    report = await process.run_and_signal(signal.SIGTERM)
    assert slow.cancelled_by_us
    assert (report.forced, report.unstopped) == (True, ("root/slow",))
    assert report.exit_code == EXIT_NOT_DRAINED
    assert process.log.all(DrainCutShort)[0].alive == ("root/slow",)
    assert "did not stop in time: root/slow" in str(report)


async def test_a_child_cancelled_at_its_own_deadline_is_in_the_report_too() -> None:
    process = _Process()
    inner = Supervisor("inner", [Failable("slow", ignores_stop=True).spec(stop_timeout=0.01)], emit=process.emit)
    process.supervisor.add(ChildSpec(name="inner", run=inner.run, stop=inner.stop))
    report = await process.run_and_signal(signal.SIGTERM)
    assert (report.forced, report.unstopped) == (False, ("inner/slow",))
    assert report.exit_code == EXIT_NOT_DRAINED


async def test_a_second_signal_cuts_the_drain_short() -> None:
    slow = Failable("slow", ignores_stop=True)
    process = _Process(slow.spec(stop_timeout=60.0))
    with anyio.fail_after(5):
        report = await process.run_and_signal(signal.SIGTERM, signal.SIGINT)
    assert report.forced
    assert process.log.all(DrainCutShort)[0].cause == "SIGINT while draining"


async def test_a_signal_before_the_service_is_up_stops_it() -> None:
    a = Failable("a", comes_up=False)
    process = _Process(a.spec())
    reports: list[StopReport] = []

    async def run() -> None:
        reports.append(await process.run())

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            await anyio.wait_all_tasks_blocked()
            os.kill(os.getpid(), signal.SIGTERM)
    assert reports[0].exit_code == EXIT_OK


async def test_a_task_that_swallows_cancellation_is_abandoned_by_name() -> None:
    release = anyio.Event()

    async def swallows(started: Started) -> None:
        started()
        while not release.is_set():
            try:
                await release.wait()
            except anyio.get_cancelled_exc_class():
                # What nobody should write; the pause lets the loop live, as a task that is merely slow would.
                with anyio.CancelScope(shield=True):
                    await release.wait()

    spec = ChildSpec(name="stubborn", run=swallows, stop_timeout=0.01)
    process = _Process(spec, options=StopOptions(drain_seconds=0.02, cancel_seconds=0.02))
    process.on_abandon = release.set
    with anyio.fail_after(5):
        await process.run_and_signal(signal.SIGTERM)
    assert [report.unstopped for report in process.abandoned] == [("root/stubborn",)]


async def test_a_service_that_ends_by_itself_ends_the_process_with_its_own_error() -> None:
    a = Failable("a")
    a.fail(Fatal("no such profile"))
    process = _Process(a.spec())
    with pytest.raises(Fatal, match="no such profile"), anyio.fail_after(5):
        await process.run()
    b = Failable("b")
    process = _Process(b.spec())
    process.supervisor.stop()
    report = await process.run()
    assert (report.cause, report.exit_code) == ("", EXIT_OK)


async def test_a_cancellation_from_outside_passes_through() -> None:
    a = Failable("a")
    process = _Process(a.spec())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(process.run)
        await process.log.wait_for(ChildStarted)
        tasks.cancel_scope.cancel()
    assert a.cancelled_by_us
    assert process.log.all(StopRequested) == []


def test_under_uvloop_a_signal_stops_softly_too() -> None:
    a = Failable("a")

    async def scenario() -> StopReport:
        return await _Process(a.spec()).run_and_signal(signal.SIGTERM)

    assert anyio.run(scenario, backend_options={"use_uvloop": True}).exit_code == EXIT_OK
