"""Old and new code side by side on one log, under load: nothing lost, nothing doubled, nothing refused."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from runtime.embedded.server import running_server
from runtime.store.clients import StoreAddress, open_commands
from runtime.store.position import look
from tests.support.rows import row
from tests.support.small_cluster import small_application
from tests.support.source_tree import ROOT
from tests.support.store import command
from tests.support.two_versions import FEEDER, older_version
from tests.support.waiting import until
from tests.support.windows import window
from workers.verifying import verify

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from workers.application import Application

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

CLAIMS = 80


class Worker:
    """One process of `claimstream run`, of either version."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process = process
        self.log = log

    async def up(self) -> None:
        """It serves its seats."""
        await until(self._serves, within=60.0, what=f"a worker is up: {self.log.read_text()[-500:]}")

    def _serves(self) -> bool:
        assert self.process.returncode is None, self.log.read_text()[-2000:]
        return "ChildStarted" in self.log.read_text()

    async def drained(self) -> None:
        """SIGTERM, and it ends in good order."""
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(40.0):
            code = await self.process.wait()
        assert code == 0, self.log.read_text()[-2000:]


@asynccontextmanager
async def worker(tree: Path, environment: dict[str, str], log: Path) -> AsyncIterator[Worker]:
    """Start a worker from a tree; killed at the end when it still runs."""
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "workers", "run", "--port", "0", cwd=tree, env=environment, stdout=out, stderr=out
        )
    try:
        yield Worker(process, log)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def feed(tree: Path, environment: dict[str, str], first: int, last: int) -> list[str]:
    """Append claims from a tree; the ids of the confirmed ones."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", FEEDER, str(first), str(last), cwd=tree, env=environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    told, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()[-2000:]
    return [name for line in told.splitlines() for name in json.loads(line)]


@window("W43")
@row("P35", "M52")
async def test_a_rolling_upgrade_and_the_way_back_under_load_lose_and_double_nothing(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """old old -> old new -> new new -> new old -> new, while claims come in; writers are the last to be new."""
    old = older_version(tmp_path)
    record_property("the older version", old.origin)
    async with running_server() as server, AsyncExitStack() as stack:
        place = StoreAddress.parse(server.url)
        admin = open_commands(place, max_connections=2)
        stack.push_async_callback(admin.aclose)
        # As in production: who runs may not load functions, so an older program cannot put its text over a newer one.
        await command(admin, "ACL", "SETUSER", "app", "on", ">word", "~*", "&*", "+@all", "-function")
        environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            "REDIS_URL": f"unix://app:word@{place.socket_path}",
            "CLAIMSTREAM_PROFILE": "local",
            "CLAIMSTREAM_PRIVACY__VAULT": str(tmp_path / "keys.sqlite"),
            "CLAIMSTREAM_PRIVACY__MASTER_KEY_FILE": str(tmp_path / "master.key"),
            "CLAIMSTREAM_CHANNELS__LOG_FILE": str(tmp_path / "notifications.jsonl"),
        }
        async with small_application(place, tmp_path, simulation=False, more={"archive.enabled": False}) as app:

            async def start(tree: Path, name: str) -> Worker:
                one = await stack.enter_async_context(worker(tree, environment, tmp_path / f"{name}.log"))
                await one.up()
                return one

            first, second = await start(old.tree, "old-1"), await start(old.tree, "old-2")
            load = asyncio.create_task(feed(old.tree, environment, 0, CLAIMS))
            third = await start(ROOT, "new-1")
            await first.drained()
            fourth = await start(ROOT, "new-2")
            await second.drained()
            confirmed = await load
            more = asyncio.create_task(feed(old.tree, environment, CLAIMS, 2 * CLAIMS))
            fifth = await start(old.tree, "old-3")
            await third.drained()
            confirmed += await more
            await at_rest(app)
            await fifth.drained()
            await at_rest(app)
            await fourth.drained()
            assert len(set(confirmed)) == len(confirmed) == 2 * CLAIMS
            assert all(await app.claims.read(confirmed)), "a confirmed claim is lost"
            report = await verify(app)
            assert report.ok, {name: one.first for name, one in report.invariants.items() if one.violations}


async def at_rest(app: Application) -> None:
    """Wait until no group has anything to do."""

    async def done() -> bool:
        for log in app.store.logs.values():
            for partition in range(log.keys.spec.partitions):
                state = await app.store.reads.one("HKEYS", log.keys.state(partition))
                for field in state:
                    if field.startswith(b"group:"):
                        seen = await look(app.store.commands, log.keys, field.decode()[6:], partition)
                        assert not seen.parked, f"{field.decode()} has parked {seen.parked} entries"
                        if not seen.at_rest:
                            return False
        return True

    await until(done, within=60.0, what="every group at rest")
