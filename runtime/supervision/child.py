"""One child: what it is asked to do, and the three ways in which it can end.

Failed, done, fatal: there is no fourth. The trap is cancellation. "We cancelled it" (its own scope, or a
scope around the supervisor) must pass through untouched, or timeouts above us never fire. "Somebody else
cancelled it" (a stray `task.cancel()`, a cancelled future that it awaited) looks the same and is a failure
like any other: taken for our own it would silently end the child for ever.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Literal

import anyio
import msgspec

Started = Callable[[], None]
"""Called by a child when it can do work: for a worker, when work can be claimed. Calls after the first do
nothing.
"""

Restart = Literal["permanent", "transient", "temporary"]


class ChildSpec(msgspec.Struct, frozen=True, kw_only=True):
    """How to run, stop and restart one child.

    name: unique among its siblings.
    run: the child itself; called anew for each start, ends when the child ends.
    restart: permanent: always started again, also when it returns. transient: only when it fails.
        temporary: never, and its failures do not count.
    stop: asks the child to end soon (a soft stop); must not block and may come before `run` got its first
    turn.
        None: the child has no unfinished business and is cancelled at once.
    stop_timeout: how long a soft stop may take before the child is cancelled, s. 5: room for a few round
    trips.
    """

    name: str
    run: Callable[[Started], Awaitable[None]]
    restart: Restart = "permanent"
    stop: Callable[[], None] | None = None
    stop_timeout: float = 5.0


class Fatal(Exception):
    """No restart can help (wrong configuration, for example): the whole tree ends with this error."""


class ForeignCancellation(Exception):
    """The child was cancelled by somebody who is not its supervisor."""


class Done(msgspec.Struct, frozen=True):
    """The child returned."""


class Failed(msgspec.Struct, frozen=True):
    """The child raised, or was cancelled by a stranger (then `error` is a ForeignCancellation)."""

    error: Exception


class Broken(msgspec.Struct, frozen=True):
    """The child declared a fatal error, bare or inside an exception group."""

    error: Fatal


class Cancelled(msgspec.Struct, frozen=True):
    """Not an end of its own: we cancelled it."""


Ending = Done | Failed | Broken | Cancelled


async def run_to_end(spec: ChildSpec, started: Started) -> Done | Failed | Broken:
    """Run the child once and say how it ended. Our own cancellation is re-raised, nothing else is."""
    try:
        await spec.run(started)
    except anyio.get_cancelled_exc_class() as cancelled:
        if cancelled_by_us():
            raise
        return Failed(_foreign(spec.name, cancelled))
    except Exception as error:
        fatal = find_fatal(error)
        return Failed(error) if fatal is None else Broken(fatal)
    return Done()


def cancelled_by_us() -> bool:
    """Whether a scope around the caller is cancelled: then a cancellation seen here is ours (anyio's public
    test).
    """
    return anyio.current_effective_deadline() == -math.inf


def find_fatal(error: BaseException) -> Fatal | None:
    """The fatal error in `error`, also from within the groups that task groups raise."""
    if isinstance(error, Fatal):
        return error
    if isinstance(error, BaseExceptionGroup):
        return next((fatal for inner in error.exceptions if (fatal := find_fatal(inner))), None)
    return None


def describe(error: BaseException) -> str:
    """One line for people: type and text; of a group its first member, which says more than the group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _foreign(name: str, cancelled: BaseException) -> ForeignCancellation:
    error = ForeignCancellation(f"{name} was cancelled by somebody else than its supervisor")
    error.__cause__ = cancelled
    return error
