"""A private real server for the whole test run, and an empty store for each test.

`tests/conftest.py` imports the fixtures from here. A test that kills, pauses, fills or configures a server
takes one of its own: `async with running_server(...) as server` (runtime.embedded.server).
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import pytest

from runtime.embedded import server as server_module
from runtime.embedded.locate import locate
from runtime.embedded.server import EmbeddedServer, running_server
from runtime.embedded.talk import ask_now
from runtime.store.clients import StoreAddress, open_commands
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from redis.asyncio import Redis

#: Path of another server binary to run the whole suite on (the conformance runs); unset: the usual search.
BINARY_VARIABLE = "CLAIMSTREAM_TEST_SERVER"


#: Directives of a server that loads slowly: 1 ms for each key, and an ear for questions after each KiB.
SLOW_LOADING = {"key-load-delay": "1000", "loading-process-events-interval-bytes": "1024"}


async def prepare_slow_loading(client: Redis, keys: int) -> None:
    """Write keys into the base of the append-only file: a start with `SLOW_LOADING` then needs 1 ms for
    each.
    """
    await client.eval(f"for i = 1, {keys} do redis.call('SET', 'k' .. i, string.rep('x', 4000)) end", 0)
    await client.bgrewriteaof()
    await until(lambda: _rewritten(client), what="the append-only file is rewritten")


async def _rewritten(client: Redis) -> bool:
    seen = await client.info("persistence")
    return not seen["aof_rewrite_in_progress"] and not seen["aof_rewrite_scheduled"]


async def command(client: Redis, *words: str | bytes | int | float) -> Any:
    """Send any command and give its reply as the client library shapes it."""
    return await client.execute_command(*words)  # type: ignore[no-untyped-call]


@pytest.fixture(scope="session", autouse=True)
def chosen_server() -> Iterator[None]:
    """Run every server of the suite from the binary that the environment names, if it names one."""
    chosen = os.environ.get(BINARY_VARIABLE)
    with pytest.MonkeyPatch.context() as patch:
        if chosen:
            patch.setattr(server_module, "locate", lambda explicit: locate(explicit or chosen))
        yield


@pytest.fixture(scope="session")
def store_server() -> Iterator[EmbeddedServer]:
    """Give the one server of this run: started on the main thread, on a unix socket, gone with its data at
    the end.

    The runner of the tests' own loop is not running while a session fixture is set up, so this one brings
    a loop.
    """
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        context = running_server()
        server = runner.run(context.__aenter__())
        try:
            yield server
        finally:
            runner.run(context.__aexit__(None, None, None))


@pytest.fixture
def store_address(store_server: EmbeddedServer) -> StoreAddress:
    """Give the address of the run's server, emptied. Functions stay loaded (V6); configuration is nobody's
    to change.
    """
    answer = ask_now(store_server.store.socket_path, "FLUSHALL", seconds=10)
    assert answer == "OK", f"the test before left the server in a state that refuses FLUSHALL: {answer}"
    return StoreAddress.parse(store_server.url)


@pytest.fixture
async def commands(store_address: StoreAddress) -> AsyncIterator[Redis]:
    """Give a command client of an empty store."""
    client = open_commands(store_address, max_connections=8, client_name="cs:test")
    yield client
    await client.aclose()
