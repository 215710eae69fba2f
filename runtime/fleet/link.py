"""The thread between a fleet's parent and one of its workers, seen from both ends.

It is a pair of connected sockets. The worker writes one byte when it can do work, and sees the end of the
stream when the parent is gone, however it died. On Linux the kernel kills the worker in that case anyway
(parent-death signal); the socket is there for systems without it, and for parents that do not fork from
their main thread.
"""

from __future__ import annotations

import ctypes
import os
import signal
import stat
import sys
import threading
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, MutableMapping

WORKER_VARIABLE = "CLAIMSTREAM_WORKER"
"""Environment: the worker's index in its fleet, from 0; absent when there is no fleet."""
LINK_VARIABLE = "CLAIMSTREAM_PARENT_FD"
"""Environment: number of the inherited file descriptor that leads to the parent."""

_READY = b"R"
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class ParentLink:
    """The worker's end."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def report_ready(self) -> None:
        """Tell the parent that work can be claimed. A parent that is gone is no error."""
        try:
            os.write(self.fd, _READY)
        except OSError:
            return

    async def watch(self, on_gone: Callable[[], None]) -> None:
        """See `watch_parent`."""
        await watch_parent(self.fd, on_gone)


def take_parent_link(environment: MutableMapping[str, str] = os.environ) -> ParentLink | None:
    """The link that the parent left for this process, or None without a fleet.

    Takes it out of the environment and keeps it from being inherited: it is for this process, not for its
    children.
    """
    text = environment.pop(LINK_VARIABLE, "")
    if not text.isdecimal() or not _is_socket(int(text)):
        return None
    os.set_inheritable(int(text), False)
    return ParentLink(int(text))


async def watch_parent(fd: int, on_gone: Callable[[], None]) -> None:
    """Wait until the parent is gone (end of the stream on `fd`), call `on_gone` once, return."""
    os.set_blocking(fd, False)
    while not _at_end(fd):
        await anyio.wait_readable(fd)
    on_gone()


async def wait_ready(link: socket.socket) -> bool:
    """The parent's end: wait until the worker reports that it is ready; False when it ended without."""
    link.setblocking(False)
    await anyio.wait_readable(link)
    try:
        return link.recv(1) == _READY
    except ConnectionError:
        return False


def death_with_parent() -> Callable[[], None] | None:
    """What the forked child must call before exec so that the kernel kills it with its parent; None where
    that fails.

    The signal follows the forking *thread* (M4 of the measured facts): away from the main thread it would
    kill workers whenever that thread ends, so there it is not used.
    """
    if sys.platform != "linux" or threading.current_thread() is not threading.main_thread():
        return None
    prctl, parent = ctypes.CDLL(None, use_errno=True).prctl, os.getpid()

    def before_exec() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died between fork and prctl: nobody will send the signal any more
            os._exit(1)

    return before_exec


def _is_socket(fd: int) -> bool:
    try:
        return stat.S_ISSOCK(os.fstat(fd).st_mode)
    except OSError:
        return False


def _at_end(fd: int) -> bool:
    try:
        return os.read(fd, 64) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
