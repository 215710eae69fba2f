"""Waiting for a condition instead of sleeping: a described predicate, a deadline, a telling failure."""

from __future__ import annotations

import asyncio
import inspect
import time
from typing import TYPE_CHECKING, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds until a wait is given up. It only ends what would never come: three tests and what other people run share two
cores, and there what takes a moment alone has taken many seconds. A wait that is a promise says its own."""

_FIRST_PAUSE = 0.001
_LONGEST_PAUSE = 0.05


class NotInTimeError(AssertionError):
    """A condition did not come true before its deadline."""

    def __init__(self, what: str, within: float, last: object) -> None:
        """`what` was waited for, `within` seconds; `last` is what the predicate last returned or raised."""
        super().__init__(f"not within {within:g} s: {what} (last seen: {last!r})")
        self.what = what
        self.within = within
        self.last = last


@overload
async def until(predicate: Callable[[], Awaitable[T]], *, within: float = PATIENCE, what: str) -> T: ...


@overload
async def until(predicate: Callable[[], T], *, within: float = PATIENCE, what: str) -> T: ...


async def until(predicate: Callable[[], T | Awaitable[T]], *, within: float = PATIENCE, what: str) -> T:
    """Ask the predicate (plain or async) again and again until it is truthy; return what it returned.

    An AssertionError inside the predicate means "not yet"; any other error is a failure of the test at once.
    """
    deadline = time.monotonic() + within
    pause = _FIRST_PAUSE
    while True:
        last: object
        try:
            answer = predicate()
            seen = await answer if inspect.isawaitable(answer) else answer
        except AssertionError as not_yet:
            last = not_yet
        else:
            if seen:
                return seen
            last = seen
        if time.monotonic() >= deadline:
            raise NotInTimeError(what, within, last)
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


def until_sync(predicate: Callable[[], T], *, within: float = PATIENCE, what: str) -> T:
    """The same for a test without an event loop."""
    deadline = time.monotonic() + within
    pause = _FIRST_PAUSE
    while True:
        last: object
        try:
            seen = predicate()
        except AssertionError as not_yet:
            last = not_yet
        else:
            if seen:
                return seen
            last = seen
        if time.monotonic() >= deadline:
            raise NotInTimeError(what, within, last)
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
