"""Asks several servers the same thing and takes the word of those who know best: Sentinels and cluster nodes.

One of them may be dead, paused or cut off and tell an old story. So more than half have to answer, and the answer with
the highest epoch counts: both Sentinel and Redis Cluster number their configurations that way.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from redis.exceptions import RedisError

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from redis.asyncio import Redis

T = TypeVar("T")


async def ask_once(client: Redis, *commands: tuple[str, ...]) -> list[Any]:
    """The raw replies of a few commands; the client is closed. Raises what the store raises."""
    try:
        client.response_callbacks.clear()
        send: Any = client.execute_command
        return [await send(*command) for command in commands]
    finally:
        await _close(client)


async def _close(client: Redis) -> None:
    """Close a client, also when we are cancelled just then: its connection would stay open."""
    closing = asyncio.ensure_future(client.aclose())
    with suppress(RedisError, OSError):
        try:
            await asyncio.shield(closing)
        except asyncio.CancelledError:
            await closing
            raise


async def most_of(questions: Sequence[Coroutine[Any, Any, T]], seconds: float) -> tuple[list[T], list[Exception]]:
    """What more than half of them answered, or whatever came within `seconds`; and the failures."""
    asked = [asyncio.create_task(question) for question in questions]
    try:
        answers: list[T] = []
        pending = set(asked)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while pending and len(answers) * 2 <= len(asked) and (left := deadline - loop.time()) > 0:
            _, pending = await asyncio.wait(pending, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            answers = [one.result() for one in asked if one.done() and not one.exception()]
        failures = [error for one in asked if one.done() and isinstance(error := one.exception(), Exception)]
        return answers, failures
    finally:
        for one in asked:
            one.cancel()
        await asyncio.gather(*asked, return_exceptions=True)


def named(reply: Any) -> dict[str, str]:
    """A reply of names and values as texts: a map, pairs in a row, or the lines of INFO."""
    if isinstance(reply, dict):
        return {text(name): text(value) for name, value in reply.items()}
    if isinstance(reply, bytes):
        lines = (line.partition(":") for line in reply.decode(errors="replace").splitlines())
        return {name: value for name, colon, value in lines if colon}
    return {text(reply[n]): text(reply[n + 1]) for n in range(0, len(reply) - 1, 2)}


def text(value: Any) -> str:
    """A value of a reply as text."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
