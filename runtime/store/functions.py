"""The function library in the store: its text, loading, and the one way to call it.

The library's name and every function's name carry a version: another version of the program beside this one keeps
working (redis-facts L9). Text comes from the `.lua` files beside this module, joined in the order of their names.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Protocol

from redis.exceptions import NoPermissionError, ResponseError

from runtime.errors import LibraryMissing
from runtime.signals import Bus, StoreRoundTrip
from runtime.store.trouble import STORE_ERRORS, translated

LIBRARY = "claimstream_1"

APPEND = "cs_append_1"
SETTLE = "cs_settle_1"
OPEN = "cs_open_1"
RESYNC = "cs_resync_1"
MARK = "cs_mark_1"
LOOK = "cs_look_1"
RETRY = "cs_retry_1"
UNRETRY = "cs_unretry_1"
DROP = "cs_drop_1"
HALT = "cs_halt_1"
BEAT = "cs_beat_1"
LEASE = "cs_lease_1"

ALL = (APPEND, SETTLE, OPEN, RESYNC, MARK, LOOK, RETRY, UNRETRY, DROP, HALT, BEAT, LEASE)

Argument = str | bytes | int


Send = Callable[..., Awaitable[Any]]
"""`execute_command` of a client, which the library leaves without types."""


class Client(Protocol):
    """The part of a redis-py client that is used here."""

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send one command and give its reply."""
        ...


@cache
def library_source() -> str:
    """The text of the library, with its header line."""
    folder = files("runtime.store") / "lua"
    parts = sorted((part for part in folder.iterdir() if part.name.endswith(".lua")), key=lambda part: part.name)
    return "\n".join([f"#!lua name={LIBRARY}", *(part.read_text(encoding="utf-8") for part in parts)])


async def load_library(client: Client, source: str | None = None) -> None:
    """Make sure that exactly this text of the library is in the store. Raises `LibraryMissing`, store faults."""
    wanted = source or library_source()
    try:
        found = await client.execute_command("FUNCTION", "LIST", "LIBRARYNAME", LIBRARY, "WITHCODE")
        if not found or wanted.encode() not in _texts(found):
            await client.execute_command("FUNCTION", "LOAD", "REPLACE", wanted)
    except NoPermissionError:
        return  # a user with least rights may neither look nor load; a missing function shows at the first call
    except ResponseError as problem:
        raise LibraryMissing(f"the function library {LIBRARY} cannot be loaded: {problem}") from problem
    except STORE_ERRORS as problem:
        raise translated(problem) from problem


def _texts(reply: Any) -> list[bytes]:
    """Every text anywhere in a FUNCTION LIST reply, whose shape differs between protocols."""
    if isinstance(reply, bytes):
        return [reply]
    if isinstance(reply, dict):
        return [text for value in reply.values() for text in _texts(value)]
    if isinstance(reply, (list, tuple)):
        return [text for value in reply for text in _texts(value)]
    return []


async def call(
    client: Client, function: str, keys: Sequence[str], args: Sequence[Argument], bus: Bus | None = None
) -> list[Any]:
    """Call one function: declared `keys`, then `args`. The reply is a list whose first item is the answer's name.

    A library that is gone (a restart without persistence, FUNCTION DELETE) is loaded again if this user may: a
    function that is not there has done nothing, so the call is simply made again.
    """
    started = time.perf_counter()
    outcome = "error"
    try:
        try:
            reply = await _fcall(client, function, keys, args)
        except LibraryMissing:
            await load_library(client)
            reply = await _fcall(client, function, keys, args)
        outcome = "ok"
        return reply
    finally:
        if bus is not None:
            bus.emit(StoreRoundTrip(call=function, outcome=outcome, seconds=time.perf_counter() - started))


async def _fcall(client: Client, function: str, keys: Sequence[str], args: Sequence[Argument]) -> list[Any]:
    try:
        reply: list[Any] = await client.execute_command("FCALL", function, len(keys), *keys, *args)
    except STORE_ERRORS as problem:
        raise translated(problem) from problem
    return reply
