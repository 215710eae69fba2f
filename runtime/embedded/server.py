"""The embedded server: started on a locked data directory, found by others, stopped without a trace.

    server = EmbeddedServer(EmbeddedOptions(data_dir="data"))
    store = await server.start()          # main thread only; store.url is unix://...
    ...
    await server.wait()                   # returns when the server died, whoever killed it
    await server.restart()                # after a growing pause; same socket, same port if it is still free
    await server.stop()

Whatever happens to this process, the server ends too: see `process`. The object belongs to no event loop.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import msgspec

from runtime.embedded import directory, discovery
from runtime.embedded.directory import DirectoryLock
from runtime.embedded.discovery import RunningStore
from runtime.embedded.locate import ServerBinary, locate
from runtime.embedded.options import EmbeddedOptions, arguments, restart_delay
from runtime.embedded.process import ServerProcess, wait_blocking
from runtime.embedded.startup import open_port, process_id, require_space, shortened, until_ready

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

#: A server that ran this long before it died did not die of its start: the count of deaths begins again.
_HEALTHY_SECONDS: Final = 60.0


class EmbeddedServer:
    """Owner of one data directory and of the server in it. Nothing happens before `start`."""

    def __init__(self, options: EmbeddedOptions) -> None:
        self.options = options
        self._data_dir: Path | None = None
        self._lock: DirectoryLock | None = None
        self._process: ServerProcess | None = None
        self._store: RunningStore | None = None
        self._deaths = 0

    @property
    def store(self) -> RunningStore:
        """How to reach the server, and who it is. Only between `start` and `stop`."""
        if self._store is None:
            raise RuntimeError("the embedded store is not started")
        return self._store

    @property
    def url(self) -> str:
        """The `unix://` URL for clients."""
        return self.store.url

    @property
    def running(self) -> bool:
        """Whether the server process is there now."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> RunningStore:
        """Lock the directory, start the server, wait for its first answer, open its port, tell where it is.

        Main thread only. Raises an `EmbeddedError` and leaves nothing behind when it does.
        """
        if self._lock is not None:
            raise RuntimeError("the embedded store is started already")
        self._data_dir = directory.prepare(self.options.data_dir)
        lock = DirectoryLock(self._data_dir)
        await lock.acquire(self.options.lock_seconds)
        self._lock = lock
        try:
            return await self._launch()
        except BaseException:
            self._let_go()
            raise

    async def wait(self) -> int:
        """Wait until the server process ends and give its exit status (negative: the signal that ended
        it).
        """
        if self._process is None:
            raise RuntimeError("the embedded store is not started")
        return await self._process.wait()

    async def restart(self) -> RunningStore:
        """Start the server again after its death, after a pause that doubles with each death in a row (D5).

        Raises `NoSpaceForStore` or another `EmbeddedError`; the directory stays locked, so it may be tried
        again.
        """
        if self._lock is None:
            raise RuntimeError("the embedded store is not started")
        if self.running:
            raise RuntimeError("the embedded store runs: nothing to restart")
        healthy = self._store is not None and time.time() - self._store.started_at > _HEALTHY_SECONDS
        self._deaths = 1 if healthy else self._deaths + 1
        await asyncio.sleep(
            restart_delay(
                self._deaths,
                first=self.options.restart_first_seconds,
                longest=self.options.restart_longest_seconds,
            )
        )
        return await self._launch()

    async def stop(self) -> bool:
        """Stop the server (SIGTERM, then SIGKILL at the deadline) and give the directory free. Twice is
        legal.

        Answers whether the server ended by itself; False: it had to be killed.
        """
        clean = True
        try:
            if self._process is not None and self.running:
                self._process.terminate()
                try:
                    async with asyncio.timeout(self.options.stop_seconds):
                        await self._process.wait()
                except TimeoutError:
                    clean = False
        finally:
            self._let_go()
        return clean

    def stop_now(self, seconds: float = 0.0) -> None:
        """Stop the server without a loop: SIGTERM and up to `seconds`, then SIGKILL. For clean-up of last
        resort.
        """
        if self._process is not None and self.running and seconds > 0:
            self._process.terminate()
            wait_blocking(self._process, seconds)
        self._let_go()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _launch(self) -> RunningStore:
        """Start one server process in the locked directory."""
        data_dir, lock = self._require_directory()
        require_space(data_dir, self.options.min_free_mib)
        binary = locate(self.options.binary)
        socket_path = directory.socket_path(data_dir, self.options.socket_dir)
        _remove_leftover(socket_path)
        log = shortened(data_dir / "server.log")
        process = ServerProcess.start(
            arguments(self.options, binary=binary.path, data_dir=str(data_dir), socket_path=socket_path),
            log=log,
            keep_open=lock.fileno,
            stop_seconds=self.options.stop_seconds,
        )
        try:
            await until_ready(process, socket_path, log, self.options)
            process.learn_pid(await process_id(socket_path, process.pid))
            lock.write_holder(process.pid)
            port = await open_port(socket_path, self._ports())
        except BaseException:
            process.kill()
            raise
        self._process = process
        self._store = _describe(binary, socket_path, port, process.pid)
        discovery.publish(data_dir, self._store)
        return self._store

    def _ports(self) -> list[int]:
        """List the ports to try: the one that it had before comes first."""
        first = self.options.port
        if first is None:
            return []
        ports = list(range(first, min(first + self.options.port_attempts, 65_536)))
        if self._store is not None and self._store.port is not None:
            ports.insert(0, self._store.port)
        return ports

    def _require_directory(self) -> tuple[Path, DirectoryLock]:
        if self._data_dir is None or self._lock is None:
            raise RuntimeError("the embedded store is not started")
        return self._data_dir, self._lock

    def _let_go(self) -> None:
        """End what is left of the server, then withdraw and unlock, in this order."""
        if self._process is not None:
            self._process.kill()
            self._process = None
        if self._store is not None:
            _remove_leftover(self._store.socket_path)
            self._store = None
        if self._lock is not None and self._data_dir is not None:
            discovery.withdraw(self._data_dir)
            self._lock.release()
            self._lock = None
        self._deaths = 0


@asynccontextmanager
async def running_server(options: EmbeddedOptions | None = None, **changes: object) -> AsyncIterator[EmbeddedServer]:
    """Give a server that is gone, with all its data, at the end of the block; without a `data_dir` of its
    own.

        async with running_server(appendfsync="always") as server: ...

    With `options` the data stays where they say, and the server is stopped properly.
    """
    if options is not None:
        server = EmbeddedServer(msgspec.structs.replace(options, **changes))
        await server.start()
        try:
            yield server
        finally:
            server.stop_now(server.options.stop_seconds)
        return
    with tempfile.TemporaryDirectory(prefix="cs-", ignore_cleanup_errors=True) as folder:
        base = {"data_dir": f"{folder}/data", "socket_dir": folder, "min_free_mib": 0}
        server = EmbeddedServer(msgspec.convert(base | changes, EmbeddedOptions))
        await server.start()
        try:
            yield server
        finally:
            server.stop_now()


def _describe(binary: ServerBinary, socket_path: str, port: int | None, pid: int) -> RunningStore:
    return RunningStore(
        url=f"unix://{socket_path}",
        socket_path=socket_path,
        port=port,
        server_pid=pid,
        owner_pid=os.getpid(),
        name=binary.name,
        version=binary.version,
        binary=binary.path,
        started_at=time.time(),
    )


def _remove_leftover(socket_path: str) -> None:
    """Remove the socket of a server that was killed; we hold the lock, so nobody listens at it."""
    Path(socket_path).unlink(missing_ok=True)
