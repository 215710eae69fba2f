"""The closed set of messages to the supervisor's loop, and the box in which they wait."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import msgspec

from runtime.supervision.child import ChildSpec, Ending

if TYPE_CHECKING:
    from collections.abc import Iterator


class CameUp(msgspec.Struct, frozen=True):
    """A child called `started`. The incarnation tells late words of earlier starts apart."""

    child: str
    incarnation: int


class Ended(msgspec.Struct, frozen=True):
    """The task of a child is over."""

    child: str
    incarnation: int
    ending: Ending


class Add(msgspec.Struct, frozen=True):
    """Run this child; one of the same name is stopped first."""

    spec: ChildSpec


class Remove(msgspec.Struct, frozen=True):
    """Stop this child and forget it; `gone` is set when nothing of it runs."""

    child: str
    gone: anyio.Event


class Stop(msgspec.Struct, frozen=True):
    """Stop all children and return."""


Message = CameUp | Ended | Add | Remove | Stop


class Mailbox:
    """Messages in order of arrival. Sending never waits: children and signal handlers send from anywhere in
    the loop.

    Unbounded on purpose: each sender is a child (at most two messages per start) or a caller that acts
    rarely.
    """

    def __init__(self) -> None:
        """Empty."""
        self._messages: deque[Message] = deque()
        self._arrived: anyio.Event | None = None

    def send(self, message: Message) -> None:
        """Leave a message; only from the event loop's own thread."""
        self._messages.append(message)
        if self._arrived is not None:
            self._arrived.set()

    def take_all(self) -> Iterator[Message]:
        """The messages so far, each taken out as it is handled."""
        while self._messages:
            yield self._messages.popleft()

    async def wait(self, seconds: float) -> None:
        """Until there is a message, or for `seconds` (infinity: only until there is one)."""
        if self._messages:
            await anyio.lowlevel.checkpoint()
            return
        self._arrived = anyio.Event()
        with anyio.move_on_after(None if seconds == math.inf else max(0.0, seconds)):
            await self._arrived.wait()
        self._arrived = None
