"""One server of a topology: a store, or a sentinel, on a free port of the loopback, with its data in a folder.

Started from the binary that the project brings (or the one that `CLAIMSTREAM_TEST_SERVER` names): a server that is
started with `--sentinel` is a sentinel. It cannot outlive the process that started it.
"""

from __future__ import annotations

import os
import signal
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import redis.exceptions
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from runtime.embedded.locate import locate
from runtime.embedded.process import ServerProcess
from tests.support.store import BINARY_VARIABLE
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

AWAY = (redis.exceptions.RedisError, OSError)
"""What a client of a server sees that is killed, paused or not ready yet."""

DURABLE = {
    "save": "",
    "appendonly": "yes",
    "maxmemory-policy": "noeviction",
    "repl-diskless-sync-delay": "0",  # 5 s by default before the first sync (redis-facts C9)
    "repl-ping-replica-period": "1",
    "protected-mode": "no",
    "maxmemory": "256mb",
}
"""Directives of every store here."""


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Node:
    """One server process. `port` stays the same over restarts."""

    def __init__(
        self, folder: Path, directives: Mapping[str, str], *, sentinel: str | None = None, password: str | None = None
    ) -> None:
        """Nothing is started. `sentinel`: the text of a sentinel's configuration, which it will rewrite itself."""
        self.folder = folder
        self.port = free_port()
        self.password = password
        self._directives = dict(directives)
        self._sentinel = sentinel
        self._process: ServerProcess | None = None
        self._client: Redis | None = None

    @property
    def place(self) -> str:
        """Host and port, as the servers name each other."""
        return f"127.0.0.1:{self.port}"

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int | None:
        """The process; None while there is none."""
        return self._process.pid if self._process is not None and self.running else None

    async def start(self, within: float = 20.0) -> None:
        """Start it and wait for an answer. Again after `kill`: with its data, on its port."""
        self.folder.mkdir(parents=True, exist_ok=True)
        devnull = os.open(os.devnull, os.O_RDONLY)
        try:
            self._process = ServerProcess.start(
                self._words(), log=self.folder / "server.log", keep_open=devnull, stop_seconds=5.0
            )
        finally:
            os.close(devnull)

        async def answers() -> bool:
            assert self.running, f"{self.folder.name} ended at once: {(self.folder / 'server.log').read_text()[-600:]}"
            with suppress(*AWAY):
                return bool(await self.run("PING"))
            return False

        await until(answers, within=within, what=f"{self.folder.name} answers")

    def _words(self) -> list[str]:
        binary = locate(os.environ.get(BINARY_VARIABLE)).path
        common = {"port": str(self.port), "bind": "127.0.0.1", "dir": str(self.folder), "daemonize": "no"}
        words = [binary]
        if self._sentinel is not None:
            config = self.folder / "sentinel.conf"
            if not config.exists():
                config.write_text(self._sentinel)
            words += [str(config), "--sentinel"]
        for name, value in (common | self._directives).items():
            words += [f"--{name}", *(value.split() if name == "user" else [value])]
        return words

    async def run(self, *words: str | bytes | int) -> Any:
        """Send one command over a connection of our own."""
        if self._client is None:
            self._client = Redis(
                host="127.0.0.1", port=self.port, password=self.password, socket_timeout=3.0,
                socket_connect_timeout=1.0, protocol=2, retry=Retry(NoBackoff(), 0),
            )  # fmt: skip
            self._client.response_callbacks.clear()
        return await self._client.execute_command(*words)  # type: ignore[no-untyped-call]

    async def info(self, section: str) -> dict[str, str]:
        """One section of INFO, as texts."""
        lines = (await self.run("INFO", section)).decode().splitlines()
        return {name: value for name, colon, value in (line.partition(":") for line in lines) if colon}

    async def info_cluster(self) -> dict[str, str]:
        """CLUSTER INFO, as texts."""
        lines = (await self.run("CLUSTER", "INFO")).decode().splitlines()
        return {name: value for name, colon, value in (line.partition(":") for line in lines) if colon}

    def kill(self) -> None:
        """Kill -9, and wait for its end."""
        if self._process is not None:
            self.wake()
            self._process.kill()

    def pause(self) -> None:
        """SIGSTOP."""
        if self.pid is not None:
            os.kill(self.pid, signal.SIGSTOP)

    def wake(self) -> None:
        """SIGCONT."""
        if self.pid is not None:
            os.kill(self.pid, signal.SIGCONT)

    async def shut_down(self) -> None:
        """End it in good order."""
        if self._process is not None and self.running:
            self._process.terminate()
            await self._process.wait()

    async def close(self) -> None:
        """End it for good; its files stay."""
        if self._client is not None:
            with suppress(*AWAY):
                await self._client.aclose()
            self._client = None
        if self._process is not None:
            self.wake()
            self._process.kill()
