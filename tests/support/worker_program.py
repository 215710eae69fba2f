"""One process of a cluster as a program, for the tests that kill, pause and drain real processes.

`python -m tests.support.worker_program ORDER`: ORDER is a `WorkerOrder` as JSON. Prints "up" when it can
claim work; ends as the real workers do (0 drained, 1 gave up, 3 not drained in time, 70 blocked loop).
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import msgspec

from runtime.clock import SystemClock
from runtime.cluster.lease import LeaseOptions
from runtime.errors import RuntimeFault
from runtime.fleet import death_with_parent
from runtime.host import Host
from runtime.signals import Bus
from runtime.stopping import EXIT_GAVE_UP, StopOptions, run_until_stopped
from runtime.store.clients import StoreAddress
from runtime.supervision import Fatal, GaveUp, Unstopped
from runtime.telemetry.loop_lag import LoopLagOptions
from tests.support.hosts import QUICK, QUICK_LEASE, Lister, card, lister, opened, plan_of
from tests.support.waiting import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from runtime.cluster.registry import ProcessCard
    from runtime.entry import Entry
    from runtime.host_options import HostOptions

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

START_SECONDS = 40.0
"""Until a process says that it is up, on a machine that others use as well."""


class WorkerOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker is to run. `act`: what its actor does before it handles an entry (see `Acting`)."""

    url: str
    name: str = ""
    partitions: int = 1
    serves: tuple[str, ...] = ()
    lease: LeaseOptions = QUICK_LEASE
    act: str = ""
    slow_seconds: float = 0.0
    watchdog_seconds: float = 0.0


class Acting(Lister):
    """A lister that misbehaves: '' not at all, `block` stops the loop, `die:ID` dies of one entry."""

    def __init__(self, order: WorkerOrder) -> None:
        """As ordered."""
        self._order = order

    async def before(self, entry: Entry) -> None:
        """Misbehave."""
        if self._order.slow_seconds:
            await asyncio.sleep(self._order.slow_seconds)
        if self._order.act == "block":
            time.sleep(60)  # noqa: ASYNC251  # it is this that the watchdog is for
        if self._order.act == f"die:{entry.event_id}":
            os.kill(os.getpid(), signal.SIGKILL)


def _host(order: WorkerOrder) -> tuple[ProcessCard, HostOptions]:
    options = msgspec.structs.replace(QUICK, lease=order.lease)
    if order.watchdog_seconds:
        loop = LoopLagOptions(interval_seconds=0.05, blocked_seconds=order.watchdog_seconds)
        options = msgspec.structs.replace(options, watchdog=True, loop=loop)
    return card(order.name, order.serves), options


async def work(order: WorkerOrder) -> int:
    """Run one host until a signal comes; the exit code."""
    plan = plan_of(lister(lambda _: Acting(order)), partitions=order.partitions)
    bus, witness = Bus(), Unstopped()
    bus.subscribe(witness)
    own, options = _host(order)
    try:
        async with opened(StoreAddress.parse(order.url), plan, bus=bus) as store:
            host = Host(store, plan, own, options=options, bus=bus, clock=SystemClock())
            report = await run_until_stopped(
                _Up(host), StopOptions(drain_seconds=20.0, cancel_seconds=1.0), emit=bus.emit, witness=witness
            )
            return report.exit_code
    except (GaveUp, Fatal, RuntimeFault) as problem:
        sys.stderr.write(f"{type(problem).__name__}: {problem}\n")
        return EXIT_GAVE_UP


class _Up:
    """The host, telling on its standard output that it is up."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.stop = host.stop

    async def run(self) -> None:
        await self._host.run(lambda: print("up", flush=True))  # noqa: T201  # the protocol of this program


class Worker:
    """Such a process, seen from the test."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        """Made by `worker`."""
        self.process = process

    def kill(self) -> None:
        """End it without a word."""
        self.process.kill()

    def pause(self) -> None:
        """Freeze it (SIGSTOP)."""
        self.process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        """Let it go on (SIGCONT)."""
        self.process.send_signal(signal.SIGCONT)

    def drain(self) -> None:
        """Ask for the end (SIGTERM)."""
        self.process.send_signal(signal.SIGTERM)

    async def ended(self, within: float = PATIENCE) -> int:
        """Its exit code, once it has ended."""
        await until(lambda: self.process.poll() is not None, within=within, what="the worker has ended")
        code = self.process.returncode
        assert isinstance(code, int)
        return code

    def errors(self) -> str:
        """What it wrote to its standard error; it must have ended, so that this does not wait."""
        assert self.process.stderr is not None and self.process.poll() is not None
        return self.process.stderr.read().decode()


@asynccontextmanager
async def worker(order: WorkerOrder, *, wait: bool = True) -> AsyncIterator[Worker]:
    """A worker that is up (unless `wait` is False); killed at the end if it still runs."""
    process = subprocess.Popen(  # noqa: ASYNC220  # the fork must come from the main thread (parent-death signal)
        [sys.executable, "-m", "tests.support.worker_program", msgspec.json.encode(order).decode()],
        cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=death_with_parent(),
    )  # fmt: skip
    assert process.stdout is not None and process.stderr is not None
    os.set_blocking(process.stdout.fileno(), False)
    one = Worker(process)
    try:
        if wait:
            await until(lambda: _said_up(one), what="the worker is up")
        yield one
    finally:
        process.kill()
        process.wait()  # it has been killed: it ends at once
        process.stdout.close()
        process.stderr.close()


def _said_up(one: Worker) -> bool:
    assert one.process.stdout is not None
    if one.process.poll() is not None:
        assert one.process.stderr is not None
        raise RuntimeError(f"the worker ended with {one.process.returncode}: {one.process.stderr.read()!r}")
    return bool(one.process.stdout.read())


if __name__ == "__main__":
    sys.exit(asyncio.run(work(msgspec.json.decode(sys.argv[1], type=WorkerOrder))))
