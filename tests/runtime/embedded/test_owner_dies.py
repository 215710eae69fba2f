"""Whatever happens to the owner of an embedded store, the store ends with it and its data stay whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from runtime.embedded.discovery import RunningStore, find_running
from runtime.embedded.errors import DataDirectoryLocked
from runtime.embedded.options import EmbeddedOptions
from runtime.embedded.server import EmbeddedServer
from runtime.embedded.talk import ask_now
from tests.support.processes import is_gone
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator


class Owner:
    """A process that owns a store."""

    def __init__(self, child: subprocess.Popen[str], store: RunningStore) -> None:
        self.child = child
        self.store = store

    def say(self, *words: str) -> str:
        return ask_now(self.store.socket_path, *words, seconds=5)

    def server_is_gone(self) -> bool:
        return is_gone(self.store.server_pid)


@pytest.fixture
def folder() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="cs-") as folder:
        yield folder


@contextmanager
def owner(folder: str, end: str = "stop", prefix: tuple[str, ...] = ()) -> Iterator[Owner]:
    """Start an owner in a process group of its own, as a terminal does; kill it and its store at the end."""
    words = [*prefix, sys.executable, "-m", "tests.support.store_owner", f"{folder}/data", folder, end]
    with subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        process_group=0,
    ) as child:
        assert child.stdout is not None
        started = Owner(child, msgspec.json.decode(child.stdout.readline(), type=RunningStore))
        try:
            yield started
        finally:
            for pid in (started.store.owner_pid, started.store.server_pid):
                if not is_gone(pid):
                    os.kill(pid, signal.SIGKILL)


def heir(folder: str, lock_seconds: float = 5.0) -> EmbeddedServer:
    options = EmbeddedOptions(data_dir=f"{folder}/data", socket_dir=folder, min_free_mib=0, lock_seconds=lock_seconds)
    return EmbeddedServer(options)


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGHUP])
async def test_the_server_ends_when_a_signal_ends_its_owner(folder: str, signum: signal.Signals) -> None:
    with owner(folder) as it:
        it.child.send_signal(signum)
        assert it.child.wait() == -signum
        await until(it.server_is_gone, what="the server follows its owner")


@pytest.mark.parametrize("end", ["exit", "raise"])
async def test_the_server_ends_when_its_owner_leaves_without_stopping_it(folder: str, end: str) -> None:
    with owner(folder, end) as it:
        it.child.communicate("\n")
        await until(it.server_is_gone, what="the server follows its owner")


def test_a_stopped_owner_leaves_no_server_no_socket_and_no_discovery_file(folder: str) -> None:
    with owner(folder) as it:
        it.child.communicate("\n")
        assert it.child.returncode == 0
        assert it.server_is_gone()
        assert not Path(it.store.socket_path).exists()
        assert sorted(path.name for path in Path(folder, "data").iterdir()) == [
            "appendonlydir",
            "lock",
            "server.log",
        ]


async def test_the_death_of_the_owners_parent_harms_neither_owner_nor_server(folder: str) -> None:
    # The shell starts the owner and dies; the owner, now somebody else's child, goes on serving.
    with owner(folder, prefix=("/bin/sh", "-c", '"$@" <&0 & wait', "sh")) as it:
        assert it.store.owner_pid != it.child.pid
        it.child.kill()
        it.child.wait()
        assert it.say("PING") == "PONG"
        assert not it.server_is_gone()
        os.kill(it.store.owner_pid, signal.SIGKILL)
        await until(it.server_is_gone, what="the server follows its owner")


def test_ctrl_c_at_the_terminal_does_not_reach_the_server_while_its_owner_drains(folder: str) -> None:
    with owner(folder) as it:
        # The terminal signals a whole process group; a server in it would go down some time after the signal.
        assert os.getpgid(it.store.server_pid) == os.getsid(it.store.server_pid) == it.store.server_pid
        os.killpg(it.child.pid, signal.SIGINT)
        assert it.say("SET", "drained", "yes") == "OK"
        it.child.communicate("\n")
        assert it.child.returncode == 0


async def test_what_was_acknowledged_before_the_owner_was_killed_is_there_for_its_heir(folder: str) -> None:
    with owner(folder) as it:
        for number in range(200):
            assert it.say("RPUSH", "list", str(number)) == f":{number + 1}"
        it.child.kill()
        it.child.wait()
        # No wait for the old server: its inherited lock makes the heir wait until the file is closed.
        async with heir(folder) as server:
            assert ask_now(server.store.socket_path, "LLEN", "list", seconds=5) == ":200"


async def test_a_directory_in_use_is_refused_with_the_pid_of_its_owner(folder: str) -> None:
    with owner(folder) as it:
        with pytest.raises(DataDirectoryLocked, match=f"in use by process {it.child.pid}: stop that one") as refused:
            await heir(folder).start()
        assert refused.value.owner_pid == it.child.pid
        assert it.say("PING") == "PONG"


async def test_a_paused_server_of_a_dead_owner_does_not_keep_the_directory_for_ever(folder: str) -> None:
    with owner(folder) as it:
        assert it.say("SET", "kept", "yes") == "OK"
        os.kill(it.store.server_pid, signal.SIGSTOP)
        it.child.kill()
        it.child.wait()
        async with heir(folder, lock_seconds=0.2) as server:
            assert it.server_is_gone()
            assert ask_now(server.store.socket_path, "GET", "kept", seconds=5) == "yes"


def test_another_command_finds_the_running_store_by_its_directory(folder: str) -> None:
    assert find_running(f"{folder}/data") is None
    with owner(folder) as it:
        assert find_running(f"{folder}/data") == it.store
        assert it.store.owner_pid == it.child.pid


async def test_a_discovery_file_left_by_a_killed_owner_finds_nothing(folder: str) -> None:
    with owner(folder) as it:
        it.child.kill()
        it.child.wait()
        await until(it.server_is_gone, what="the server follows its owner")
        assert os.path.exists(f"{folder}/data/store.json")  # noqa: ASYNC240  # no disk to wait for in a test
        assert find_running(f"{folder}/data") is None
