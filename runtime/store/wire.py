"""What our connections do in another way than the client library's asyncio ones: packing, and reading many replies.

The library packs commands in Python, 0.6 us per argument, and a settle declares hundreds of keys. It puts a timer
around each reply of a pipeline, so a small one costs 8 to 10 us of the client, and a batch reads hundreds of records.
Here it is 0.1 us and 1 to 1.5 us. A read-only function in the server that gives one reply for all was no cheaper for
the client, and cost the server 1.4 to 2.3 times as much. The bytes on the wire are the same.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from hiredis import pack_command as pack
from redis.exceptions import TimeoutError as StoreTimeoutError

from runtime.store.sending import PromptConnection

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from redis.asyncio import Redis

TOO_LONG_TO_COPY = 16 * 1024
"""Bytes of a last argument, the packed one of a function, above which it goes out as it is: C would copy it twice,
600 us for an append of 600 kB."""

REPLIES_A_TIMER = 64
"""So many replies share the time that a connection has for one."""


class Wire(PromptConnection):
    """Stands before the class of the library that knows how to connect."""

    def pack_command(self, *args: Any) -> list[bytes]:
        """One command, ready to be sent. Raises `DataError` for what is no text, bytes or number."""
        verb = args[0]
        if (b" " if isinstance(verb, bytes) else " ") in verb:  # "XINFO STREAM": two words for the server
            args = (*verb.split(), *args[1:])
        try:
            if type(args[-1]) is bytes and len(args[-1]) > TOO_LONG_TO_COPY:
                return _followed_by(pack((*args[:-1], b"")), args[-1])
            return [pack(args)]
        except TypeError:  # of an argument that C does not know; the library does, or says which it is
            return super().pack_command(*args)

    def pack_commands(self, commands: Iterable[Iterable[Any]]) -> list[bytes]:
        """Many commands in one piece."""
        return [b"".join([piece for command in commands for piece in self.pack_command(*command)])]

    async def replies(self, count: int) -> list[Any]:
        """The next so many replies in order; an error reply is an item. Other errors close the connection."""
        found: list[Any] = []
        read: Callable[[], Awaitable[Any]] = self._parser.read_response  # type: ignore[attr-defined]
        clock = asyncio.get_running_loop().time
        seconds = self.socket_timeout
        try:
            async with asyncio.timeout(seconds) as limit:
                for number in range(1, count + 1):
                    found.append(await read())
                    if number % REPLIES_A_TIMER == 0 and seconds is not None:
                        limit.reschedule(clock() + seconds)
        except BaseException as problem:
            await self.disconnect(nowait=True)  # the next call would take what is left for its own replies
            if isinstance(problem, TimeoutError):
                raise StoreTimeoutError(f"no reply for {seconds} s, after {len(found)} of {count}") from problem
            raise
        return found


def _followed_by(command: bytes, last: bytes) -> list[bytes]:
    """A packed command whose last argument was left empty, with this one in its place."""
    return [b"%b$%d\r\n" % (command.removesuffix(b"$0\r\n\r\n"), len(last)), last, b"\r\n"]


async def in_one_round_trip(client: Redis, commands: Sequence[tuple[Any, ...]], *, raw: bool = False) -> list[Any]:
    """The replies to commands over one connection of a pool, shaped as by `client`; an error reply is an item.

    `raw` leaves the shaping out.
    """
    pool = client.connection_pool
    connection: Wire = await pool.get_connection()  # type: ignore[no-untyped-call]
    try:
        await connection.send_packed_command(connection.pack_commands(commands))
        replies = await connection.replies(len(commands))
    finally:
        await pool.release(connection)
    if raw:
        return replies
    shapes = {verb: client.response_callbacks.get(verb) for verb in {command[0] for command in commands}}
    if not any(shapes.values()):
        return replies
    return [_shaped(shapes[command[0]], reply) for command, reply in zip(commands, replies, strict=True)]


def _shaped(shape: Any, reply: Any) -> Any:
    """A reply as the library hands it on for this verb: pairs with scores, the id and the fields of an entry."""
    return reply if shape is None or isinstance(reply, Exception) else shape(reply)
