"""Runs one program of a contestant as a process of its own and gives what it says on its last line."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import msgspec

from runtime.fleet import death_with_parent

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = ROOT / ".venv-bench"
PROGRAMS = "tests.benchmarks.programs"
PEERS = "tests.benchmarks.peers"

LOAD_SECONDS = 900.0
WORK_SECONDS = 900.0
PEER_SECONDS = 120.0
"""A peer that needs longer for its few thousand events has stopped: that is said instead of waited for."""


class CannotRun(Exception):
    """A contestant did not do its work: what it said."""


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """How a contestant is started: its interpreter, its module (or file, for Node) and what is beside the order."""

    command: tuple[str, ...]
    needs: str
    """The file without which it cannot run: named in the report when it is not there."""


def ours(module: str) -> Program:
    """A program of this project."""
    return Program(command=(sys.executable, "-m", f"{PROGRAMS}.{module}"), needs=sys.executable)


def peer(environment: str, module: str) -> Program:
    """A Python peer in its environment."""
    python = str(ENVIRONMENTS / environment / "bin" / "python")
    return Program(command=(python, "-m", f"{PEERS}.{module}"), needs=python)


def node(file: str) -> Program:
    """A peer in Node."""
    script = str(ROOT / "tests" / "benchmarks" / "peers" / "node" / file)
    return Program(command=("node", script), needs=str(ENVIRONMENTS / "node" / "node_modules"))


class Process:
    """A program that runs."""

    def __init__(self, process: asyncio.subprocess.Process, what: str, out: IO[bytes], err: IO[bytes]) -> None:
        """Made by `start`. What it says goes to files: pipes that nobody empties in time were cut when it ended."""
        self._process = process
        self._what = what
        self._out = out
        self._err = err

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def answer(self, seconds: float = WORK_SECONDS, *, told: bool = False) -> dict[str, Any]:
        """Wait for its end; what it said on its last line. `told`: close its standard input first.

        Raises `CannotRun` with the end of what it wrote to its standard error.
        """
        try:
            async with asyncio.timeout(seconds):
                if told and self._process.stdin is not None:
                    self._process.stdin.close()
                await self._process.wait()
        except TimeoutError:
            raise CannotRun(f"{self._what}: no answer within {seconds:g} s") from None
        finally:
            self.kill()
        out, err = _whole(self._out), _whole(self._err)
        if self._process.returncode:
            raise CannotRun(f"{self._what}: {_last_line(err)[:400] or f'exit {self._process.returncode}'}")
        try:
            answer = json.loads(_last_line(out))
        except ValueError:
            raise CannotRun(f"{self._what}: its last line is no answer: {_last_line(out)[:200]!r}") from None
        if not isinstance(answer, dict):
            raise CannotRun(f"{self._what}: its answer is {type(answer).__name__}")
        return answer

    def kill(self) -> None:
        """End it if it still runs."""
        if self._process.returncode is None:
            self._process.kill()


async def start(program: Program, phase: str, order: dict[str, Any]) -> Process:
    """Start one phase of a program. Raises `CannotRun` when it is not installed."""
    if not os.path.exists(program.needs):  # noqa: ASYNC240  # a look at the local disk
        raise CannotRun(f"{program.needs} is not there: `make bench` installs it")
    what = " ".join([*program.command[-1:], phase])
    out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()
    try:
        process = await asyncio.create_subprocess_exec(
            *program.command, phase, json.dumps(order),
            cwd=ROOT, stdin=subprocess.PIPE, stdout=out, stderr=err, preexec_fn=death_with_parent(),
        )  # fmt: skip
    except OSError as problem:
        raise CannotRun(f"{what}: {problem}") from problem
    return Process(process, what, out, err)


async def run(program: Program, phase: str, order: dict[str, Any], seconds: float = WORK_SECONDS) -> dict[str, Any]:
    """Run one phase to its end."""
    process = await start(program, phase, order)
    return await process.answer(LOAD_SECONDS if phase == "load" else seconds)


def _whole(file: IO[bytes]) -> bytes:
    with file:
        file.seek(0)
        return file.read()


def _last_line(text: bytes) -> str:
    lines: Sequence[str] = [line for line in text.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""
