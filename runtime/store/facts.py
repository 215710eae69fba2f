"""What a store tells about itself, gathered in a few read-only calls; `checks` judges it.

A user with least rights may not be allowed to ask. What it may not ask is `None`, never a guess.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec
from redis.exceptions import NoPermissionError, ResponseError

if TYPE_CHECKING:
    from redis.asyncio import Redis

#: A master without enough replicas in step refuses writes.
GUARDS: Final = ("min-replicas-to-write", "min-replicas-max-lag")
#: The directives that `checks` looks at.
DIRECTIVES: Final = ("appendfsync", "no-appendfsync-on-rewrite", "maxmemory-policy", "maxclients", *GUARDS)

#: What every append-only file of ours holds, inside of MULTI: a server refuses it again when it plays the file.
REPLAYED: Final = (("XADD", "any", "*", "f", "v"), ("HSET", "any", "f", "v"), ("DEL", "any"))


class StoreFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One look at a server."""

    #: INFO, as the client library reads it; None: not allowed to look.
    info: Mapping[str, Any] | None
    #: The `DIRECTIVES`; None: not allowed to look.
    config: Mapping[str, str] | None
    #: Seconds by which the store's clock is ahead of this host's, and the uncertainty (half the round trip).
    skew_seconds: float | None
    skew_error_seconds: float = 0.0
    #: Names of all functions in the store; None: not allowed to look.
    functions: frozenset[str] | None = None
    #: The user that we are.
    user: str | None = None
    #: Calls that this user may not make, as the server's own dry run says; None: not allowed to look.
    denied: tuple[str, ...] | None = None
    #: Whether the user `default`, as which a server plays its append-only file, may do what is in it; None: not
    #: allowed to look.
    replays: bool | None = None


async def look(
    client: Redis, *, calls: Sequence[tuple[str, ...]] = (), clock: Callable[[], float] = time.time
) -> StoreFacts:
    """Gather the facts. `calls` are what this user must be allowed to do, as words; nothing of them is done.

    Raises what the store raises when it is away; a missing right is an answer, not an error.
    """
    send: Callable[..., Awaitable[Any]] = client.execute_command
    skew, error = await _clock_skew(send, clock)
    user = await _allowed(send("ACL", "WHOAMI"))
    name = user.decode() if user is not None else None
    return StoreFacts(
        info=await _allowed(send("INFO")),
        config=await _config(client),
        skew_seconds=skew,
        skew_error_seconds=error,
        functions=_function_names(await _allowed(send("FUNCTION", "LIST"))),
        user=name,
        denied=await _denied(send, name, calls),
        replays=None if (kept := await _denied(send, "default", REPLAYED)) is None else not kept,
    )


async def _allowed(call: Awaitable[Any]) -> Any:
    """Give the reply, or None when this user may not ask."""
    try:
        return await call
    except NoPermissionError:
        return None


async def _config(client: Redis) -> Mapping[str, str] | None:
    found = await _allowed(client.config_get(*DIRECTIVES))
    return None if found is None else {str(name): str(value) for name, value in found.items()}


async def _clock_skew(send: Callable[..., Awaitable[Any]], clock: Callable[[], float]) -> tuple[float | None, float]:
    """Compare the store's clock with ours at the middle of the round trip; the best of three tries."""
    best: tuple[float | None, float] = (None, 0.0)
    for _ in range(3):
        before = clock()
        told = await _allowed(send("TIME"))
        after = clock()
        if told is None:
            return None, 0.0
        seconds, micros = told
        error = abs(after - before) / 2
        if best[0] is None or error < best[1]:
            best = (int(seconds) + int(micros) / 1e6 - (before + after) / 2, error)
    return best


async def _denied(
    send: Callable[..., Awaitable[Any]], user: str | None, calls: Sequence[tuple[str, ...]]
) -> tuple[str, ...] | None:
    """Ask the server which of the calls it would refuse this user."""
    if user is None:
        return None
    denied = []
    for call in calls:
        try:
            answer = await send("ACL", "DRYRUN", user, *call)
        except NoPermissionError:
            return None
        except ResponseError as error:  # a command that this server does not have
            answer = str(error).encode()
        if answer not in (b"OK", "OK", True):
            denied.append(" ".join(call[:2]))
    return tuple(denied)


def _function_names(listing: Any) -> frozenset[str] | None:
    """Find the function names in a FUNCTION LIST reply: libraries with their functions, as maps or as
    pairs.
    """
    if listing is None:
        return None
    names = set()
    for library in listing:
        for function in mapping(library).get("functions", ()):
            name = mapping(function)["name"]
            names.add(name.decode() if isinstance(name, bytes) else str(name))
    return frozenset(names)


def mapping(reply: Any) -> dict[str, Any]:
    """A reply of names and values, as a map or as a flat list, by name."""
    pairs = reply.items() if isinstance(reply, dict) else zip(reply[::2], reply[1::2], strict=True)
    return {key.decode() if isinstance(key, bytes) else str(key): value for key, value in pairs}
