"""The nursery, and the one child that runs at present: started again whenever it has died, as a parent does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Awaitable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import msgspec

from runtime.failpoints import EXIT_CODE, Action
from runtime.fleet import death_with_parent
from tests.chaos.crash_points.orders import Order, Wish
from tests.support.source_tree import ROOT
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

WITHIN = 60.0
"""Seconds for anything here; generous, because a loaded machine is no fault."""

DRAIN_SECONDS = 4.0
"""Seconds for a child to end after SIGTERM, its own budget of 2 s and some; then it is killed."""


class Nursery:
    """The process that forks children."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        """Made by `nursery`."""
        self._process = process
        self._rest = b""
        self.pids: dict[str, int] = {}
        self.codes: dict[str, int] = {}

    def order(self, order: Order) -> None:
        """Have a child born."""
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(order) + b"\n")
        self._process.stdin.flush()

    def listen(self) -> None:
        """Take note of births and deaths."""
        assert self._process.stdout is not None
        *lines, self._rest = (self._rest + (self._process.stdout.read() or b"")).split(b"\n")
        for line in lines:
            what, name, number = line.decode().split()
            (self.pids if what == "born" else self.codes)[name] = int(number)
        if self._process.poll() is not None:
            raise RuntimeError(f"the nursery ended with {self._process.returncode}")


@asynccontextmanager
async def nursery() -> AsyncIterator[Nursery]:
    """A nursery; it and all its children are gone in the end."""
    process = subprocess.Popen(  # noqa: ASYNC220  # the fork must come from the main thread (parent-death signal)
        [sys.executable, "-m", "tests.chaos.crash_points.nursery"],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=death_with_parent(),
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    try:
        yield Nursery(process)
    finally:
        process.stdin.close()
        process.wait(timeout=WITHIN)
        process.stdout.close()


class GaveUp(Exception):
    """The child ended by itself before it came to its point: after many failures that is what it ought to do."""


class House:
    """One store's child after child."""

    def __init__(self, nursery: Nursery, kind: str, url: str, folder: Path, bank: str = "") -> None:
        """Nobody runs yet."""
        self._nursery = nursery
        self._kind = kind
        self._url = url
        self.folder = folder
        self._bank = bank
        self._born = 0
        self._wishes = 0
        self.child: Order | None = None
        self.reached: set[str] = set()
        self.deaths: list[int] = []

    def lines(self) -> list[str]:
        """What the child has said so far."""
        assert self.child is not None
        path = self.child.report
        return path.read_text().splitlines() if path.exists() else []

    def said(self, line: str) -> bool:
        """Has the child said this since it was armed last?"""
        lines = self.lines()
        marks = [place for place, one in enumerate(lines) if one.startswith("armed ")]
        return line in lines[marks[-1] if marks else 0 :]

    def dead(self) -> int | None:
        """How the child ended; None while it lives."""
        assert self.child is not None
        self._nursery.listen()
        return self._nursery.codes.get(self.child.name)

    async def birth(self) -> None:
        """Start a child and wait until it is up."""
        self._born += 1
        self.child = Order(
            kind=self._kind, name=f"{self._kind}-{self._born}", url=self._url, folder=str(self.folder), bank=self._bank
        )
        self._nursery.order(self.child)
        await until(lambda: self.said("up") or self._died_at_birth(), within=WITHIN, what="the child is up")

    def _died_at_birth(self) -> bool:
        assert self.child is not None
        if self.dead() is not None:
            raise RuntimeError(f"a child ended with {self.dead()}: {self.child.errors.read_text()[-3000:]}")
        return False

    async def alive(self) -> None:
        """Start another child if this one has died: what a parent does."""
        if self.child is None:
            await self.birth()
            return
        code = self.dead()
        if code is not None:
            self._learn()
            self.deaths.append(code)
            await self.birth()

    async def wish(self, *, arm: str = "", append: tuple[str, int, str] = ("", 0, ""), trim: bool = False) -> int:
        """Have the child do something; the number of the wish."""
        assert self.child is not None
        self._wishes += 1
        wish = Wish(number=self._wishes, arm=arm, append=append, trim=trim)
        self.child.wish.write_bytes(msgspec.json.encode(wish))
        self.signal(signal.SIGUSR1)
        await self.until(lambda: self.said(f"armed {wish.number}"), what="the child is armed")
        return wish.number

    async def until(self, predicate: Callable[[], bool | Awaitable[bool]], *, what: str) -> None:
        """Wait for something that the child is to do. Raises `GaveUp` when it ends instead."""

        async def there() -> bool:
            over = self.dead() is not None
            answer = predicate()
            seen = await answer if isinstance(answer, Awaitable) else answer
            if over and not seen:
                raise GaveUp(what)
            return seen

        try:
            await until(there, within=WITHIN, what=what)
        except AssertionError as problem:
            problem.add_note(self.story())
            raise

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the child, if it lives."""
        assert self.child is not None
        if self.dead() is None:
            os.kill(self._nursery.pids[self.child.name], number)

    async def acted(self, point: str, action: Action) -> None:
        """Wait until that happened there; a process that dies of it is dead then, one that hangs is ended."""
        await self.until(lambda: self.said(f"acted {point} {action}"), what=f"{action} at {point}")
        if action is Action.EXIT:
            await until(lambda: self.dead() is not None, within=WITHIN, what=f"death at {point}")
            assert self.dead() == EXIT_CODE
        elif action is Action.HANG:
            await self.end()

    async def end(self) -> None:
        """Ask the child to drain; kill it if it does not end in time."""
        self.signal(signal.SIGTERM)
        await self.gone()

    async def gone(self) -> None:
        """Wait until the child that was asked to has drained; kill it if it does not."""
        try:
            await until(lambda: self.dead() is not None, within=DRAIN_SECONDS, what="the child has drained")
        except AssertionError:
            self.signal(signal.SIGKILL)
            await until(lambda: self.dead() is not None, within=WITHIN, what="the child is dead")
        self._learn()

    def _learn(self) -> None:
        """Remember where the child has been."""
        self.reached |= {line.split()[1] for line in self.lines() if line.startswith("reached ")}

    def story(self) -> str:
        """What the child has said, and what it wrote on stderr."""
        assert self.child is not None
        errors = self.child.errors.read_text()[-3000:] if self.child.errors.exists() else ""
        return f"{self.child.name}: {'; '.join(self.lines())}\n{errors}"
