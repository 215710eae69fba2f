"""One worker of a fleet: its supervisor, its process, and how that one ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from typing import TYPE_CHECKING

import anyio
import msgspec

from runtime.backoff import BackoffOptions
from runtime.fleet.link import LINK_VARIABLE, WORKER_VARIABLE, death_with_parent, wait_ready
from runtime.signals import Signal
from runtime.stopping import EXIT_USAGE
from runtime.supervision import ChildSpec, Fatal, GaveUp, IntensityOptions, Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runtime.supervision import Started


class FleetOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How patient the parent is.

    drain_seconds: from SIGTERM to SIGKILL for each worker, s. 25: above a worker's own budget (StopOptions:
    20 + 3),
        below a pod's grace period of 30.
    kill_seconds: how long a killed process may take to disappear, s. 2: the kernel frees its memory.
    backoff: between the starts of one worker; from 0.5 s, because starting Python costs about that.
    intensity: of one worker.
    """

    drain_seconds: float = 25.0
    kill_seconds: float = 2.0
    backoff: BackoffOptions = BackoffOptions(first_seconds=0.5, cap_seconds=10.0)
    intensity: IntensityOptions = IntensityOptions()


class WorkerLaunched(Signal, frozen=True):
    """A process runs; that it can do work is told by the ChildStarted of its supervisor."""

    worker: int
    pid: int


class WorkerEnded(Signal, frozen=True):
    """A process is gone. `code` as in subprocess: negative is the signal that ended it; `asked`: by us."""

    worker: int
    pid: int
    code: int
    asked: bool


class WorkerFailed(Exception):
    """A worker process ended with another exit code than 0."""

    def __init__(self, worker: int, code: int) -> None:
        what = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"exited with {code}"
        super().__init__(f"worker {worker} {what}")
        self.worker = worker
        self.code = code


class Misconfigured(Fatal):
    """A worker process refused its configuration (exit code 2); it has said why itself."""


class Worker:
    """One worker: its supervisor, and the process that runs at present."""

    def __init__(
        self,
        index: int,
        argv: Sequence[str],
        environment: Mapping[str, str],
        options: FleetOptions,
        emit: Callable[[Signal], None],
    ) -> None:
        self.index = index
        self.clean = True
        self._argv = tuple(argv)
        self._environment = dict(environment)
        self._options = options
        self._emit = emit
        self._process: asyncio.subprocess.Process | None = None
        self._asked = False
        self._ready = False
        self._supervisor = Supervisor(
            f"worker-{index}",
            [
                ChildSpec(
                    name="process",
                    run=self._run,
                    restart="transient",
                    stop=self._terminate,
                    stop_timeout=options.drain_seconds,
                )
            ],
            intensity=options.intensity,
            backoff=options.backoff,
            emit=emit,
            ends_with_children=True,
        )

    @property
    def pid(self) -> int | None:
        """Of its process, None while none runs."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    def spec(self) -> ChildSpec:
        """Its place in the fleet. `clean` says afterwards whether its last process ended with 0."""
        timeout = self._options.drain_seconds + self._options.kill_seconds
        return ChildSpec(
            name=self._supervisor.name,
            run=self._run_or_end_the_fleet,
            restart="transient",
            stop=self._supervisor.stop,
            stop_timeout=timeout,
        )

    async def _run_or_end_the_fleet(self, started: Started) -> None:
        try:
            await self._supervisor.run(started)
        except GaveUp as gave_up:
            raise Fatal(str(gave_up)) from gave_up

    async def _run(self, started: Started) -> None:
        """One process from launch to end; killed when this call is cancelled."""
        self._ready = False
        ours, theirs = socket.socketpair()
        with ours, theirs:
            process = self._process = await self._launch(theirs)
            theirs.close()
            self._emit(WorkerLaunched(self.index, process.pid))
            if self._asked:
                _send(process, signal.SIGTERM)
            try:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._await_ready, ours, started)
                    await process.wait()
                    tasks.cancel_scope.cancel()
            finally:
                code = await self._bury(process)
        self._judge(code)

    async def _launch(self, link: socket.socket) -> asyncio.subprocess.Process:
        environment = {
            **os.environ,
            **self._environment,
            WORKER_VARIABLE: str(self.index),
            LINK_VARIABLE: str(link.fileno()),
        }
        try:
            return await asyncio.create_subprocess_exec(
                *self._argv,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=(link.fileno(),),
                start_new_session=True,
                preexec_fn=death_with_parent(),
            )
        except (FileNotFoundError, PermissionError) as error:
            raise Misconfigured(f"cannot start {self._argv[0]}: {error.strerror}") from error

    async def _await_ready(self, link: socket.socket, started: Started) -> None:
        if await wait_ready(link):
            self._ready = True
            started()

    async def _bury(self, process: asyncio.subprocess.Process) -> int:
        """Nothing of it may be left, also when this task is being cancelled."""
        _send(process, signal.SIGKILL)
        with anyio.CancelScope(shield=True):
            code = await process.wait()
        self._emit(WorkerEnded(self.index, process.pid, code, self._asked))
        # One that was ended before it could do work had nothing to drain, and no handler for the signal yet.
        unborn = self._asked and not self._ready and code == -signal.SIGTERM
        self.clean = code == 0 or unborn
        return 0 if unborn else code

    def _judge(self, code: int) -> None:
        if code == EXIT_USAGE and not self._asked:
            raise Misconfigured(f"worker {self.index} refused its configuration")
        if code != 0:
            raise WorkerFailed(self.index, code)

    def _terminate(self) -> None:
        self._asked = True
        if self._process is not None:
            _send(self._process, signal.SIGTERM)


def _send(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    """Signal a process unless it is known to have ended.

    Not by `process.send_signal`: that one looks first whether the process has ended and may take its exit
    code away from asyncio's watcher, which then reports 255.
    """
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)
