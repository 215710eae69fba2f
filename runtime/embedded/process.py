"""One server process: started so that it cannot outlive us, and watched without a thread.

On Linux the kernel sends it SIGTERM when the thread that started it ends, however that happens; that thread
must therefore be the main one (M4). Elsewhere a guardian between us and the server watches a pipe that
breaks with us. Own session: Ctrl-C at the terminal reaches us, not the server, which is needed until we
have drained (M3).
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Final

from runtime.embedded import guardian
from runtime.embedded.errors import NotOnMainThread

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_PR_SET_PDEATHSIG: Final = 1
_POLL_SECONDS: Final = 0.02
#: Seconds for a guardian to kill its server and end; it needs milliseconds.
_GUARDIAN_SECONDS: Final = 5.0


class ServerProcess:
    """A child process with a known end. `pid` is the server's own, also behind a guardian, once `learn_pid`
    ran.
    """

    def __init__(self, child: subprocess.Popen[bytes], lifeline: int | None) -> None:
        self._child = child
        self._lifeline = lifeline
        self._guarded = lifeline is not None
        self.pid = child.pid

    @classmethod
    def start(
        cls,
        words: list[str],
        *,
        log: Path,
        keep_open: int,
        stop_seconds: float,
        guarded: bool = not sys.platform.startswith("linux"),
    ) -> ServerProcess:
        """Start `words`; output goes to the end of `log`, the file `keep_open` is inherited.

        Raises `NotOnMainThread`. `guarded` puts the guardian in between, which Linux does not need.
        """
        if threading.current_thread() is not threading.main_thread():
            raise NotOnMainThread("the embedded store must be started from the main thread of the process")
        inherited, watched, lifeline = [keep_open], None, None
        if guarded:
            watched, lifeline = os.pipe()
            inherited.append(watched)
            words = [sys.executable, "-I", "-S", guardian.__file__, str(watched), str(stop_seconds), *words]
        try:
            with log.open("ab") as output:
                child = subprocess.Popen(
                    words,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    pass_fds=inherited,
                    start_new_session=True,
                    preexec_fn=None if guarded else _die_with_parent(),
                )
        except BaseException:
            if lifeline is not None:
                os.close(lifeline)
            raise
        finally:
            if watched is not None:
                os.close(watched)
        return cls(child, lifeline)

    def learn_pid(self, pid: int) -> None:
        """Note the pid that the server itself told."""
        self.pid = pid

    @property
    def returncode(self) -> int | None:
        """How it ended: exit status, or the negative number of a signal; None while it runs."""
        return self._child.poll()

    async def wait(self) -> int:
        """Wait for the end of the process and give its `returncode`. Cancelling the wait changes nothing."""
        if (code := self._child.poll()) is not None:
            return code
        with contextlib.suppress(AttributeError, OSError):  # macOS, or a kernel before 5.3
            await _readable_once(os.pidfd_open(self._child.pid))
        while (code := self._child.poll()) is None:  # noqa: ASYNC110  # without pidfd nothing else tells
            await asyncio.sleep(_POLL_SECONDS)
        return code

    def terminate(self) -> None:
        """Ask the server to flush, fsync and exit."""
        with contextlib.suppress(ProcessLookupError):
            self._child.terminate()

    def kill(self) -> int:
        """End it now; blocks until the kernel has done so (milliseconds). Twice is legal."""
        if self._guarded and self._child.poll() is None:
            # Killing the guardian would leave its server behind; it kills the server and ends by itself.
            self._child.send_signal(signal.SIGQUIT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(_GUARDIAN_SECONDS)
        if self._child.poll() is None:
            self._child.kill()
        code = self._child.wait()
        self.close()
        return code

    def close(self) -> None:
        """Let go of the guardian's pipe. Only after the end of the process."""
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None


def _die_with_parent() -> Callable[[], None]:
    """Make what the child runs between fork and exec: ask for SIGTERM at our death.

    Everything is looked up before the fork; afterwards only system calls are made, as other threads may
    have held locks at that moment.
    """
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def ask_for_signal() -> None:
        if prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0 or os.getppid() != parent:
            os._exit(125)  # no such promise, or the parent died before it was given

    return ask_for_signal


async def _readable_once(file: int) -> None:
    """Wait until a file can be read, then close it."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    try:
        loop.add_reader(file, readable.set)
        await readable.wait()
    finally:
        loop.remove_reader(file)
        os.close(file)


def wait_blocking(process: ServerProcess, seconds: float) -> int | None:
    """Wait without a loop; None when it still runs after `seconds`."""
    deadline = time.monotonic() + seconds
    while process.returncode is None and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS / 4)
    return process.returncode
