"""Where the kernel has no parent-death signal, the guardian ends the server; it runs here on every system."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runtime.embedded.locate import locate
from runtime.embedded.options import EmbeddedOptions, arguments
from runtime.embedded.process import ServerProcess
from runtime.embedded.talk import NoAnswer, ask, ask_now
from tests.support.processes import is_gone
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator


class Guarded:
    def __init__(self, folder: str) -> None:
        self.socket_path = f"{folder}/s"
        self.lock = os.open(f"{folder}/lock", os.O_CREAT | os.O_RDWR)
        words = arguments(EmbeddedOptions(), binary=locate().path, data_dir=folder, socket_path=self.socket_path)
        self.process = ServerProcess.start(
            words, log=Path(folder, "log"), keep_open=self.lock, stop_seconds=0.5, guarded=True
        )

    def answers(self) -> bool:
        try:
            return ask_now(self.socket_path, "PING", seconds=5) == "PONG"
        except NoAnswer:
            return False

    def everybody_let_go_of_the_lock(self) -> bool:
        """Whether no process but this one still has the inherited file: no server was left behind."""
        inode = os.fstat(self.lock).st_ino
        others = (int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid())
        return not any(inode in inodes_open_in(pid) for pid in others)

    async def server_pid(self) -> int:
        await until(self.answers, what="the guarded server answers")
        info = await ask(self.socket_path, "INFO", "server", seconds=5)
        return int(next(line for line in info.splitlines() if line.startswith("process_id:"))[11:])


@pytest.fixture
def guarded() -> Iterator[Guarded]:
    with tempfile.TemporaryDirectory(prefix="cs-") as folder:
        it = Guarded(folder)
        yield it
        it.process.kill()
        assert it.everybody_let_go_of_the_lock()
        os.close(it.lock)


def inodes_open_in(pid: int) -> set[int]:
    inodes = set()
    with contextlib.suppress(OSError):  # ended meanwhile
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                inodes.add(entry.stat().st_ino)
    return inodes


async def test_a_broken_pipe_to_the_owner_ends_server_and_guardian(guarded: Guarded) -> None:
    pid = await guarded.server_pid()
    guarded.process.close()
    assert await guarded.process.wait() == 0
    await until(lambda: is_gone(pid), what="the server is gone")


async def test_a_server_that_does_not_obey_is_killed_at_the_deadline(guarded: Guarded) -> None:
    pid = await guarded.server_pid()
    os.kill(pid, signal.SIGSTOP)
    guarded.process.close()
    assert await guarded.process.wait() == 128 + signal.SIGKILL
    await until(lambda: is_gone(pid), what="the server is gone")


async def test_the_guardian_hands_on_sigterm_and_ends_as_the_server_ended(guarded: Guarded) -> None:
    await guarded.server_pid()
    guarded.process.terminate()
    assert await guarded.process.wait() == 0


async def test_killing_a_guarded_server_takes_both(guarded: Guarded) -> None:
    pid = await guarded.server_pid()
    guarded.process.kill()
    await until(lambda: is_gone(pid), what="the server is gone")


async def test_the_guarded_server_inherits_the_lock(guarded: Guarded) -> None:
    pid = await guarded.server_pid()
    assert os.fstat(guarded.lock).st_ino in inodes_open_in(pid)
