"""Partitions change hands between real `claimstream run` processes: by a death, and by a drain under load."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import pytest

from tests.chaos.support.claims_ledger import ledger
from tests.chaos.support.claims_producer import Producer
from tests.chaos.support.claims_run import LEASE_SECONDS, claims_cluster
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.chaos.support.claims_run import ClaimsCluster

DRAIN_SECONDS = 20.0
"""The drain budget of the profile `test`."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


async def loaded(cluster: ClaimsCluster, claims: int) -> Producer:
    """Put so many notices in at once."""
    producer = Producer(cluster, random.Random(1))
    for _ in range(claims):
        await producer.submit()
    return producer


async def everything_was_done_once(cluster: ClaimsCluster, *producers: Producer) -> None:
    """Both verdicts: ours, id by id, and that of `claimstream verify`."""
    await cluster.at_rest()
    book = await ledger(cluster)
    assert not book.wrong
    assert not [wrong for one in producers for wrong in book.outcomes_of(one.sent)]
    assert len(book.submitted()) == len({claim for one in producers for claim in one.claims})
    assert cluster.verdict()["ok"]


async def test_two_runs_share_four_partitions_and_the_survivor_of_a_kill_serves_all(tmp_path: Path) -> None:
    async with claims_cluster(tmp_path, partitions=4) as cluster:
        first = await cluster.birth()
        assert cluster.cli("lab", "load-sample-data").code == 0
        await cluster.birth()

        async def shared() -> bool:
            owners = await cluster.owners()
            return len(owners) == 2 and "" not in owners

        await until(shared, what="both serve, and every seat is served")
        before = await loaded(cluster, 60)
        killed = time.monotonic()
        first.kill()

        async def taken_over() -> bool:
            owners = await cluster.owners()
            return len(owners) == 1 and "" not in owners

        await until(taken_over, what="the survivor serves all")
        took = time.monotonic() - killed
        assert took < LEASE_SECONDS + 1.0, f"takeover after {took:.2f} s"
        await everything_was_done_once(cluster, before)


async def test_a_stop_under_load_ends_in_time_and_leaves_nothing_to_anybody_but_the_next_owner(tmp_path: Path) -> None:
    async with claims_cluster(tmp_path, partitions=1) as cluster:
        one = await cluster.birth()
        assert cluster.cli("lab", "load-sample-data").code == 0
        producer = await loaded(cluster, 150)

        async def in_the_middle() -> bool:
            look = (await cluster.looks())["processors on claims:events"]
            return 0 < look.settled < look.added

        await until(in_the_middle, what="it is in the middle of its work")
        asked = time.monotonic()
        assert await one.drained(within=DRAIN_SECONDS) == 0, one.log()[-2000:]
        took = time.monotonic() - asked
        looks = await cluster.looks()
        assert [name for name, look in looks.items() if look.backlog], f"nothing was left to hand over in {took:.2f} s"
        assert not [name for name, look in looks.items() if look.pending], "something is pending at nobody"
        assert not [name for name, look in looks.items() if look.started], "a start mark was left: a death would count"
        assert await cluster.owners() == {""}, "a seat is still held"
        assert "Traceback" not in one.log()
        cluster.bury(one)
        await cluster.birth()
        await everything_was_done_once(cluster, producer)
        for keys in cluster.keyspaces:
            for group in ("processors", "analytics", "intake", "dispatchers"):
                record = await cluster.client.hgetall(keys.position(group, 0))
                assert b"deaths" not in record, f"{group}: a drain was counted as a death"
