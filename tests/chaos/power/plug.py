"""A store whose plug can be pulled: what the disk had at each moment is known, and a copy starts from exactly that.

A power cut is a file that ends where the last completed fsync ended, or, on a disk that wrote a little more, anywhere
behind it. The marks come from a small library that is preloaded into the server (`fsync_shim.c`); without a compiler
they are taken from outside: the length of the file after a confirmed reply, which `always` gives only after its fsync.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from runtime.embedded.locate import locate
from runtime.embedded.process import ServerProcess
from runtime.store.address import StoreAddress
from runtime.store.clients import open_commands
from runtime.store.keys import Keyspace
from tests.support.store import BINARY_VARIABLE
from tests.support.things import THINGS, Things, open_things
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

SHIM = Path(__file__).with_name("fsync_shim.c")
GROUP = "listers"
COMMAND = "the-last-unit"
THE_KEYS = Keyspace(THINGS)


def shim(folder: Path) -> Path | None:
    """The library, compiled into `folder`; None where there is no compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    library = folder / "fsync_shim.so"
    words = [compiler, "-shared", "-fPIC", "-O1", "-w", "-o", str(library), str(SHIM), "-ldl"]
    made = subprocess.run(words, capture_output=True, check=False)
    return library if made.returncode == 0 else None


class Plugged:
    """One server on a data directory, on a unix socket in it."""

    def __init__(self, folder: Path, fsync: str, environment: Mapping[str, str] | None = None) -> None:
        """Nothing is started."""
        self.folder = folder
        self.fsync = fsync
        self.marks = folder / "marks"
        self.socket = folder / "s"
        self._environment = dict(environment or {})
        self._process: ServerProcess | None = None

    @property
    def pid(self) -> int:
        """The server."""
        assert self._process is not None
        return self._process.pid

    @property
    def file(self) -> Path:
        """The part of the append-only file that grows: the last one in the manifest."""
        (newest,) = sorted(self.folder.glob("appendonlydir/*.incr.aof"))[-1:]
        return newest

    async def start(self) -> None:
        """Start it; returns when it has loaded what there is. Raises `RefusedError` when it ends instead."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.socket.unlink(missing_ok=True)
        words = [
            *(locate(os.environ.get(BINARY_VARIABLE)).path, "--port", "0", "--unixsocket", str(self.socket)),
            *("--dir", str(self.folder), "--appendonly", "yes", "--appendfsync", self.fsync, "--save", ""),
            *("--auto-aof-rewrite-percentage", "0"),
        ]
        if self._environment:
            words = ["/usr/bin/env", *(f"{name}={value}" for name, value in self._environment.items()), *words]
        devnull = os.open(os.devnull, os.O_RDONLY)
        try:
            self._process = ServerProcess.start(
                words, log=self.folder / "server.log", keep_open=devnull, stop_seconds=5.0
            )
        finally:
            os.close(devnull)
        probe = Redis(unix_socket_path=str(self.socket), retry=Retry(NoBackoff(), 0), socket_timeout=5.0)

        async def answers() -> bool:
            assert self._process is not None
            if self._process.returncode is not None:
                raise RefusedError((self.folder / "server.log").read_text()[-800:])
            with suppress(RedisError, OSError):
                return bool(await probe.ping())
            return False

        try:
            await until(answers, what="the store answers")
        finally:
            await probe.aclose()

    def pull(self) -> None:
        """Kill -9. What its system still holds is then cut off by `copy`."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def reached_the_disk(self) -> int:
        """Bytes of the growing file that a completed fsync covers."""
        ends = [
            int(size)
            for size, _, path in (line.partition(" ") for line in self.marks.read_text().splitlines())
            if path == str(self.file)
        ]
        return max(ends, default=0)

    def copy(self, folder: Path, length: int) -> Plugged:
        """The same disk as it is after a cut at `length` bytes of the growing file."""
        shutil.copytree(self.folder / "appendonlydir", folder / "appendonlydir")
        cut = Plugged(folder, self.fsync)
        os.truncate(cut.file, length)
        return cut

    def open(self) -> Redis:
        """A client."""
        return open_commands(StoreAddress(socket_path=str(self.socket)), max_connections=4)


class RefusedError(Exception):
    """The server would not start on these files."""


@asynccontextmanager
async def plugged(folder: Path, fsync: str, *, delay_us: int = 0) -> AsyncIterator[tuple[Plugged, Things]]:
    """A running store with the log of things, and its marks where a compiler is there."""
    library = shim(folder)
    environment = {"LD_PRELOAD": str(library), "FSYNC_MARKS": str(folder / "marks")} if library else {}
    if delay_us:
        assert library is not None, "a slow disk needs the preloaded library"
        environment["FSYNC_DELAY_US"] = str(delay_us)
    server = Plugged(folder, fsync, environment)
    await server.start()
    client = server.open()
    try:
        yield server, await open_things(client, GROUP)
    finally:
        with suppress(RedisError, OSError):
            await client.aclose()
        server.pull()


async def what_is_left(server: Plugged) -> dict[str, Any]:
    """Start a cut copy, read what the two steps write, and end it."""
    await server.start()
    client = server.open()
    try:
        pipeline = client.pipeline(transaction=False)
        pipeline.xrange("things")
        for name in ("things:position:listers", "thing:T1"):
            pipeline.hgetall(name)
        pipeline.get("thing:T1:head")
        for name in ("thing:T1:history", "seen"):
            pipeline.lrange(name, 0, -1)
        pipeline.exists(THE_KEYS.command(COMMAND, "T1"))
        log, position, snapshot, head, history, seen, command = await pipeline.execute()
        return {
            "log": len(log), "position": position.get(b"id", b"").decode(), "settled": position.get(b"settled"),
            "snapshot": snapshot.get(b"last"), "head": head, "history": len(history), "seen": len(seen),
            "command": command,
        }  # fmt: skip
    finally:
        await client.aclose()
        server.pull()
        await asyncio.sleep(0)
