"""A process that has imported everything and forks a child for each order: a start costs milliseconds, not a second.

Lines on stdin: an `Order` as JSON. Lines on stdout: `born NAME PID`, `died NAME CODE` (negative: a signal). When stdin
ends, everything ends.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import sys

import msgspec

from runtime.fleet import death_with_parent
from tests.chaos.crash_points.children import run_child
from tests.chaos.crash_points.orders import Order

LOOK_SECONDS = 0.01


def main() -> None:
    """Fork and reap until told to end."""
    living: dict[int, str] = {}
    rest = b""
    try:
        while True:
            ready, _, _ = select.select([0], [], [], LOOK_SECONDS)
            if ready:
                read = os.read(0, 65536)
                if not read:
                    return
                *lines, rest = (rest + read).split(b"\n")
                for line in lines:
                    order = msgspec.json.decode(line, type=Order)
                    pid = bear(order)
                    living[pid] = order.name
                    say(f"born {order.name} {pid}")
            reap(living)
    finally:
        for pid in living:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def bear(order: Order) -> int:
    """Fork a child that never comes back here; its process id."""
    die_with_us = death_with_parent()
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        if die_with_us is not None:
            die_with_us()
        errors = os.open(order.errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        os.dup2(errors, 1)
        os.dup2(errors, 2)
        code = asyncio.run(run_child(order))
    except BaseException as problem:  # whatever it was: nothing of this process may run on
        os.write(2, f"{type(problem).__name__}: {problem}\n".encode())
    finally:
        os._exit(code)


def reap(living: dict[int, str]) -> None:
    """Tell who has died."""
    while living:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        say(f"died {living.pop(pid)} {os.waitstatus_to_exitcode(status)}")


def say(line: str) -> None:
    """Tell the test."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
