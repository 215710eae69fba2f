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
from runtime.store.cluster_client import ClusterClient
from runtime.store.received import Received, call_and_wait
from runtime.store.revision import revision_of
from runtime.store.trouble import STORE_ERRORS, translated

LIBRARY = "claimstream_1"

APPEND = "cs_append_1"
SETTLE = "cs_settle_1"
OPEN = "cs_open_1"
RESYNC = "cs_resync_1"
MARK = "cs_mark_1"
LOOK = "cs_look_1"
FORGED = "cs_forged_1"
TIDY = "cs_tidy_1"
RETRY = "cs_retry_1"
UNRETRY = "cs_unretry_1"
DROP = "cs_drop_1"
HALT = "cs_halt_1"
TRIM = "cs_trim_1"
RETIRE = "cs_retire_1"
STAGE = "cs_stage_1"
DROP_STAGE = "cs_drop_stage_1"
SWAP = "cs_swap_1"
RESTORE = "cs_restore_1"
RESTORED = "cs_restored_1"
BEAT = "cs_beat_1"
LEASE = "cs_lease_1"

ALL = (
    APPEND, SETTLE, OPEN, RESYNC, MARK, LOOK, TIDY, RETRY, UNRETRY, DROP, HALT, TRIM, RETIRE, STAGE, DROP_STAGE, SWAP,
    RESTORE, RESTORED, BEAT, LEASE, FORGED,
)  # fmt: skip

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
    """Make sure that this text of the library is in the store, or a newer one: on every primary of a cluster.

    Raises `LibraryMissing`, store faults.
    """
    wanted = source or library_source()
    try:
        servers: Sequence[Client] = await client.every_primary() if isinstance(client, ClusterClient) else [client]
    except STORE_ERRORS as problem:
        raise translated(problem) from problem
    for server in servers:
        await _load(server, wanted)


async def _load(client: Client, wanted: str) -> None:
    try:
        found = await client.execute_command("FUNCTION", "LIST", "LIBRARYNAME", LIBRARY, "WITHCODE")
        texts = _texts(found)
        newest = max((revision_of(text.decode(errors="replace")) for text in texts), default=0)
        # Programs of two versions may share the store while an upgrade rolls: never replaced by an older one.
        if wanted.encode() not in texts and newest <= revision_of(wanted):
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
    client: Client,
    function: str,
    keys: Sequence[str],
    args: Sequence[Argument],
    bus: Bus | None = None,
    *,
    received: Received | None = None,
) -> list[Any]:
    """Call one function: declared `keys`, then `args`. The reply is a list whose first item is the answer's name.

    With `received` the writes of the call must reach replicas before it counts; too few: `OutcomeUnknown`.

    A library that is gone (a restart without persistence, FUNCTION DELETE) is loaded again if this user may: a
    function that is not there has done nothing, so the call is simply made again.
    """
    started = time.perf_counter()
    outcome = "error"
    try:
        try:
            reply = await _fcall(client, function, keys, args, received)
        except LibraryMissing:
            await load_library(client)
            reply = await _fcall(client, function, keys, args, received)
        outcome = "ok"
        return reply
    finally:
        if bus is not None:
            bus.emit(StoreRoundTrip(call=function, outcome=outcome, seconds=time.perf_counter() - started))


async def _fcall(
    client: Client, function: str, keys: Sequence[str], args: Sequence[Argument], received: Received | None
) -> list[Any]:
    command = ("FCALL", function, len(keys), *keys, *args)
    try:
        if received is not None and received.replicas:
            waited: list[Any] = await call_and_wait(client, command, keys[0], received)
            return waited
        reply: list[Any] = await client.execute_command(*command)
    except STORE_ERRORS as problem:
        raise translated(problem) from problem
    return reply
