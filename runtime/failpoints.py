"""Named places at which a test may let the process die, fail, hang or be cancelled. Inert in production.

    await failpoints.reach("settle.before")                            # between two steps
    answer = await failpoints.sent("settle.sent", link.settle(...))    # while a call is on its way
    failpoints.hit("archive.fsynced")                                  # where nothing can be awaited, also in a thread

What it costs: one test of a module's variable for None; `reach` and `sent` also the call of a coroutine that never
suspends. That is 0.1 us a point (tests/runtime/test_failpoints.py measures it), at about ten points per batch and
three per append, each of which takes hundreds of microseconds. No point stands in a loop over entries.

Only a test arms them: in its own process with `armed(...)`, in a child by the environment variable of `VARIABLE`,
which nothing but a test's own program reads (`arm_from_environment`). The command line refuses to start while that
variable is set: it is no setting.

The name of a point is a literal at exactly one place for each step, so that a search of the source finds every point:
tests/chaos/test_crash_points.py does that, and fails for one at which no run was killed.
"""

from __future__ import annotations

import asyncio
import os
import re
import threading
import time
from collections import Counter
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, MutableMapping

T = TypeVar("T")

VARIABLE = "CLAIMSTREAM_FAILPOINTS"
"""What a child process arms: `point=action@nth` joined by commas, the `@nth` may be left out."""

REPORT_VARIABLE = "CLAIMSTREAM_FAILPOINTS_REPORT"
"""A file to which such a child adds a line for each point when it first reaches it, and when it acts there."""

EXIT_CODE = 87
"""How a process ends at a point: nothing else here ends with it."""

SENT_SECONDS = 0.002
"""Seconds that a call has for getting out before the point behind its sending is reached."""

_SPEC = re.compile(r"(?P<point>[a-z_]+\.[a-z_]+)=(?P<action>[a-z]+)(?:@(?P<nth>[1-9][0-9]*))?")


class Action(StrEnum):
    """What happens at a point."""

    EXIT = "exit"
    """The process is gone, at once: no clean-up, no flush, like SIGKILL."""
    RAISE = "raise"
    """`FailpointReached` is raised."""
    HANG = "hang"
    """Nothing more happens here until the task is cancelled; `hit` blocks its thread."""
    CANCEL = "cancel"
    """The task is cancelled by somebody who is not its owner."""


class FailpointReached(Exception):
    """A test wanted a failure here. Not one of our faults: nobody may be prepared for it."""


class Plan(msgspec.Struct, frozen=True):
    """Do `action` at the `nth` time that `point` is reached, once."""

    point: str
    action: Action
    nth: int = 1


class Watch:
    """What is armed, how often each point was reached, and what has happened."""

    def __init__(self, plans: tuple[Plan, ...], tell: Callable[[str], None] | None = None) -> None:
        """`tell` gets a line for the first visit of each point and for each action."""
        self.plans = list(plans)
        self.reached: Counter[str] = Counter()
        self.acted: list[Plan] = []
        self._tell = tell
        self._lock = threading.Lock()

    def due(self, point: str) -> Action | None:
        """Count a visit; what is to happen now."""
        with self._lock:
            self.reached[point] += 1
            count = self.reached[point]
            found = next((plan for plan in self.plans if plan.point == point and plan.nth == count), None)
            if found is not None:
                self.acted.append(found)
        if self._tell is not None:
            if count == 1:
                self._tell(f"reached {point}")
            if found is not None:
                self._tell(f"acted {point} {found.action}")
        return found.action if found is not None else None


_watch: Watch | None = None
"""None unless a test armed something."""


async def reach(point: str) -> None:
    """A step is done, the next one has not begun."""
    if _watch is not None:
        await _act(_watch.due(point), point)


async def sent(point: str, call: Awaitable[T]) -> T:
    """Make a call of the store; the point is reached while it is on its way, its answer unknown to us.

    An action there loses the answer: the call is cancelled, which drops its connection.
    """
    if _watch is None:
        return await call
    action = _watch.due(point)
    if action is None:
        return await call
    task = asyncio.ensure_future(call)
    await asyncio.wait({task}, timeout=SENT_SECONDS)
    try:
        await _act(action, point)
    finally:
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # nobody will ask for it: it is lost like the answer
    raise AssertionError("every action ends in an exception or in no process")


def hit(point: str) -> None:
    """`reach` for code that cannot await. A task is cancelled at its next await, a thread at once."""
    if _watch is None:
        return
    action = _watch.due(point)
    if action is Action.EXIT:
        os._exit(EXIT_CODE)
    if action is Action.RAISE:
        raise FailpointReached(point)
    if action is Action.HANG:
        while _watch is not None:  # ends with the test that armed it
            time.sleep(0.01)
    if action is Action.CANCEL:
        raise asyncio.CancelledError(point)


async def _act(action: Action | None, point: str) -> None:
    if action is Action.EXIT:
        os._exit(EXIT_CODE)
    if action is Action.RAISE:
        raise FailpointReached(point)
    if action is Action.HANG:
        await asyncio.Event().wait()
    if action is Action.CANCEL:
        task = asyncio.current_task()
        assert task is not None
        task.cancel(f"failpoint {point}")
        await asyncio.sleep(0)


def parse(text: str) -> tuple[Plan, ...]:
    """Read `point=action@nth,...`. ValueError says which part is wrong."""
    plans = []
    for part in filter(None, text.split(",")):
        match = _SPEC.fullmatch(part.strip())
        if match is None or match["action"] not in list(Action):
            raise ValueError(f"failpoint {part!r}: expected point=action@nth, with action one of {', '.join(Action)}")
        plans.append(Plan(match["point"], Action(match["action"]), int(match["nth"] or 1)))
    return tuple(plans)


@contextmanager
def armed(text: str = "", tell: Callable[[str], None] | None = None) -> Iterator[Watch]:
    """Arm `point=action@nth,...` in this process; with '' only count what is reached. Not to be nested."""
    if _watch is not None:
        raise RuntimeError("failpoints are armed already")
    try:
        yield arm(text, tell)
    finally:
        disarm()


def arm(text: str, tell: Callable[[str], None] | None = None) -> Watch:
    """Arm for good, in place of what was armed before. Counting begins anew."""
    global _watch
    _watch = Watch(parse(text), tell)
    return _watch


def disarm() -> None:
    """Nothing is armed any more; whoever hangs in `hit` goes on."""
    global _watch
    _watch = None


def arm_from_environment(environment: MutableMapping[str, str] = os.environ) -> None:
    """Arm what the parent of a test's child process wants, for good. Not called by any program that is installed.

    The variables are taken out of the environment, where the command line would refuse them.
    """
    text, report = environment.pop(VARIABLE, None), environment.pop(REPORT_VARIABLE, None)
    if text is not None:
        arm(text, reporter(report) if report else None)


def reporter(path: str) -> Callable[[str], None]:
    """Lines to a file that several processes may share; each is written before anything happens."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def tell(line: str) -> None:
        os.write(file, f"{line}\n".encode())

    return tell
