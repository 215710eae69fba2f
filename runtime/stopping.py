"""How a process ends: signal, soft stop, named deadline, hard stop, report of who did not stop.

    SIGTERM, SIGINT --> service.stop() --> cancel --> leave
                          |                  |          `-- exit 4
                          |                  `-- ended: exit 3; else after cancel_seconds
                          `-- ended: exit 0; else after drain_seconds, or at a second signal

The last step is for tasks that swallow cancellation: the process ends without them and says who they were.
A task that blocks the event loop blocks this too; against that only a parent with SIGKILL helps
(`runtime.fleet`, Kubernetes).
"""

from __future__ import annotations

import os
import signal as os_signals
import sys
import time
from typing import TYPE_CHECKING, Protocol

import anyio
import msgspec

from runtime.signals import Signal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

EXIT_OK = 0
"""Ended by itself, or stopped and drained."""
EXIT_GAVE_UP = 1
"""No restart helped."""
EXIT_USAGE = 2
"""Wrong options or configuration: a restart cannot help."""
EXIT_NOT_DRAINED = 3
"""Stopped, but somebody had to be cancelled or killed; what it had not finished is done again by the next
owner.
"""
EXIT_ABANDONED = 4
"""Stopped without waiting any longer for tasks that swallow cancellation."""

STOP_SIGNALS = (os_signals.SIGTERM, os_signals.SIGINT)


class StopOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The budget of a stop. Its sum must stay below the grace period of whoever sends SIGKILL (Kubernetes:
    30 s).

    drain_seconds: from the signal to the hard stop, s. 20: a batch in hand, its settle with retries, hand-
    over.
    cancel_seconds: from the hard stop to leaving without those that swallow it, s. 3: clean-up that talks
    to a
        store in a shielded scope has its own, shorter deadline.
    """

    drain_seconds: float = 20.0
    cancel_seconds: float = 3.0

    def __post_init__(self) -> None:
        """Refuse negative budgets (ValueError)."""
        if not (self.drain_seconds >= 0 and self.cancel_seconds >= 0):
            raise ValueError("stopping: drain_seconds and cancel_seconds must not be negative")


class StopRequested(Signal, frozen=True):
    """A signal of the operating system asks for the end; `drain_seconds` are left for it."""

    cause: str
    drain_seconds: float


class DrainCutShort(Signal, frozen=True):
    """The drain is over though not everybody stopped: the deadline passed, or a second signal came."""

    cause: str
    alive: tuple[str, ...]


class StopReport(msgspec.Struct, frozen=True):
    """How it ended. `cause`: the signal's name, empty when the service ended by itself; `seconds` since then.

    forced: the whole service was cancelled. unstopped: who ignored its soft stop, as "supervisor/child".
    """

    cause: str
    seconds: float
    forced: bool
    unstopped: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """0 when all drained, else EXIT_NOT_DRAINED."""
        return EXIT_NOT_DRAINED if self.forced or self.unstopped else EXIT_OK

    def __str__(self) -> str:
        """One line for people."""
        how = "cancelled" if self.forced else "stopped"
        who = f"; did not stop in time: {', '.join(self.unstopped)}" if self.unstopped else ""
        return f"{how} {self.seconds:.1f} s after {self.cause or 'its own end'}{who}"


class Service(Protocol):
    """What can be stopped: a `runtime.supervision.Supervisor`, for example."""

    async def run(self) -> None:
        """Work until stopped."""

    def stop(self) -> None:
        """Ask for the end, softly."""


class Witness(Protocol):
    """Knows who did not stop: a `runtime.supervision.unstopped.Unstopped` that listens to the signals."""

    def ignored(self) -> tuple[str, ...]:
        """Who had to be cancelled."""

    def alive(self) -> tuple[str, ...]:
        """Who still runs."""


def leave_now(report: StopReport) -> None:
    """The end for tasks that swallow cancellation: one line on stderr, then the process is gone."""
    sys.stderr.write(f"claimstream: {report}; ending the process without them\n")
    sys.stderr.flush()
    os._exit(EXIT_ABANDONED)


async def run_until_stopped(
    service: Service,
    options: StopOptions,
    *,
    emit: Callable[[Signal], None],
    witness: Witness,
    abandon: Callable[[StopReport], None] = leave_now,
    signals: Sequence[os_signals.Signals] = STOP_SIGNALS,
) -> StopReport:
    """Run the service on the main thread until it ends or a signal stops it. Its own errors come out as
    they are.

    From the first line on the signals mean a stop, also while the service is still starting.
    """
    stop = _Stop(service, options, emit, witness, abandon)
    error: Exception | None = None
    with anyio.open_signal_receiver(*signals) as received:
        async with anyio.create_task_group() as watch:
            watch.start_soon(stop.watch, received)
            try:
                with stop.hard:
                    await service.run()
            except Exception as failure:  # raised below, outside the task group, so that it stays itself
                error = failure
            watch.cancel_scope.cancel()
    if error is not None:
        raise error
    return stop.report(witness.ignored())


class _Stop:
    """One stop: what caused it, since when it runs, how far it has come."""

    def __init__(
        self,
        service: Service,
        options: StopOptions,
        emit: Callable[[Signal], None],
        witness: Witness,
        abandon: Callable[[StopReport], None],
    ) -> None:
        self.hard = anyio.CancelScope()
        self._service = service
        self._options = options
        self._emit = emit
        self._witness = witness
        self._abandon = abandon
        self._cause = ""
        self._since = time.monotonic()

    async def watch(self, received: AsyncIterator[os_signals.Signals]) -> None:
        """Wait for the first signal, then go through the steps; cancelled as soon as the service ends."""
        self._begin((await anext(received)).name)
        why = f"not over after {self._options.drain_seconds:g} s"
        with anyio.move_on_after(self._options.drain_seconds):
            why = f"{(await anext(received)).name} while draining"
        self._emit(DrainCutShort(why, self._witness.alive()))
        self.hard.cancel()
        await anyio.sleep(self._options.cancel_seconds)
        self._abandon(self.report(self._witness.alive()))

    def _begin(self, cause: str) -> None:
        self._cause = cause
        self._since = time.monotonic()
        self._emit(StopRequested(cause, self._options.drain_seconds))
        self._service.stop()

    def report(self, unstopped: tuple[str, ...]) -> StopReport:
        seconds = time.monotonic() - self._since if self._cause else 0.0
        return StopReport(self._cause, seconds, self.hard.cancel_called, unstopped)
