"""Commands are written in the step of their caller, and a write that does not get through ends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from redis.asyncio.connection import Connection
from redis.exceptions import ConnectionError as StoreConnectionError
from redis.exceptions import TimeoutError as StoreTimeoutError

from runtime.embedded.server import running_server
from runtime.store.clients import StoreAddress, open_commands
from runtime.store.sending import PromptConnection

if TYPE_CHECKING:
    from collections.abc import Coroutine


class _Plain(PromptConnection, Connection):
    pass


async def _no_greeting(connection: Any) -> None:
    connection._parser.on_connect(connection)


async def test_a_command_makes_no_task() -> None:
    loop = asyncio.get_running_loop()
    made: list[str] = []

    def note(loop: Any, coro: Coroutine[Any, Any, Any], **more: Any) -> asyncio.Task[Any]:
        made.append(getattr(coro, "__qualname__", repr(coro)))
        return asyncio.Task(coro, loop=loop, **more)

    async with running_server() as server:
        client = open_commands(StoreAddress.parse(server.url), max_connections=1)
        try:
            await client.set("one", 1)
            loop.set_task_factory(note)  # type: ignore[arg-type]  # its protocol names each of `more`
            await client.set("two", 2)
        finally:
            loop.set_task_factory(None)
            await client.aclose()
    assert made == []


async def test_a_command_that_the_socket_cannot_take_at_once_goes_out_whole() -> None:
    async with running_server() as server:
        client = open_commands(StoreAddress.parse(server.url), max_connections=1)
        try:
            await client.set("large", b"x" * 20_000_000)
            assert await client.strlen("large") == 20_000_000
        finally:
            await client.aclose()


async def test_a_server_that_takes_nothing_is_given_up_after_the_time_of_a_reply() -> None:
    ends = asyncio.Event()

    async def never_read(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a socket transport can
        await ends.wait()
        writer.close()

    server = await asyncio.start_server(never_read, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    connection = _Plain(host="127.0.0.1", port=port, socket_timeout=0.2, redis_connect_func=_no_greeting)
    try:
        await connection.connect()  # type: ignore[no-untyped-call]
        with pytest.raises(StoreTimeoutError):
            await connection.send_command("SET", "large", b"x" * 50_000_000)
        assert not connection.is_connected, "half a command is out: nothing may follow it"
    finally:
        ends.set()
        await connection.disconnect(nowait=True)
        server.close()
        await server.wait_closed()


async def test_a_connection_that_was_lost_says_so() -> None:
    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    connection = _Plain(host="127.0.0.1", port=port, socket_timeout=5, redis_connect_func=_no_greeting)
    try:
        await connection.connect()  # type: ignore[no-untyped-call]
        with pytest.raises(StoreConnectionError):
            while True:
                await connection.send_command("PING")
                await connection.read_response()
        assert not connection.is_connected
    finally:
        await connection.disconnect(nowait=True)
        server.close()
        await server.wait_closed()
