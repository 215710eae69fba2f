"""A parent and real worker processes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import msgspec
import pytest

from runtime.fleet import (
    LINK_VARIABLE,
    Fleet,
    Misconfigured,
    WorkerEnded,
    WorkerLaunched,
    run_fleet,
    take_parent_link,
    watch_parent,
)
from runtime.stopping import EXIT_GAVE_UP, EXIT_NOT_DRAINED, EXIT_OK, EXIT_USAGE
from runtime.supervision import BackoffEntered, ChildStarted, Fatal
from runtime.testing.signal_log import SignalLog
from tests.support.fleet_programs import QUICK, command
from tests.support.waiting import PATIENCE, until_sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _programs_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def _runs(pid: int) -> bool:
    """Whether the process exists and is not just waiting to be buried."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


async def _ready(log: SignalLog, worker: int, incarnation: int = 1) -> None:
    await log.wait_for(ChildStarted, supervisor=f"worker-{worker}", incarnation=incarnation)


async def _run_and(log: SignalLog, what: Callable[[], object], *words: str, processes: int = 1) -> int:
    """Run a fleet; when all workers are ready do `what` once. Returns the parent's exit code."""
    codes: list[int] = []

    async def run() -> None:
        codes.append(await run_fleet(command(*words), processes, QUICK, emit=log))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        for worker in range(processes):
            await _ready(log, worker)
        what()
    return codes[0]


async def test_a_signal_is_passed_on_and_all_workers_drain_with_exit_code_zero() -> None:
    log = SignalLog()
    code = await _run_and(log, lambda: os.kill(os.getpid(), signal.SIGTERM), "serve", processes=2)
    assert code == EXIT_OK
    assert sorted((each.worker, each.code, each.asked) for each in log.all(WorkerEnded)) == [
        (0, 0, True),
        (1, 0, True),
    ]


async def test_a_worker_that_dies_is_started_again_and_the_others_are_left_alone() -> None:
    log = SignalLog()
    fleet = Fleet(command("serve"), 2, QUICK, emit=log)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(fleet.run)
        await _ready(log, 0)
        await _ready(log, 1)
        os.kill(fleet.pids()[0], signal.SIGKILL)
        await log.wait_for(BackoffEntered, supervisor="worker-0")
        await _ready(log, 0, incarnation=2)
        assert len(log.all(WorkerLaunched, worker=1)) == 1
        fleet.stop()
    assert fleet.drained()


async def test_a_worker_that_died_once_may_still_end_with_exit_code_zero(tmp_path: Path) -> None:
    log, codes = SignalLog(), []

    async def run() -> None:
        codes.append(await run_fleet(command("crash-at-first", str(tmp_path / "mark")), 1, QUICK, emit=log))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        await _ready(log, 0, incarnation=2)
        os.kill(os.getpid(), signal.SIGINT)
    assert codes == [EXIT_OK]
    assert [each.code for each in log.all(WorkerEnded)] == [-signal.SIGKILL, 0]


async def test_a_worker_that_cannot_run_ends_the_fleet_with_its_own_exit_code() -> None:
    log = SignalLog()
    assert await run_fleet(command("exit", "7"), 1, QUICK, emit=log) == EXIT_GAVE_UP
    assert [each.code for each in log.all(WorkerEnded)] == [7, 7, 7]


async def test_a_worker_that_refuses_its_configuration_is_not_started_again() -> None:
    log = SignalLog()
    assert await run_fleet(command("exit", "2"), 1, QUICK, emit=log) == EXIT_USAGE
    assert len(log.all(WorkerLaunched)) == 1


async def test_workers_that_all_end_by_themselves_end_the_fleet() -> None:
    assert await run_fleet(command("exit", "0"), 2, QUICK, emit=SignalLog()) == EXIT_OK


async def test_a_program_that_does_not_exist_is_a_fatal_error_in_words() -> None:
    with pytest.raises(Misconfigured, match="cannot start /nowhere/worker: No such file") as raised:
        await Fleet(["/nowhere/worker"], 1, QUICK, emit=SignalLog()).run()
    assert isinstance(raised.value, Fatal)


async def test_a_worker_that_does_not_drain_is_killed_at_the_deadline_and_the_exit_code_tells() -> None:
    log = SignalLog()
    impatient = msgspec.structs.replace(QUICK, drain_seconds=0.1)
    codes: list[int] = []

    async def run() -> None:
        codes.append(await run_fleet(command("deaf"), 1, impatient, emit=log))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        await _ready(log, 0)
        os.kill(os.getpid(), signal.SIGTERM)
    assert codes == [EXIT_NOT_DRAINED]
    assert [each.code for each in log.all(WorkerEnded)] == [-signal.SIGKILL]


async def test_a_fleet_whose_task_is_cancelled_leaves_no_process() -> None:
    log = SignalLog()
    fleet = Fleet(command("deaf"), 2, QUICK, emit=log)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(fleet.run)
        await _ready(log, 0)
        await _ready(log, 1)
        pids = list(fleet.pids().values())
        tasks.cancel_scope.cancel()
    assert len(pids) == 2
    assert not [pid for pid in pids if _runs(pid)]


def test_a_fleet_under_uvloop_restarts_and_drains_too(tmp_path: Path) -> None:
    log = SignalLog()

    async def scenario() -> bool:
        fleet = Fleet(command("crash-at-first", str(tmp_path / "mark")), 1, QUICK, emit=log)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(fleet.run)
            await _ready(log, 0, incarnation=2)
            fleet.stop()
        return fleet.drained()

    assert anyio.run(scenario, backend_options={"use_uvloop": True})
    assert [each.code for each in log.all(WorkerEnded)] == [-signal.SIGKILL, 0]


@contextmanager
def _parent(*words: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(command(*words), stdout=subprocess.PIPE, text=True, cwd=ROOT) as parent:
        try:
            yield parent
        finally:
            parent.kill()


def _pids_of_ready_workers(parent: subprocess.Popen[str], processes: int) -> list[int]:
    assert parent.stdout is not None
    pids: list[int] = []
    ready = 0
    for line in parent.stdout:
        event: dict[str, Any] = json.loads(line)
        if event["type"] == "WorkerLaunched":
            pids.append(event["pid"])
        ready += event["type"] == "ChildStarted" and event["supervisor"].startswith("worker-")
        if ready == processes:
            break
    return pids


@pytest.mark.parametrize(
    "words",
    [("parent", "serve", "2"), ("parent", "deaf", "2"), ("parent-in-a-thread", "2")],
    ids=["workers that listen", "workers that will not stop", "without the kernel's help"],
)
def test_no_worker_outlives_a_parent_that_is_killed(words: tuple[str, ...]) -> None:
    with _parent(*words) as parent:
        pids = _pids_of_ready_workers(parent, 2)
        assert len(pids) == 2
        assert all(_runs(pid) for pid in pids)
        try:
            parent.kill()
            parent.wait(PATIENCE)
            until_sync(lambda: not any(_runs(pid) for pid in pids), what="no worker runs")
        finally:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def test_a_second_signal_to_the_parent_kills_workers_that_will_not_stop() -> None:
    with _parent("parent", "deaf", "1") as parent:
        (pid,) = _pids_of_ready_workers(parent, 1)
        parent.send_signal(signal.SIGINT)
        assert parent.stdout is not None
        next(line for line in parent.stdout if "StopRequested" in line)
        parent.send_signal(signal.SIGINT)
        assert parent.wait(PATIENCE) == EXIT_NOT_DRAINED
        assert not _runs(pid)


async def test_the_end_of_the_parent_is_told_once_and_a_ready_worker_before_it_is_heard() -> None:
    ours, theirs = socket.socketpair()
    gone: list[str] = []
    with ours, theirs:
        environment = {LINK_VARIABLE: str(theirs.fileno())}
        link = take_parent_link(environment)
        assert link is not None
        link.report_ready()
        assert ours.recv(8) == b"R"
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch_parent, link.fd, lambda: gone.append("gone"))
            await anyio.wait_all_tasks_blocked()
            assert gone == []
            ours.close()
        link.report_ready()
    assert gone == ["gone"]
    assert environment == {}, "the link is for this process, not for its children"


@pytest.mark.parametrize("value", ["", "nonsense", "999999", "0"])
def test_without_a_fleet_there_is_no_link(value: str) -> None:
    assert take_parent_link({LINK_VARIABLE: value}) is None
