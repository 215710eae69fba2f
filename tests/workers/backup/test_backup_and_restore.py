"""Backup, destroy, restore, verify: what was confirmed is there again, and nothing is told or paid twice."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from domain.privacy import SEALED_PREFIX
from domain.transitions import State
from runtime.embedded.server import running_server
from runtime.errors import Halted
from runtime.store.clients import StoreAddress, open_commands
from runtime.store.restoring import NotEmpty
from tests.support.notices import claims_cluster
from tests.support.paying import PayingHouse
from tests.support.rows import row
from tests.support.small_cluster import small_cluster, small_settings
from tests.support.store import command
from tests.support.waiting import until
from workers.backup.files import MANIFEST, BackupDamaged, read_manifest
from workers.backup.restoring import Restore, Restored
from workers.backup.taking import Backup
from workers.bootstrap import log_specs, open_application
from workers.keys import CLAIM_LOG, NOTIFICATION_LOG
from workers.stub_bank.server import serving_bank

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from redis.asyncio import Redis

    from tests.support.small_cluster import SmallCluster
    from workers.backup.files import Manifest

NO_ARCHIVE = {"archive.enabled": False}


@asynccontextmanager
async def another_store() -> AsyncIterator[StoreAddress]:
    """An empty store that the test may fill, and throw away with all that is in it."""
    async with running_server() as server:
        yield StoreAddress.parse(server.url)


async def backed_up(cluster: SmallCluster, folder: Path) -> Manifest:
    store = cluster.app.store
    return await Backup(store.commands, store.reads, [log.keys for log in store.logs.values()]).take(folder)


async def restored(address: StoreAddress, folder: Path, until_ms: int | None = None) -> Restored:
    client = open_commands(address, max_connections=2)
    try:
        return await Restore(client, folder, log_specs(small_settings(folder)), until_ms=until_ms).run()
    finally:
        await client.aclose()


async def ids_of(client: Redis, stream: str) -> list[str]:
    return [entry_id.decode() for entry_id, _ in await command(client, "XRANGE", stream, "-", "+")]


async def is_verified(cluster: SmallCluster) -> bool:
    return (await cluster.verified()).ok


async def has_wrong(cluster: SmallCluster, wanted: list[str]) -> bool:
    """Whether this, and nothing else, is found to be wrong."""
    invariants = (await cluster.verified()).invariants.values()
    return [words for checked in invariants for words in checked.first] == wanted


@pytest.mark.chaos
@row("S86")
async def test_a_backup_of_a_cluster_at_work_is_restored_to_a_store_where_every_guarantee_holds(tmp_path: Path) -> None:
    """Taken while claims come in; the first store is gone; the actors build the rest anew, and go on."""
    folder = tmp_path / "backup"
    async with another_store() as first:
        async with small_cluster(first, tmp_path, more=NO_ARCHIVE) as cluster:
            await cluster.submit(20)
            before = await ids_of(cluster.app.store.commands, CLAIM_LOG)
            load = asyncio.create_task(cluster.submit(40))
            manifest = await backed_up(cluster, folder)
            await load
            after = await ids_of(cluster.app.store.commands, CLAIM_LOG)
    kept = manifest.logs[CLAIM_LOG].entries[0]
    assert len(before) <= kept <= len(after)
    async with another_store() as second:
        done = await restored(second, folder)
        assert done.left_out == 0
        async with small_cluster(second, tmp_path, more=NO_ARCHIVE) as cluster:
            client = cluster.app.store.commands
            assert (await ids_of(client, CLAIM_LOG))[:kept] == after[:kept]
            await cluster.to_the_end()
            await until(lambda: is_verified(cluster), what="every guarantee holds")
            await cluster.submit(43)
            await cluster.to_the_end()
            await until(lambda: is_verified(cluster), what="it goes on")


async def test_a_finished_store_that_is_restored_appends_nothing_and_sends_nothing_again(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "backup"
    async with another_store() as first:
        async with small_cluster(first, tmp_path, more=NO_ARCHIVE) as cluster:
            await cluster.submit(15)
            await cluster.to_the_end()
            client = cluster.app.store.commands
            sent = await command(client, "HGETALL", cluster.app.claim_keys(0).outbox_outcomes)
            logs = {name: await ids_of(client, name) for name in (CLAIM_LOG, NOTIFICATION_LOG)}
            await backed_up(cluster, folder)
    async with another_store() as second:
        await restored(second, folder)
        async with small_cluster(second, tmp_path, more=NO_ARCHIVE) as cluster:
            await cluster.to_the_end()
            await until(lambda: is_verified(cluster), what="every guarantee holds")
            client = cluster.app.store.commands
            assert {name: await ids_of(client, name) for name in logs} == logs
            assert await command(client, "HGETALL", cluster.app.claim_keys(0).outbox_outcomes) == sent


@row("S86")
async def test_a_restore_up_to_a_moment_leaves_out_what_came_later_and_what_was_said_of_it(tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    async with another_store() as first:
        async with small_cluster(first, tmp_path, more=NO_ARCHIVE) as cluster:
            early = await cluster.submit(10)
            await cluster.to_the_end()
            client = cluster.app.store.commands
            seconds, micros = await command(client, "TIME")
            moment = int(seconds) * 1000 + int(micros) // 1000
            then = {name: await ids_of(client, name) for name in (CLAIM_LOG, NOTIFICATION_LOG)}
            await until(lambda: time.time() * 1000 > moment + 1, what="the clock moves on")
            late = await cluster.submit(18)
            await cluster.to_the_end()
            await backed_up(cluster, folder)
            old = await command(client, "HGET", "claims:events:state", "incarnation")
    async with another_store() as second:
        done = await restored(second, folder, moment)
        assert done.left_out > 0
        assert done.sent > 0, "messages had left for facts that are left out: the operator is told how many"
        async with small_cluster(second, tmp_path, more=NO_ARCHIVE) as cluster:
            client = cluster.app.store.commands
            assert await command(client, "HGET", "claims:events:state", "incarnation") != old
            await cluster.to_the_end()
            await until(lambda: is_verified(cluster), what="every guarantee holds")
            assert {name: await ids_of(client, name) for name in then} == then
            assert all(await cluster.app.claims.read(early))
            assert not any(await cluster.app.claims.read([one for one in late if one not in early]))


@row("S86")
@pytest.mark.parametrize("cut_short", [False, True], ids=["whole", "up to the moment before the bank was asked"])
async def test_a_bank_that_outlives_the_store_pays_once_whatever_was_restored(cut_short: bool, tmp_path: Path) -> None:
    """A real payments actor, and a bank over HTTP that keeps its books while the store is lost and restored."""
    folder = tmp_path / "backup"
    async with serving_bank() as (url, bank):
        more = NO_ARCHIVE | {"bank.url": url}
        async with another_store() as first:
            async with claims_cluster(first, tmp_path, more=more) as cluster:
                house = PayingHouse(cluster, bank)
                paid = await house.pending()
                await house.until_state(paid, State.CLOSED)
                (moment,) = [
                    int(entry_id.partition(b"-")[0]) - 1
                    for entry_id, fields in await command(cluster.app.store.commands, "XRANGE", CLAIM_LOG, "-", "+")
                    if fields[b"eventType"] == b"claim.payment.initiated"
                ]
                house.behave(answer_after=1.0)
                asked = await house.pending()
                await until(lambda: house.orders(asked), what="the bank has the order")
                await backed_up(cluster, folder)
        async with another_store() as second:
            done = await restored(second, folder, moment if cut_short else None)
            assert (done.left_out > 0) == cut_short
            house.behave()
            async with claims_cluster(second, tmp_path, more=more) as cluster:
                house = PayingHouse(cluster, bank)
                await house.until_state(paid, State.CLOSED)
                if not cut_short:
                    await house.until_state(asked, State.CLOSED)
                await cluster.at_rest()
                assert (house.paid(paid), len(house.orders(paid))) == (1, 1)
                assert (await house.types(paid)).count("payment.completed") == 1
                assert (house.paid(asked), len(house.orders(asked))) == (1, 1)
                # What was ordered for a fact that is left out is kept, and named: a bank may forget its keys in a day.
                orphan = "payments:outcomes: 1 records of orders that no fact asked for"
                wanted = [orphan] if cut_short else []
                await until(lambda: has_wrong(cluster, wanted), what=f"nothing is wrong but {wanted}")


async def test_the_archive_goes_on_with_a_whole_restore(tmp_path: Path) -> None:
    """It knows nothing that the backup does not: the archivist finds that both agree, and writes on."""
    folder = tmp_path / "backup"
    async with another_store() as first:
        async with small_cluster(first, tmp_path) as cluster:
            await cluster.submit(6)
            await cluster.to_the_end()
            await backed_up(cluster, folder)
    async with another_store() as second:
        await restored(second, folder)
        async with small_cluster(second, tmp_path) as cluster:
            await cluster.submit(9)
            await cluster.to_the_end()
            await until(lambda: is_verified(cluster), what="every guarantee holds")
            assert await command(cluster.app.store.commands, "HGET", "claims:events:state", "halted") is None


async def test_a_store_that_holds_anything_is_never_restored_over(tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    async with another_store() as first, another_store() as second:
        async with small_cluster(first, tmp_path, more=NO_ARCHIVE) as cluster:
            await backed_up(cluster, folder)
        client = open_commands(second, max_connections=1)
        await command(client, "SET", "somebody", "else")
        with pytest.raises(NotEmpty, match="empty store"):
            await restored(second, folder)
        assert await client.dbsize() == 1
        await client.aclose()


@pytest.mark.parametrize("name", ["log-claims-events-0.bin", "cut.msgpack"])
async def test_one_flipped_byte_of_a_backup_is_found_before_anything_is_written(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    async with another_store() as first, another_store() as second:
        async with small_cluster(first, tmp_path, more=NO_ARCHIVE) as cluster:
            await cluster.submit(2)
            await backed_up(cluster, folder)
        flip(folder / name)
        with pytest.raises(BackupDamaged, match=name):
            await restored(second, folder)
        client = open_commands(second, max_connections=1)
        assert await client.dbsize() == 0
        await client.aclose()


def flip(path: Path) -> None:
    """Change one bit in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


async def test_a_directory_without_its_manifest_is_no_backup(tmp_path: Path) -> None:
    with pytest.raises(BackupDamaged, match=MANIFEST):
        read_manifest(tmp_path)


async def test_a_restore_that_was_interrupted_leaves_a_log_that_nobody_can_open(tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    async with another_store() as first, another_store() as second:
        async with small_cluster(first, tmp_path, more=NO_ARCHIVE) as cluster:
            await cluster.submit(3)
            await backed_up(cluster, folder)
        client = open_commands(second, max_connections=2)

        def killed(done: int, total: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            await Restore(client, folder, log_specs(small_settings(tmp_path)), told=killed).run()
        with pytest.raises(Halted, match="restore of claims:events was begun and did not end"):
            await open_application(small_settings(tmp_path, more=NO_ARCHIVE), second)
        await client.aclose()


async def test_nothing_personal_is_in_a_backup_but_sealed(tmp_path: Path) -> None:
    """Whoever destroys the key of a person has shredded the backups as well."""
    folder = tmp_path / "backup"
    async with another_store() as first:
        async with small_cluster(first, tmp_path, more=NO_ARCHIVE) as cluster:
            await cluster.submit(5)
            await cluster.to_the_end()
            await backed_up(cluster, folder)
    everything = b"".join(path.read_bytes() for path in folder.iterdir())
    assert SEALED_PREFIX.encode() in everything
    keys = (tmp_path / "keys.sqlite").read_bytes()
    assert keys[:16] == b"SQLite format 3\x00"
    assert b"SQLite format 3" not in everything, "the vault is not in the backup"
