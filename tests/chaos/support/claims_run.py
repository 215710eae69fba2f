"""A store and real `claimstream run` processes on it, for the tests that do harm to them.

async with claims_cluster(tmp_path, partitions=4) as cluster:
    await cluster.birth()
    ...
    await cluster.at_rest()
    assert cluster.verdict()["ok"]
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import redis.exceptions
from redis.asyncio import Redis

from runtime.embedded.server import running_server
from runtime.errors import RuntimeFault
from runtime.fleet import death_with_parent
from runtime.store.keys import Keyspace
from runtime.store.position import look
from tests.support.commands import argv, cli, environment
from tests.support.source_tree import ROOT
from tests.support.waiting import PATIENCE, until
from workers.keys import claim_log, notification_log, request_log

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from runtime.answers import Look
    from runtime.embedded.server import EmbeddedServer

LEASE_SECONDS = 1.0
"""Lease of the processes here: short, so that a takeover does not take most of a test."""

START_SECONDS = 40.0
"""Until a process says that it is ready, on a machine that others use as well."""

AWAY = (redis.exceptions.RedisError, RuntimeFault, OSError)
"""What a client of a store sees that is killed, paused or cut off."""


class Process:
    """One `claimstream run`; with `processes` above 1 it is a parent and its workers are its children."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        """Started by `ClaimsCluster.birth`."""
        self.process = process
        self.log_file = log
        self.told: dict[str, Any] = {}

    @property
    def met_no_store(self) -> bool:
        """Did it end at once, because the store was away when it started?"""
        return self.process.poll() == 2 and "cannot be used" in self.log()

    def has_started(self) -> bool:
        """Has it said where everything is?"""
        if self.told:
            return True
        if self.process.poll() is not None:
            raise RuntimeError(f"it ended with {self.process.returncode}: {self.log()[-2000:]}")
        assert self.process.stdout is not None
        line = self.process.stdout.read()
        if line:
            self.told = json.loads(line.splitlines()[0])
        return bool(line)

    def log(self) -> str:
        """What it wrote on stderr."""
        return self.log_file.read_text(errors="replace")

    def workers(self) -> list[int]:
        """Process ids of those that do the work."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in children] or [self.process.pid]

    def kill(self) -> None:
        """End it without a word, and wait until it is gone."""
        self.process.kill()
        self.process.wait()

    async def drained(self, within: float = PATIENCE) -> int:
        """Ask for the end and wait for it; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        await until(lambda: self.process.poll() is not None, within=within, what="the process has drained")
        return int(self.process.returncode)

    def close(self) -> None:
        """Leave nothing behind."""
        if self.process.poll() is None:
            self.kill()
        assert self.process.stdout is not None
        self.process.stdout.close()


class ClaimsCluster:
    """A store of the test's own and the processes on it."""

    def __init__(self, server: EmbeddedServer, client: Any, folder: Path, partitions: int) -> None:
        """Made by `claims_cluster`; nobody runs yet. `client` is Any: its types cover every protocol at once."""
        self.server = server
        self.client = client
        self.folder = folder
        self.partitions = partitions
        self.processes: list[Process] = []
        self.born = 0
        logs = (claim_log, request_log, notification_log)
        self.keyspaces = [Keyspace(log(partitions)) for log in logs]

    @property
    def claims(self) -> Keyspace:
        """Names of the claim log."""
        return self.keyspaces[0]

    @property
    def requests(self) -> Keyspace:
        """Names of the request log."""
        return self.keyspaces[1]

    @property
    def data_dir(self) -> Path:
        """Where keys and the notifications' log file are; shared by all processes."""
        return self.folder / "data" / "store"

    @property
    def env(self) -> Mapping[str, str]:
        """Settings of the processes and of the commands."""
        return {
            "CLAIMSTREAM_LOG__PARTITIONS": str(self.partitions),
            "CLAIMSTREAM_HOST__LEASE__TTL_SECONDS": str(LEASE_SECONDS),
            "CLAIMSTREAM_HOST__LEASE__BEAT_SECONDS": "0.2",
            "CLAIMSTREAM_HOST__LEASE__MARGIN_SECONDS": "0.1",
        }

    def launch(self, *words: str) -> Process:
        """Start one process and do not wait for it."""
        self.born += 1
        log = self.folder / f"run-{self.born}.log"
        with log.open("wb") as stderr:
            process = subprocess.Popen(
                argv("run", "--json", "--port", "0", *words, data_dir=self.data_dir, url=self.server.url),
                cwd=ROOT, env=environment(self.env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr,
                preexec_fn=death_with_parent(),
            )  # fmt: skip
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        one = Process(process, log)
        self.processes.append(one)
        return one

    async def birth(self, *words: str) -> Process:
        """Start one process and wait until it says that it is ready."""
        one = self.launch(*words)
        await until(one.has_started, what="the process is ready")
        return one

    def bury(self, one: Process) -> None:
        """Forget a process that has ended."""
        self.processes.remove(one)
        one.close()

    def cli(self, *words: str, within: float = PATIENCE) -> Any:
        """One command line on this store, to its end."""
        return cli(*words, url=self.server.url, data_dir=self.data_dir, env=self.env, within=within)

    async def restart_store(self) -> None:
        """Kill the store and start it again on what it had confirmed."""
        os.kill(self.server.store.server_pid, signal.SIGKILL)
        await self.server.wait()
        await self.server.restart()

    async def looks(self) -> dict[str, Look]:
        """Every group of every partition of every log, by name."""
        found: dict[str, Look] = {}
        for keys in self.keyspaces:
            for partition in range(keys.spec.partitions):
                for group in await groups_of(self.client, keys, partition):
                    found[f"{group} on {keys.log(partition)}"] = await look(self.client, keys, group, partition)
        return found

    async def at_rest(self, within: float = PATIENCE) -> None:
        """Wait until no group has anything to do, seen twice with nothing added in between."""
        before = -1

        async def resting() -> bool:
            nonlocal before
            try:
                seen = await self.looks()
            except AWAY:
                return False
            added = sum(one.added for one in seen.values()) if all(one.at_rest for one in seen.values()) else -1
            same = added >= 0 and added == before
            before = added
            return same

        try:
            await until(resting, within=within, what="every group is at rest")
        except AssertionError as problem:
            busy = {name: one for name, one in (await self.looks()).items() if not one.at_rest}
            problem.add_note(f"not at rest: {busy}")
            raise

    def verdict(self) -> dict[str, Any]:
        """What `claimstream verify --json` says."""
        verdict: dict[str, Any] = self.cli("verify", "--json").json
        return verdict

    async def owners(self) -> set[str]:
        """Who serves; with a '' when a seat is served by nobody."""
        found: set[str] = set()
        for keys in self.keyspaces:
            for partition in range(keys.spec.partitions):
                for group in await groups_of(self.client, keys, partition):
                    found.add((await self.client.get(keys.lease(group, partition)) or b"").decode())
        return found


async def groups_of(client: Any, keys: Keyspace, partition: int) -> list[str]:
    """The groups that a partition has ever had, also those that somebody destroyed."""
    fields: list[bytes] = await client.hkeys(keys.state(partition))
    return sorted(name.decode()[6:] for name in fields if name.startswith(b"group:"))


@asynccontextmanager
async def claims_cluster(folder: Path, partitions: int = 1) -> AsyncIterator[ClaimsCluster]:
    """A store that fsyncs everything, without any process on it; all are killed in the end."""
    (folder / "data").mkdir()
    async with running_server(appendfsync="always") as server:
        client = Redis(unix_socket_path=server.store.socket_path, socket_timeout=5.0)
        cluster = ClaimsCluster(server, client, folder, partitions)
        try:
            yield cluster
        finally:
            for one in list(cluster.processes):
                one.close()
            with suppress(*AWAY):
                await client.aclose()
