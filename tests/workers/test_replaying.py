"""A replay builds a projection beside the live one and swaps it while the cluster works; nothing is sent by it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from runtime.errors import EffectRefused
from runtime.store.rebuilding import Rebuild
from tests.support.rows import row
from tests.support.small_cluster import small_cluster
from tests.support.store import command
from tests.support.trimming import archives
from tests.support.windows import window
from workers import replay_staging
from workers.keys import CLAIM_LOG
from workers.replay_intents import IntentCheck
from workers.replaying import Replay, entries_between

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from redis.asyncio import Redis

    from runtime.effects import Effect
    from runtime.store.address import StoreAddress
    from tests.support.small_cluster import SmallCluster


def replay(cluster: SmallCluster, directory: Path, partition: int = 0) -> Replay:
    return Replay(cluster.app.store, "analytics", partition, archives(directory))


async def violations(cluster: SmallCluster, directory: Path) -> dict[str, list[str]]:
    report = await cluster.verified(archives=archives(directory))
    return {name: one.first for name, one in report.invariants.items() if one.violations}


async def staged(client: Redis) -> list[bytes]:
    return [name async for name in client.scan_iter("rebuild:*")]


@row("S32")
async def test_a_replay_of_healthy_analytics_finds_no_difference_and_sends_nothing(
    store_address: StoreAddress, commands: Redis, tmp_path: Path
) -> None:
    async with small_cluster(store_address, tmp_path) as cluster:
        await cluster.submit(6)
        await cluster.to_the_end()
        before = await command(commands, "XINFO", "STREAM", "claims:notifications")
        position = await command(commands, "HGETALL", "claims:events:position:analytics")
        dry = await replay(cluster, tmp_path).run(dry_run=True)
        assert (dry.differences, dry.swapped) == (0, False)
        done = await replay(cluster, tmp_path).run(dry_run=False, who="ann", why="to see")
        assert (done.differences, done.swapped) == (0, True)
        assert await command(commands, "XINFO", "STREAM", "claims:notifications") == before
        assert await command(commands, "HGETALL", "claims:events:position:analytics") == position, "never set back"
        assert await violations(cluster, tmp_path) == {}
        assert await staged(commands) == []


@pytest.mark.parametrize(("page", "batch"), [(1, 1), (3, 7), (4, 5000)])
async def test_a_replay_is_the_same_for_every_cut_into_pages_and_batches(
    store_address: StoreAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: int, batch: int
) -> None:
    monkeypatch.setattr(replay_staging, "PAGE", page)
    monkeypatch.setattr(replay_staging, "BATCH", batch)
    async with small_cluster(store_address, tmp_path) as cluster:
        await cluster.submit(3)
        await cluster.to_the_end()
        done = await replay(cluster, tmp_path).run(dry_run=False, who="ann", why="to see")
        assert (done.differences, done.swapped) == (0, True)
        assert done.entries > 20
        assert await violations(cluster, tmp_path) == {}


async def test_entries_that_come_to_more_effects_than_one_step_takes_are_staged_in_halves(
    store_address: StoreAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with small_cluster(store_address, tmp_path) as cluster:
        await cluster.submit(3)
        await cluster.to_the_end()
        taken: list[int] = []
        applied = Rebuild.apply

        async def few(self: Rebuild, effects: Iterable[Effect], upto: str, count: int) -> None:
            if len(list(effects)) > 40:
                raise EffectRefused("more than 40 effects")
            await applied(self, effects, upto, count)
            taken.append(count)

        monkeypatch.setattr(Rebuild, "apply", few)
        done = await replay(cluster, tmp_path).run(dry_run=True)
        assert done.differences == 0
        assert taken == sorted(taken)
        assert len(taken) > 2, "nothing was halved"
        assert taken[-1] == done.entries


async def test_wrong_figures_are_named_and_set_right(
    store_address: StoreAddress, commands: Redis, tmp_path: Path
) -> None:
    async with small_cluster(store_address, tmp_path) as cluster:
        await cluster.submit(4)
        await cluster.to_the_end()
        names = sorted([name async for name in commands.scan_iter("analytics:daily:*")])
        await command(commands, "HSET", names[0], "invented", "7")
        await command(commands, "DEL", names[1])
        await command(commands, "HSET", "analytics:strange", "x", "1")
        found = await replay(cluster, tmp_path).run(dry_run=True)
        assert found.differences is not None and found.differences > 2
        assert any("invented" in line for line in found.first)
        assert "analytics" in await violations(cluster, tmp_path), "a dry run changes nothing"
        assert (await replay(cluster, tmp_path).run(dry_run=False, who="ann", why="wrong")).swapped
        assert await violations(cluster, tmp_path) == {}
        operations = await command(commands, "XRANGE", "claims:events:operations", "-", "+")
        assert b"swap" in str(operations[-1]).encode()


@window("W44")
@pytest.mark.parametrize("partitions", [1, 2])
async def test_w44_a_rebuild_under_load_equals_the_fold(
    store_address: StoreAddress, commands: Redis, tmp_path: Path, partitions: int
) -> None:
    async with small_cluster(store_address, tmp_path, partitions=partitions) as cluster:
        await cluster.submit(4)
        stop = asyncio.Event()

        async def load() -> int:
            rounds = 0
            while not stop.is_set() and rounds < 12:
                rounds += 1
                await cluster.submit(4 + rounds)
            return rounds

        task = asyncio.create_task(load())
        swaps = 0
        try:
            for _ in range(2):
                for partition in range(partitions):
                    done = await replay(cluster, tmp_path, partition).run(dry_run=False, who="ann", why="load")
                    assert done.differences in (0, None)
                    swaps += done.swapped
        finally:
            stop.set()
            rounds = await task
        assert swaps == 2 * partitions
        assert rounds >= 1
        await cluster.to_the_end()
        assert await violations(cluster, tmp_path) == {}
        assert await staged(commands) == []


async def test_a_swap_is_refused_unless_both_stand_at_one_place(
    store_address: StoreAddress, commands: Redis, tmp_path: Path
) -> None:
    async with small_cluster(store_address, tmp_path) as cluster:
        await cluster.submit(2)
        await cluster.at_rest()
        app = cluster.app
        rebuild = Rebuild(app.store.commands, app.store.reads, app.store.logs[CLAIM_LOG], "analytics", 0)
        await rebuild.begin()
        live = await rebuild.live()
        await rebuild.apply([], live.position, 1)
        await cluster.submit(3)
        await cluster.at_rest()
        assert not await rebuild.swap(live, [], [], who="ann", why="x")
        assert await violations(cluster, tmp_path) == {}
        await rebuild.begin()


async def test_intents_are_compared_and_never_written(
    store_address: StoreAddress, commands: Redis, tmp_path: Path
) -> None:
    async with small_cluster(store_address, tmp_path) as cluster:
        await cluster.submit(3)
        await cluster.to_the_end()
        log = cluster.app.store.logs[CLAIM_LOG]

        async def differences() -> list[str]:
            check = IntentCheck(cluster.app.store.reads, log, 0)
            await check.begin()
            reads = cluster.app.store.reads
            async for page in entries_between(reads, log, 0, archives(tmp_path), "", ""):
                await check.page([one for one in page if one.sequence > 0])
            check.finish()
            return check.differences

        length = await command(commands, "XLEN", "claims:notifications")
        assert await differences() == []
        first = (await command(commands, "XRANGE", "claims:notifications", "-", "+", "COUNT", 1))[0][0]
        await command(commands, "XDEL", "claims:notifications", first)
        (line,) = await differences()
        assert "lacks the intent" in line
        assert await command(commands, "XLEN", "claims:notifications") == length - 1
