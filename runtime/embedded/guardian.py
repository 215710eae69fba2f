"""Stands between us and the server where the kernel has no parent-death signal (macOS): ends it when we end.

Run as a program, `guardian.py PIPE SECONDS COMMAND ...`: starts the command, forwards SIGTERM and SIGINT to
it, and when PIPE breaks, because its writer died in whatever way, sends SIGTERM and after SECONDS SIGKILL.
Ends as the command ended. Only the standard library, and no import of this package: it starts in a bare
interpreter.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType


def main(pipe: int, seconds: float, words: list[str]) -> int:
    """Run the command until it or the writer of the pipe ends; give the exit status of the command."""
    ended, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    inherited = [int(name) for name in os.listdir("/dev/fd") if name.isdigit() and _is_inherited(int(name))]
    keep = [file for file in inherited if file not in (pipe, ended, wake)]
    signal.signal(signal.SIGCHLD, lambda *_: None)
    child = subprocess.Popen(words, pass_fds=keep)

    def forward(signum: int, _frame: FrameType | None) -> None:
        child.send_signal(signum)

    signal.signal(signal.SIGTERM, forward)
    signal.signal(signal.SIGINT, forward)
    watched = [pipe, ended]
    while child.poll() is None:
        ready, _, _ = select.select(watched, [], [], 1.0)
        if ended in ready:
            os.read(ended, 4096)
        if pipe in ready and not os.read(pipe, 1):
            watched.remove(pipe)
            _end(child, seconds)
    code = child.returncode
    return 128 - code if code < 0 else code


def _end(child: subprocess.Popen[bytes], seconds: float) -> None:
    """Ask, wait, insist."""
    child.terminate()
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        child.kill()


def _is_inherited(file: int) -> bool:
    """Tell whether a file above the standard three was handed to us to be handed on: the lock."""
    try:
        return file > 2 and os.get_inheritable(file)
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]))
