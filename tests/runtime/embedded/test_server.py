"""The embedded server as its owner sees it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import tempfile
import threading
from typing import TYPE_CHECKING

import msgspec
import pytest
import uvloop

from runtime.embedded.discovery import find_running
from runtime.embedded.errors import (
    DataDirectoryLocked,
    DataDirectoryUnusable,
    NoFreePort,
    NoSpaceForStore,
    NotOnMainThread,
    ServerFailed,
    SocketPathTooLong,
)
from runtime.embedded.options import EmbeddedOptions, restart_delay
from runtime.embedded.server import EmbeddedServer, running_server
from runtime.embedded.talk import ask
from runtime.store.clients import StoreAddress, open_commands
from tests.support.leaks import children
from tests.support.store import SLOW_LOADING, prepare_slow_loading
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator


async def say(server: EmbeddedServer, *words: str) -> str:
    return await ask(server.store.socket_path, *words, seconds=5)


def exists(path: str) -> bool:
    return os.path.exists(path)


@pytest.fixture
def taken_port() -> Iterator[int]:
    """Give a port that somebody else listens on."""
    with socket.socket() as somebody:
        somebody.bind(("127.0.0.1", 0))
        somebody.listen()
        yield somebody.getsockname()[1]


async def test_a_throwaway_server_leaves_nothing_behind() -> None:
    async with running_server() as server:
        store = server.store
        assert await say(server, "PING") == "PONG"
        assert find_running(server.options.data_dir) == store
    assert find_running(server.options.data_dir) is None
    assert not exists(server.options.data_dir)
    assert not exists(store.socket_path)


async def test_writes_go_to_the_append_only_file_and_never_evict() -> None:
    async with running_server() as server:
        for directive, expected in {
            "appendonly": "yes",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
            "no-appendfsync-on-rewrite": "no",
            "save": "",
        }.items():
            assert await config(server, directive) == expected, directive


async def config(server: EmbeddedServer, directive: str) -> str:
    """Read one directive of the running server."""
    client = open_commands(StoreAddress.parse(server.url), max_connections=1)
    try:
        found = await client.config_get(directive)
    finally:
        await client.aclose()
    return str(found[directive])


async def test_acknowledged_writes_survive_kill_9_of_the_server() -> None:
    async with running_server() as server:
        first = server.store
        for number in range(100):
            assert await say(server, "RPUSH", "list", str(number)) == f":{number + 1}"
        assert await killed(server) == -9
        second = await server.restart()
        assert await say(server, "LLEN", "list") == ":100"
        assert second.url == first.url
        assert second.server_pid != first.server_pid
        assert find_running(server.options.data_dir) == second


async def killed(server: EmbeddedServer) -> int:
    os.kill(server.store.server_pid, signal.SIGKILL)
    return await server.wait()


async def test_the_directory_stays_locked_between_death_and_restart() -> None:
    async with running_server() as server:
        await killed(server)
        with pytest.raises(DataDirectoryLocked):
            await EmbeddedServer(server.options).start()


async def test_a_server_that_keeps_dying_is_restarted_ever_more_slowly() -> None:
    async with running_server(restart_first_seconds=0.05, restart_longest_seconds=0.2) as server:
        pauses = []
        loop = asyncio.get_running_loop()
        for _ in range(4):
            await killed(server)
            before = loop.time()
            await server.restart()
            pauses.append(loop.time() - before)
        for pause, least in zip(pauses, [0.05, 0.1, 0.2, 0.2], strict=True):
            assert pause >= least


@pytest.mark.parametrize(
    ("deaths", "delay"), [(0, 0.0), (1, 0.1), (2, 0.2), (3, 0.4), (7, 6.4), (8, 10.0), (10_000, 10.0)]
)
def test_the_pause_before_a_restart_doubles_up_to_a_ceiling(deaths: int, delay: float) -> None:
    assert restart_delay(deaths, first=0.1, longest=10.0) == pytest.approx(delay)


async def test_without_a_port_it_listens_on_no_port_at_all() -> None:
    async with running_server() as server:
        assert server.store.port is None
        assert await config(server, "port") == "0"


async def test_a_taken_port_is_passed_over_and_the_next_one_is_told(taken_port: int) -> None:
    async with running_server(port=taken_port) as server:
        port = server.store.port
        assert port is not None
        assert taken_port < port < taken_port + 20
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"PING\r\n")
        assert await reader.readline() == b"+PONG\r\n"
        writer.close()
        await writer.wait_closed()


async def test_a_restarted_server_has_its_port_again_also_when_a_lower_one_is_free_now() -> None:
    with socket.socket() as somebody:
        somebody.bind(("127.0.0.1", 0))
        somebody.listen()
        async with running_server(port=somebody.getsockname()[1]) as server:
            port = server.store.port
            somebody.close()
            await killed(server)
            assert (await server.restart()).port == port


async def test_no_free_port_is_told_and_leaves_nothing_running(taken_port: int) -> None:
    before = children()
    with pytest.raises(NoFreePort, match=f"from {taken_port} to {taken_port}: set another port"):
        async with running_server(port=taken_port, port_attempts=1):
            pass
    assert children() == before


def test_it_refuses_to_start_from_a_thread_that_will_end_before_the_process() -> None:
    with tempfile.TemporaryDirectory(prefix="cs-") as folder:
        server = EmbeddedServer(EmbeddedOptions(data_dir=f"{folder}/data", socket_dir=folder, min_free_mib=0))

        refused: list[BaseException] = []

        def start_in_a_thread() -> None:
            try:
                asyncio.run(server.start())
            except NotOnMainThread as exc:
                refused.append(exc)

        thread = threading.Thread(target=start_in_a_thread)
        thread.start()
        thread.join()
        assert "must be started from the main thread" in str(refused[0])


async def test_a_directory_with_a_space_and_quotes_in_its_name_is_no_problem() -> None:
    with tempfile.TemporaryDirectory(prefix="cs-") as folder:
        options = EmbeddedOptions(data_dir=f'{folder}/it\'s "my" data', socket_dir=folder, min_free_mib=0)
        async with running_server(options) as server:
            assert await say(server, "SET", "key", "value") == "OK"
        async with running_server(options) as server:
            assert await say(server, "GET", "key") == "value"


async def test_a_long_data_directory_still_gets_a_short_socket() -> None:
    with tempfile.TemporaryDirectory(prefix="cs-") as folder:
        options = EmbeddedOptions(data_dir=f"{folder}/{'long/' * 30}", min_free_mib=0)
        async with running_server(options) as server:
            assert len(server.store.socket_path.encode()) <= 103
            assert await say(server, "PING") == "PONG"


async def test_a_socket_directory_that_is_too_long_is_refused_in_words() -> None:
    with tempfile.TemporaryDirectory(prefix="cs-") as folder:
        with pytest.raises(SocketPathTooLong, match="choose a shorter socket_dir"):
            async with running_server(socket_dir=f"{folder}/{'x' * 90}"):
                pass


async def test_a_socket_directory_that_others_may_enter_is_refused() -> None:
    with tempfile.TemporaryDirectory(prefix="cs-") as folder:
        open_to_all = f"{folder}/open"
        os.mkdir(open_to_all)
        os.chmod(open_to_all, 0o777)
        with pytest.raises(DataDirectoryUnusable, match="belong to this user alone"):
            async with running_server(socket_dir=open_to_all):
                pass


async def test_a_full_disk_is_refused_before_anything_is_started() -> None:
    with pytest.raises(NoSpaceForStore, match=r"MiB are free where the data directory .* make room"):
        async with running_server(min_free_mib=10**9):
            pass


async def test_a_server_that_does_not_come_up_is_quoted() -> None:
    with pytest.raises(ServerFailed, match=r"ended at once \(.*Bad directive.*\); its log: .*server\.log"):
        async with running_server(directives={"no-such-directive": "1"}):
            pass


async def test_a_data_directory_that_cannot_be_made_is_told() -> None:
    with tempfile.NamedTemporaryFile() as file, pytest.raises(DataDirectoryUnusable, match="cannot be made"):
        async with running_server(data_dir=f"{file.name}/data"):
            pass


async def test_a_start_that_is_cancelled_leaves_neither_server_nor_lock() -> None:
    before = children()
    with tempfile.TemporaryDirectory(prefix="cs-") as folder:
        options = EmbeddedOptions(data_dir=f"{folder}/data", socket_dir=folder, min_free_mib=0)
        start = asyncio.create_task(EmbeddedServer(options).start())
        await until(lambda: children() != before, what="the server process is there")
        start.cancel()
        with pytest.raises(asyncio.CancelledError):
            await start
        assert children() == before
        async with running_server(options) as server:
            assert server.running


async def test_a_server_that_is_loading_its_data_gets_more_time_than_one_that_is_silent() -> None:
    with tempfile.TemporaryDirectory(prefix="cs-") as folder:
        options = EmbeddedOptions(data_dir=f"{folder}/data", socket_dir=folder, min_free_mib=0)
        async with running_server(options) as server:
            client = open_commands(StoreAddress.parse(server.url), max_connections=1)
            await prepare_slow_loading(client, keys=600)
            await client.aclose()
        slowly = msgspec.structs.replace(options, start_seconds=0.3, directives=SLOW_LOADING)
        async with running_server(slowly) as server:
            assert await say(server, "DBSIZE") == ":600"


async def test_stopping_twice_or_before_the_start_is_legal() -> None:
    async with running_server() as server:
        assert await server.stop()
        assert await server.stop()
    assert await EmbeddedServer(EmbeddedOptions()).stop()


async def test_a_server_that_does_not_stop_in_time_is_killed_and_that_is_told() -> None:
    async with running_server(stop_seconds=0.1) as server:
        os.kill(server.store.server_pid, signal.SIGSTOP)
        assert not await server.stop()


def test_it_is_watched_under_uvloop_too() -> None:
    async def die_and_return() -> None:
        async with running_server() as server:
            assert await killed(server) == -9
            await server.restart()
            assert await say(server, "PING") == "PONG"

    uvloop.run(die_and_return())
