"""The command line as a user meets it: real processes, `python -m workers ...`, with a clean environment.

    said = cli("status", "--json", data_dir=folder)
    with running_cluster(data_dir=folder) as cluster: ...

No configuration of the machine leaks in; the profile is `test`.
"""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any
from unittest import mock

from tests.support.source_tree import ROOT
from tests.support.store import BINARY_VARIABLE
from tests.support.waiting import PATIENCE, until_sync
from workers.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

READY_SECONDS = PATIENCE
"""Until `run` says that it is ready: Python's start on a loaded machine with two cores."""

END_SECONDS = PATIENCE
"""From SIGTERM to SIGKILL at the end of a block: above the drain budget of the profile."""


@dataclass(frozen=True)
class Said:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its output as JSON; when it is none, the failure shows how the command ended."""
        try:
            return json.loads(self.out)
        except ValueError as problem:
            raise AssertionError(f"exit code {self.code}, no JSON ({problem}): {self.err[-2000:]}") from problem

    def one_line(self) -> str:
        """Its error: one line for people, no traceback."""
        lines = self.err.strip().splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("claimstream: "), self.err
        return lines[0]


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a command: ours without settings of the store and of claimstream."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("REDIS_", "CLAIMSTREAM_")) or name.startswith("CLAIMSTREAM_TEST_")
    }
    kept["CLAIMSTREAM_PROFILE"] = "test"
    if binary := os.environ.get(BINARY_VARIABLE):
        kept["CLAIMSTREAM_EMBEDDED__BINARY"] = binary
    return kept | dict(more or {})


def argv(*words: str, data_dir: Path | None = None, url: str | None = None) -> list[str]:
    """The command line of a command."""
    where = ["--redis-url", url] if url else []
    data = ["--data-dir", str(data_dir)] if data_dir else []
    return [sys.executable, "-m", "workers", *words, *where, *data]


def cli(
    *words: str,
    data_dir: Path | None = None,
    url: str | None = None,
    env: Mapping[str, str] | None = None,
    within: float = PATIENCE,
) -> Said:
    """Run one command to its end."""
    done = subprocess.run(
        argv(*words, data_dir=data_dir, url=url),
        cwd=ROOT,
        env=environment(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)


def here(
    *words: str, data_dir: Path | None = None, url: str | None = None, env: Mapping[str, str] | None = None
) -> Said:
    """The same command inside this process: for the many that a test asks, a process of their own costs 0.7 s."""
    out, err = io.StringIO(), io.StringIO()
    typed = argv(*words, data_dir=data_dir, url=url)[3:]
    with (
        mock.patch.dict(os.environ, environment(env), clear=True),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        code = main(typed)
    return Said(code, out.getvalue(), err.getvalue())


class Cluster:
    """A `claimstream run` that is ready; `told` is what it said then."""

    def __init__(self, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
        self.process = process
        self.told: dict[str, Any] = {}
        self._log = log
        self._out = b""

    @property
    def pid(self) -> int:
        """Of the process that was started."""
        return self.process.pid

    def log(self) -> str:
        """Everything that it wrote on stderr until now."""
        self._log.seek(0)
        return self._log.read().decode()

    def read_started(self) -> bool:
        """Take in its first line; an early end is a failure that shows why."""
        assert self.process.stdout is not None
        if self.process.poll() is not None:
            raise RuntimeError(f"it ended with {self.process.returncode}: {self.log()}")
        self._out += self.process.stdout.read() or b""
        if b"\n" not in self._out:
            return False
        self.told = json.loads(self._out.splitlines()[0])
        return True

    def stop(self, number: signal.Signals = signal.SIGTERM, within: float = PATIENCE) -> int:
        """Send a signal and wait for the end; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(within)


@contextmanager
def running_cluster(
    *words: str,
    data_dir: Path,
    url: str | None = None,
    env: Mapping[str, str] | None = None,
    log_to: Path | None = None,
) -> Iterator[Cluster]:
    """A `claimstream run` of its own; it is stopped at the end of the block when it still runs."""
    log_file = log_to or data_dir.with_name(f"{data_dir.name}-{len(list(data_dir.parent.iterdir()))}.log")
    with open(log_file, "w+b") as log:
        process = subprocess.Popen(
            argv("run", "--json", *words, data_dir=data_dir, url=url),
            cwd=ROOT,
            env=environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
        )
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        cluster = Cluster(process, log)
        try:
            until_sync(cluster.read_started, within=READY_SECONDS, what="the cluster is ready")
            yield cluster
        finally:
            _end(process)
            process.stdout.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Stop it in good order, so that its server is gone too; kill what does not stop."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
