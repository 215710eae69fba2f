"""A region is lost with all that is in it: a person promotes the replica in the second one, and work goes on there.

Real servers, real processes of `claimstream run`, one archive and one key vault per region; what is shipped between the
regions is the stream of the replica, and copies of files. The runbook is deploy/runbooks/region.md.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.chaos.topologies.node import DURABLE, Node, free_port
from tests.chaos.topologies.sentinels import in_step
from tests.support.commands import Said, argv, environment, here, running_cluster
from tests.support.rows import row
from tests.support.source_tree import ROOT
from tests.support.waiting import PATIENCE, until, until_sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.commands import Cluster

CLAIM = {"amount": 4200, "type": "auto", "description": "dent"}
CONFIRMED = {"CLAIMSTREAM_STORE__OPTIONS__CONFIRM_REPLICAS": "1"}
"""An append counts when the other region has it (WAIT)."""
SHIPPED = ("archive", "keys.sqlite", "master.key")
"""What is copied between regions beside the replica's stream: the archive, and the keys of persons."""


def notice(number: int) -> str:
    """A first notice of loss on a policy of its own; whether there is one, people find out later."""
    return json.dumps(CLAIM | {"policyId": f"POL-{number}", "customerId": f"CUST-{number}"})


class Region:
    """A store, and the files of those who work on it."""

    def __init__(self, folder: Path, servers: asyncio.Runner) -> None:
        """Nothing is started."""
        folder.mkdir()
        self.folder = folder
        self.node = Node(folder / "server", DURABLE)
        self._servers = servers

    @property
    def url(self) -> str:
        return f"redis://{self.node.place}/0"

    @property
    def env(self) -> dict[str, str]:
        return {"CLAIMSTREAM_ARCHIVE__DIRECTORY": str(self.folder / "archive")}

    def server(self, *words: str | int) -> Any:
        """One command to the store."""
        return self._servers.run(self.node.run(*words))

    @contextmanager
    def at_work(self, env: dict[str, str] | None = None) -> Iterator[Cluster]:
        """`claimstream run` in this region."""
        told = self.env | (env or {})
        with running_cluster("--port", "0", data_dir=self.folder / "store", url=self.url, env=told) as cluster:
            yield cluster

    def cs(self, *words: str, env: dict[str, str] | None = None) -> Said:
        """A command of a person in this region."""
        return here(*words, data_dir=self.folder / "store", url=self.url, env=self.env | (env or {}))

    def ok(self, *words: str, env: dict[str, str] | None = None) -> Any:
        """The same; it has to end with 0."""
        said = self.cs(*words, "--json", env=env)
        assert said.code == 0, said
        return said.json

    def submit(self, number: int, env: dict[str, str] | None = None) -> Said:
        """A first notice on a policy of its own."""
        return self.cs("claim", "submit", notice(number), "--json", env=env)

    @contextmanager
    def submitting(self, number: int, env: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
        """The same by somebody who waits for his answer meanwhile."""
        with subprocess.Popen(
            argv("claim", "submit", notice(number), "--json", data_dir=self.folder / "store", url=self.url),
            cwd=ROOT, env=environment(self.env | env), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as waiting:  # fmt: skip
            try:
                yield waiting
            finally:
                waiting.kill()

    def at_rest(self) -> None:
        """Wait until no group has anything to do, seen twice: one may have been given work by one looked at later."""
        before: list[int] = []

        def resting() -> bool:
            groups = self.ok("groups")["groups"]
            idle = not any(group["backlog"] for group in groups)
            settled = [group["settled"] for group in groups] if idle else []
            same = idle and settled == before
            before[:] = settled
            return same

        until_sync(resting, what=f"every group in {self.folder.name} rests")

    def verified(self) -> Any:
        """What `verify` says at rest; asked again when the cluster was at work meanwhile."""
        while True:
            self.at_rest()
            said = self.cs("verify", "--json").json
            if not said["moving"]:
                return said

    def facts(self) -> set[str]:
        """Ids of the entries of the log of claims."""
        return {entry_id.decode() for entry_id, _ in self.server("XRANGE", "claims:events", "-", "+")}

    def archived(self) -> int:
        """Entries of the log of claims in the archive's files."""
        said = self.cs("archive", "status", "--json").json["archive"]
        (found,) = [int(one["entries"]) for one in said if one["log"].startswith("claims:events")]
        return found

    def ship_to(self, other: Region) -> None:
        """Copy the files that the other region needs."""
        for name in SHIPPED:
            if (self.folder / name).is_dir():
                shutil.copytree(self.folder / name, other.folder / name, dirs_exist_ok=True)
            else:
                shutil.copy(self.folder / name, other.folder / name)


@contextmanager
def two_regions(folder: Path) -> Iterator[tuple[Region, Region]]:
    """A master here, its replica there, in step."""
    with asyncio.Runner() as servers:
        first, second = Region(folder / "first", servers), Region(folder / "second", servers)

        async def begin() -> None:
            await asyncio.gather(first.node.start(), second.node.start())
            await second.node.run("REPLICAOF", "127.0.0.1", first.node.port)
            await until(lambda: in_step(first.node), what="the replica is in step")

        async def end() -> None:
            await asyncio.gather(first.node.close(), second.node.close())

        try:
            servers.run(begin())
            yield first, second
        finally:
            servers.run(end())


@row("S87")
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_region_drill_what_was_confirmed_is_there_and_the_rest_is_halted_explained_and_put_back(tmp_path: Path) -> None:
    with two_regions(tmp_path) as (first, second), first.at_work(CONFIRMED) as cluster:
        confirmed = [first.submit(521585 - 3 * n, CONFIRMED).json["claimId"] for n in range(4)]
        first.at_rest()
        # The line between the stores breaks; the first region goes on writing, and can confirm nothing.
        second.server("REPLICAOF", "127.0.0.1", free_port())
        before = first.facts()
        with first.submitting(521000, CONFIRMED) as waiting:
            until_sync(lambda: first.facts() > before, what="the log of the first region has one more fact")
            until_sync(lambda: first.archived() > len(before), what="so has its archive")
            assert waiting.poll() is None, "it was confirmed, and no other region has it"
            first.ship_to(second)
            cluster.process.send_signal(signal.SIGKILL)
            first.node.kill()

            second.server("REPLICAOF", "NO", "ONE")
            assert second.facts() == before
            goes_on_in(second, confirmed)
            _, said = waiting.communicate(timeout=PATIENCE)
            assert waiting.returncode != 0, "what nobody confirmed was called done"
            assert "error" in said


def goes_on_in(region: Region, confirmed: list[str]) -> None:
    """Halted with its reason, accepted, put back; every confirmed claim is there, and new ones are taken."""
    with region.at_work() as cluster:
        until_sync(lambda: region.server("HGET", "claims:events:state", "halted"), what="it is halted")
        told = region.cs("doctor", "--json").json["findings"]
        (found,) = [one for one in told if "ROLLED BACK" in one["seen"] and "of claims:events " in one["seen"]]
        assert "claimstream archive accept" in found["advice"]
        assert "ROLLED BACK" in region.submit(520997).err, "a log that was rolled back took a claim"
        accepted = region.ok("archive", "accept", "--reason", "the first region is lost")["accepted"]
        (claims,) = [one for one in accepted if one["log"] == "claims:events"]
        back = region.ok("archive", "put-back", claims["aside"])
        assert back["refused"] == []
        assert back["appended"] >= 1, "what was not confirmed was archived, and is put back"
        later = region.submit(520994).json["claimId"]
        region.at_rest()
        for claim in (*confirmed, later):
            assert region.ok("claim", "show", claim)["claimId"] == claim
        assert region.verified()["differences"] == 0
        assert cluster.stop() == 0
