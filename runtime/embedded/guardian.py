"""Stands between us and the server where the kernel has no parent-death signal (macOS): ends it when we end.

Run as a program, `guardian.py PIPE SECONDS COMMAND ...`: starts the command, hands SIGTERM on to it, kills it
on SIGQUIT, and when PIPE breaks, because its writer died in whatever way, sends SIGTERM and after SECONDS
SIGKILL. Ends as the command ended. Only the standard library, and no import of this package: it starts in a
bare interpreter.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys


def main(pipe: int, seconds: float, words: list[str]) -> int:
    """Run the command until it or the writer of the pipe ends; give the exit status of the command."""
    ended, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    asked: list[int] = []
    for signum in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(signum, lambda number, _frame: asked.append(number))
    handed_on = [file for file in _inherited_files() if file != pipe]
    child = subprocess.Popen(words, pass_fds=handed_on)
    watched = [pipe, ended]
    while child.poll() is None:
        while asked:
            _obey(child, asked.pop(0))
        ready, _, _ = select.select(watched, [], [], 1.0)
        if ended in ready:
            os.read(ended, 4096)
        if pipe in ready and not os.read(pipe, 1):
            watched.remove(pipe)
            _end(child, seconds)
    code = child.returncode
    return 128 - code if code < 0 else code


def _obey(child: subprocess.Popen[bytes], signum: int) -> None:
    """Hand on what asks for an end; SIGQUIT asks for one at once, because nobody can forward a SIGKILL."""
    if signum in (signal.SIGTERM, signal.SIGINT):
        child.terminate()
    elif signum == signal.SIGQUIT:
        child.kill()


def _end(child: subprocess.Popen[bytes], seconds: float) -> None:
    """Ask, wait, insist."""
    child.terminate()
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        child.kill()


def _inherited_files() -> list[int]:
    """List the files above the standard three that were handed to us to be handed on: the lock, and the
    pipe.
    """
    found = []
    for name in os.listdir("/dev/fd"):
        try:
            if int(name) > 2 and os.get_inheritable(int(name)):
                found.append(int(name))
        except OSError:  # the one that listed the directory is closed again
            continue
    return found


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]))
