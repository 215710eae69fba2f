"""Failover by Sentinel and in a Redis Cluster: nothing confirmed is lost, writes are back, a rollback is seen.

Ordinary run: one failover of each. The campaign (`make campaign TARGET=sentinel`, `TARGET=cluster`) does all of it.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from redis.crc import key_slot

from runtime.errors import Halted, StoreUnavailable
from runtime.store import functions
from runtime.store.append import Appended
from tests.chaos.topologies.at_work import at_work
from tests.chaos.topologies.sentinels import watched_pair
from tests.chaos.topologies.six_nodes import six_nodes
from tests.support.rows import row
from tests.support.things import facts
from tests.support.waiting import until
from tests.support.windows import window

if TYPE_CHECKING:
    from pathlib import Path

    from runtime.store.append import Appender
    from tests.chaos.topologies.at_work import Work

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

BACK_SECONDS = 10.0
"""Floor: writes are back after a failover."""


@window("W6")
@row("S85")
async def test_no_confirmed_loss_failover_of_the_master_behind_sentinels(tmp_path: Path) -> None:
    """F14, W6: killed under load; the replica takes over, and every append that was confirmed is there."""
    async with watched_pair(tmp_path) as pair, at_work(pair.url, partitions=2) as work:
        await work.confirmed_grew(30)
        old = await pair.primary()
        old.kill()
        assert await writes_are_back(work) < BACK_SECONDS
        new = await pair.promoted(old)
        await old.start()
        await old.run("REPLICAOF", "127.0.0.1", new.port)
        await work.confirmed_grew(30)
        await work.stop_producing()
        await work.nothing_confirmed_is_lost()
        assert work.asked_again > 0, "no append met the failover"


@row("S41")
async def test_cluster_three_nodes_serve_all_partitions_and_one_is_replaced_by_its_replica(tmp_path: Path) -> None:
    """F15: eight partitions over three masters; one is killed, its replica takes over, the others never stop."""
    async with six_nodes(tmp_path) as cluster, at_work(cluster.url, partitions=8) as work:
        await work.confirmed_grew(40)
        owners = {(await cluster.owner_of(work.keys.log(partition))).port for partition in range(8)}
        assert len(owners) == 3, "the partitions are on all three masters"
        old = await cluster.owner_of(work.keys.log(0))
        replica = await cluster.replica_of(old)
        old.kill()
        assert await writes_are_back(work, partition=0) < BACK_SECONDS
        await cluster.promoted(replica)
        await old.start()
        await work.confirmed_grew(40)
        await work.stop_producing()
        await work.nothing_confirmed_is_lost()
        assert work.asked_again > 0, "no append met the failover"


@window("W7")
@pytest.mark.chaos
async def test_an_unconfirmed_loss_halts_the_partition_and_an_operator_lets_it_go_on(tmp_path: Path) -> None:
    """I15, W7: a master that is cut off goes on with its clients, and loses what it took when it is found again."""
    quiet = {"partitions": 1, "producing": False, "confirm_replicas": 0}
    async with watched_pair(tmp_path) as pair, at_work(pair.url, **quiet) as work:  # type: ignore[arg-type]
        unconfirmed = work.appender
        await appended(unconfirmed, 0, 5)
        await work.one.at_rest()
        old = await pair.primary()
        await pair.cut_off(old)
        await appended(unconfirmed, 5, 5)
        await work.one.at_rest()
        await pair.promoted(old)
        await pair.join(old)

        async def halted() -> bool:
            with suppress(StoreUnavailable):
                return "ROLLED BACK" in (await work.one.looks())[0].halted
            return False

        await until(halted, within=30.0, what="the partition is halted because it was rolled back")
        with pytest.raises(Halted, match="ROLLED BACK"):
            await appended(unconfirmed, 5, 1)
        assert (await work.seen())["T0"] == [f"T0-{n}" for n in range(1, 6)], "log and effects went back together"

        keys = work.keys
        names = [keys.state(0), keys.operations(0), keys.position("listers", 0)]
        await functions.call(work.one.store.commands, functions.HALT, names, ["operator", "", "looked, and accepted"])
        await appended(unconfirmed, 5, 3)
        await work.one.at_rest(within=20.0)
        assert (await work.seen())["T0"] == [f"T0-{n}" for n in range(1, 9)]


@pytest.mark.chaos
@pytest.mark.parametrize("fault", ["failover", "pause"])
async def test_no_confirmed_loss_failover_under_blocked_reads(fault: str, tmp_path: Path) -> None:
    """F14, F16: the roles change under reads that wait (UNBLOCKED), or the master hangs and comes back as a zombie."""
    async with watched_pair(tmp_path) as pair, at_work(pair.url, partitions=4) as work:
        await work.confirmed_grew(30)
        old = await pair.primary()
        if fault == "failover":
            await pair.failover()
        else:
            old.pause()
        assert await writes_are_back(work) < BACK_SECONDS
        await pair.promoted(old)
        old.wake()
        await work.confirmed_grew(30)
        await work.stop_producing()
        await work.nothing_confirmed_is_lost()


@window("W42")
@pytest.mark.chaos
@pytest.mark.parametrize("fault", ["failover", "pause", "reshard"])
async def test_no_confirmed_loss_failover_in_a_cluster_under_load(fault: str, tmp_path: Path) -> None:
    """F15, W42: a replica takes over in good order; a master hangs; a partition's slot moves while it is worked on."""
    async with six_nodes(tmp_path) as cluster, at_work(cluster.url, partitions=8) as work:
        await work.confirmed_grew(60)
        old = await cluster.owner_of(work.keys.log(0))
        slot = key_slot(work.keys.log(0).encode())
        if fault == "failover":
            await cluster.failover(old)
        elif fault == "pause":
            replica = await cluster.replica_of(old)
            old.pause()
            await cluster.promoted(replica)
        else:
            target = next(one for one in cluster.nodes[:3] if one is not old)
            await cluster.move_slot(slot, target)
            assert await cluster.owner(slot) is target
        assert await writes_are_back(work) < BACK_SECONDS
        old.wake()
        await cluster.whole()
        await work.confirmed_grew(60)
        await work.stop_producing()
        await work.nothing_confirmed_is_lost()


async def appended(appender: Appender, version: int, count: int) -> None:
    """So many facts of one entity, each by itself."""
    for n in range(version, version + count):
        answer = await appender.append(facts("T0", n, 1, command=f"T0-{n}"))
        assert isinstance(answer, Appended)


async def writes_are_back(work: Work, partition: int = 0) -> float:
    """Seconds until the new master takes a write; a replica may not have it yet."""
    began = time.monotonic()
    client = work.one.store.commands

    async def taken() -> bool:
        with suppress(Exception):
            return bool(await client.set(work.keys.name("probe", partition), "1", px=60_000))
        return False

    await until(taken, within=30.0, what="a write is taken again")
    return time.monotonic() - began
