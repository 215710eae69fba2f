"""How late the event loop wakes up, and a watchdog for the loop that does not wake up at all.

`LoopLag` runs on the loop; `LoopWatchdog` is a thread, because a blocked loop cannot notice itself. The
watchdog counts its own short sleeps and not the clock: a process that was stopped as a whole (SIGSTOP, a
laptop's lid, a starved container) wakes up with a late clock, and ending it then would punish the innocent.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, TextIO

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable


class LoopLagOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options of both, in seconds."""

    #: Pause between two measurements: four in a second cost nothing and see every block that matters.
    interval_seconds: float = 0.25
    #: A loop that is silent for longer is blocked. Above the slowest honest handler step; below lease expiry
    #: would be too strict, the position is the fence.
    blocked_seconds: float = 10.0
    #: When even the watchdog thread cannot run (a C extension that keeps the interpreter lock), end the
    #: process after so long. 0 switches it off, the default: it goes by the clock, so a SIGSTOP that is
    #: longer ends it.
    lock_blocked_seconds: float = 0.0


#: Exit status of a process whose loop was blocked: EX_SOFTWARE of sysexits.h.
BLOCKED_EXIT = 70


class LoopLag:
    """Measures the lag of the running loop; a supervised service."""

    def __init__(
        self,
        observe: Callable[[float], None],
        *,
        beat: Callable[[], None] | None = None,
        options: LoopLagOptions | None = None,
    ) -> None:
        """`observe` gets each lag in seconds; `beat` is called as often, for the watchdog and `Progress`."""
        self._observe = observe
        self._beat = beat
        self._options = options or LoopLagOptions()
        self._stop = asyncio.Event()

    async def run(self, started: Callable[[], None]) -> None:
        """Measure until `stop`."""
        interval = self._options.interval_seconds
        try:
            self._tell_beat()
            started()
            while not self._stop.is_set():
                before = time.monotonic()
                await self._pause(interval)
                if not self._stop.is_set():
                    self._observe(max(0.0, time.monotonic() - before - interval))
                self._tell_beat()
        finally:
            self._stop.clear()

    def stop(self) -> None:
        """End soon; legal before the start and twice."""
        self._stop.set()

    def _tell_beat(self) -> None:
        if self._beat is not None:
            self._beat()

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            return


class LoopWatchdog:
    """A thread that calls `on_blocked` when the loop has not called `beat` for `blocked_seconds`."""

    def __init__(
        self,
        on_blocked: Callable[[float], None] | None = None,
        *,
        options: LoopLagOptions | None = None,
        stderr: TextIO | None = None,
    ) -> None:
        """`on_blocked` gets the seconds of silence, in the watchdog's thread; the default ends the process.

        Before it all stacks are written to `stderr` (default `sys.stderr`), so that one sees what blocked.
        """
        self._on_blocked = on_blocked or exit_blocked
        self._options = options or LoopLagOptions()
        self._stderr = stderr
        self._beats = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def beat(self) -> None:
        """The loop is alive. Cheap, from the loop's thread."""
        self._beats += 1

    def start(self) -> None:
        """Watch from now; the first `beat` is due within `blocked_seconds`. A second start does nothing."""
        if self._thread is None:
            self._stop.clear()
            self._thread = threading.Thread(target=self._watch, name="loop-watchdog", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop watching; legal before the start and twice. Waits for the thread, at most one short sleep."""
        self._stop.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=self._tick() * 4)

    def _tick(self) -> float:
        return min(1.0, self._options.blocked_seconds / 5)

    def _watch(self) -> None:
        tick, seen, silent = self._tick(), -1, 0.0
        while not self._sleep(tick):
            self._arm_lock_guard()
            if self._beats != seen:
                seen, silent = self._beats, 0.0
                continue
            silent += tick
            if silent >= self._options.blocked_seconds:
                self._report(silent)
                return
        self._disarm_lock_guard()

    def _sleep(self, seconds: float) -> bool:
        """One tick; True when asked to stop."""
        return self._stop.wait(seconds)

    def _report(self, silent: float) -> None:
        out = self._stderr or sys.stderr
        out.write(f"claimstream: the event loop did not answer for {silent:.0f} s; stacks of all threads:\n")
        out.flush()
        with contextlib.suppress(OSError, ValueError, AttributeError):  # a stream without a file descriptor
            faulthandler.dump_traceback(file=out, all_threads=True)
        self._disarm_lock_guard()
        self._on_blocked(silent)

    def _arm_lock_guard(self) -> None:
        if self._options.lock_blocked_seconds > 0:
            out = self._stderr or sys.stderr
            faulthandler.dump_traceback_later(self._options.lock_blocked_seconds, exit=True, file=out)

    def _disarm_lock_guard(self) -> None:
        if self._options.lock_blocked_seconds > 0:
            faulthandler.cancel_dump_traceback_later()


def exit_blocked(silent: float) -> None:
    """End the process at once with `BLOCKED_EXIT`: nothing on a blocked loop can be stopped in order."""
    os._exit(BLOCKED_EXIT)
