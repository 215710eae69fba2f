"""The event loop's lag is measured, and a loop that is blocked is noticed from outside of it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from runtime.telemetry.loop_lag import BLOCKED_EXIT, LoopLag, LoopLagOptions, LoopWatchdog
from tests.support.telemetry import running
from tests.support.waiting import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import Iterator

FAST = LoopLagOptions(interval_seconds=0.01, blocked_seconds=0.25)

PROGRAM = """
import asyncio, re, sys, time
from runtime.telemetry.loop_lag import LoopLag, LoopLagOptions, LoopWatchdog

options = LoopLagOptions(interval_seconds=0.02, blocked_seconds=0.5, lock_blocked_seconds=float(sys.argv[2]))
watchdog = LoopWatchdog(options=options)
lag = LoopLag(lambda seconds: None, beat=watchdog.beat, options=options)

def a_handler_that_blocks():
    time.sleep(60)

def a_handler_that_keeps_the_interpreter_lock():
    re.match("(a+)+$", "a" * 60 + "b")

async def main():
    task = asyncio.create_task(lag.run(lambda: None))
    watchdog.start()
    await asyncio.sleep(0.1)
    print("up", flush=True)
    if sys.argv[1] == "block":
        a_handler_that_blocks()
    elif sys.argv[1] == "lock":
        a_handler_that_keeps_the_interpreter_lock()
    else:
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    lag.stop()
    await task
    watchdog.stop()

asyncio.run(main())
"""


@contextmanager
def program(behaviour: str, lock_seconds: float = 0.0) -> Iterator[subprocess.Popen[str]]:
    """The program runs inside and is gone after, also when the watchdog did not do its work."""
    started = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, behaviour, str(lock_seconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with started:
        try:
            yield started
        finally:
            started.kill()


def test_a_blocked_loop_ends_the_process_and_shows_what_blocked_it() -> None:
    with program("block") as ran:
        _, errors = ran.communicate(timeout=PATIENCE)
    assert ran.returncode == BLOCKED_EXIT
    assert "the event loop did not answer" in errors
    assert "a_handler_that_blocks" in errors


def test_a_handler_that_keeps_the_interpreter_lock_ends_the_process_when_the_guard_is_on() -> None:
    with program("lock", 1.0) as ran:
        _, errors = ran.communicate(timeout=PATIENCE)
    assert ran.returncode != 0
    assert "a_handler_that_keeps_the_interpreter_lock" in errors


def test_a_process_that_was_stopped_as_a_whole_is_not_taken_for_blocked() -> None:
    with program("wait") as ran:
        assert ran.stdout is not None
        assert ran.stdout.readline() == "up\n"
        for _ in range(3):
            ran.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, ran.pid, os.WSTOPPED)
            time.sleep(0.8)  # longer than blocked_seconds: this time is what is tested, not a condition
            ran.send_signal(signal.SIGCONT)
        _, errors = ran.communicate("\n", timeout=PATIENCE)
    assert (ran.returncode, errors) == (0, "")


async def test_a_late_loop_is_measured() -> None:
    lags: list[float] = []
    async with running(LoopLag(lags.append, options=FAST)):
        await until(lambda: len(lags) >= 2, what="two measurements")
        quiet = min(lags)
        lags.clear()
        time.sleep(0.2)  # noqa: ASYNC251 - blocking the loop is what is tested
        await until(lambda: lags, what="a measurement after the block")
    assert quiet < 0.1
    assert max(lags) > 0.1


async def test_a_blocked_loop_is_noticed_while_it_is_blocked() -> None:
    noticed = threading.Event()
    silent: list[float] = []

    def blocked(seconds: float) -> None:
        silent.append(seconds)
        noticed.set()

    watchdog = LoopWatchdog(blocked, options=FAST)
    async with running(LoopLag(lambda seconds: None, beat=watchdog.beat, options=FAST)):
        watchdog.start()
        assert noticed.wait(PATIENCE), "nobody noticed"  # blocks this very loop until it is noticed
    watchdog.stop()
    assert silent[0] >= FAST.blocked_seconds


async def test_a_loop_that_runs_is_left_alone() -> None:
    blocked: list[float] = []
    watchdog = LoopWatchdog(blocked.append, options=FAST)
    beats = 0

    def beat() -> None:
        nonlocal beats
        beats += 1
        watchdog.beat()

    async with running(LoopLag(lambda seconds: None, beat=beat, options=FAST)):
        watchdog.start()
        await until(lambda: beats > 50, what="half a second of beats")
        watchdog.stop()
    assert blocked == []


def test_the_watchdog_may_be_started_and_stopped_in_any_order() -> None:
    watchdog = LoopWatchdog(lambda seconds: None, options=FAST)
    watchdog.stop()
    watchdog.start()
    watchdog.start()
    assert [thread.name for thread in threading.enumerate()].count("loop-watchdog") == 1
    watchdog.stop()
    watchdog.stop()
    assert "loop-watchdog" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.parametrize("times", [1, 2])
async def test_a_stop_before_the_start_ends_the_next_run_only(times: int) -> None:
    lags: list[float] = []
    lag = LoopLag(lags.append, options=FAST)
    for _ in range(times):
        lag.stop()
    async with asyncio.timeout(PATIENCE):
        await lag.run(lambda: None)
    assert lags == []
    async with running(lag):
        await until(lambda: lags, what="a measurement in the run after")
