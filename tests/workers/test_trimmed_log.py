"""After a trim nothing is lost for those who ask: histories, states at a time, verification, export and replay."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from domain.claim import fold
from runtime.archive import reader as archive_reader
from runtime.archive.frames import FrameHead, entries_of
from runtime.store.reads import Reads
from tests.support.rows import row
from tests.support.small_cluster import small_application, small_cluster
from tests.support.store import command
from tests.support.trimming import archives, trim_all
from workers.archivists import NO_ARCHIVES
from workers.claim_log import fact_of
from workers.claim_reading import ClaimReader
from workers.keys import CLAIM_LOG
from workers.replaying import Replay
from workers.verifying import verify
from workers.verifying.export import export_log
from workers.verifying.offline import verify_file
from workers.whole_log import Trimmed, WholeLog

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from redis.asyncio import Redis

    from domain.claim_record import Claim
    from runtime.store.address import StoreAddress
    from workers.application import Application


async def states(app: Application, reader: ClaimReader, ids: list[str]) -> dict[str, list[Claim | None]]:
    """Every claim just before, at and between each of its facts."""
    found: dict[str, list[Claim | None]] = {}
    for claim_id in ids:
        moments = [fact_of(entry).at for entry in await reader.entries(claim_id)]
        found[claim_id] = [await reader.at(claim_id, moments[0] - timedelta(milliseconds=1))]
        found[claim_id] += [await reader.at(claim_id, moment) for moment in moments]
    return found


@row("S39")
async def test_a_trimmed_log_still_answers_every_question(
    store_address: StoreAddress, commands: Redis, tmp_path: Path
) -> None:
    async with small_cluster(store_address, tmp_path) as cluster:
        ids = await cluster.submit(6)
        await cluster.to_the_end()
        app = cluster.app
        kept = archives(tmp_path)
        reader = ClaimReader(app.store.reads, app.claim_keyspace, kept)
        before = await states(app, reader, ids)
        histories = {one: [(e.id, list(e.fields)) for e in await reader.entries(one)] for one in ids}
        length = await command(commands, "XLEN", CLAIM_LOG)
        found = await trim_all(app)
        assert found[0].removed == length - 1
        assert await command(commands, "XLEN", CLAIM_LOG) == 1

        assert {one: [(e.id, list(e.fields)) for e in await reader.entries(one)] for one in ids} == histories
        assert await states(app, reader, ids) == before
        report = await cluster.verified(archives=kept)
        assert report.ok, {name: one.first for name, one in report.invariants.items() if one.violations}
        assert report.invariants["sequence"].checked > 60

        await cluster.submit(8)
        await cluster.to_the_end()
        assert (await cluster.verified(archives=kept)).ok
        await export_log(app, tmp_path / "log.jsonl", kept)
        assert verify_file(tmp_path / "log.jsonl").ok

        bare = ClaimReader(app.store.reads, app.claim_keyspace, NO_ARCHIVES)
        with pytest.raises(Trimmed, match=r"set archive\.directory"):
            await bare.entries(ids[0])
        with pytest.raises(Trimmed, match=r"set archive\.directory"):
            await verify(app)


async def test_a_claim_is_shown_as_it_stood_at_every_boundary_of_its_facts(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    async with small_cluster(store_address, tmp_path) as cluster:
        (claim_id,) = await cluster.submit(1)
        await cluster.to_the_end()
        await trim_all(cluster.app)
        reader = ClaimReader(cluster.app.store.reads, cluster.app.claim_keyspace, archives(tmp_path))
        facts = [fact_of(entry) for entry in await reader.entries(claim_id)]
        assert len(facts) > 8
        assert await reader.at(claim_id, facts[0].at - timedelta(milliseconds=1)) is None
        for fact in facts:
            upto = [one for one in facts if one.at <= fact.at]
            assert await reader.at(claim_id, fact.at) == fold(upto)
            just_before = [one for one in facts if one.at < fact.at]
            assert await reader.at(claim_id, fact.at - timedelta(milliseconds=1)) == (
                fold(just_before) if just_before else None
            )
        assert await reader.at(claim_id, facts[-1].at + timedelta(days=9)) == await reader.claim(claim_id)


@row("C16")
async def test_history_cost_flat_in_the_length_of_the_log(
    store_address: StoreAddress, commands: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same commands for one claim's history, however long the log is; a frame of the archive for each at most."""
    decoded: list[int] = []
    original = entries_of

    def counted(data: bytes, frame: FrameHead) -> object:
        decoded.append(frame.first)
        return original(data, frame)

    monkeypatch.setattr(archive_reader, "entries_of", counted)
    async with small_cluster(store_address, tmp_path) as cluster:
        (claim_id,) = await cluster.submit(1)
        await cluster.to_the_end()
        reads = CountingReads(commands)
        reader = ClaimReader(reads, cluster.app.claim_keyspace, archives(tmp_path))
        costs: list[int] = []
        for more in (0, 12):
            if more:
                await cluster.submit(1 + more)
                await cluster.to_the_end()
            before = reads.sent
            await reader.entries(claim_id)
            costs.append(reads.sent - before)
        assert costs[0] == costs[1] > 8
        assert not decoded, "the archive was asked for what the log has"
        await trim_all(cluster.app)
        decoded.clear()
        entries = await reader.entries(claim_id)
        assert 0 < len(decoded) <= len(entries)


class CountingReads(Reads):
    """Counts the commands that it sends."""

    sent = 0

    async def one(self, *words: str | int | bytes) -> Any:
        """Count one."""
        self.sent += 1
        return await super().one(*words)

    async def many(self, commands: Sequence[Any], *, raw: bool = False) -> list[Any]:
        """Count them."""
        self.sent += len(commands)
        return await super().many(commands, raw=raw)


async def test_a_reading_goes_on_when_the_log_is_trimmed_under_it(store_address: StoreAddress, tmp_path: Path) -> None:
    async with small_cluster(store_address, tmp_path) as cluster:
        await cluster.submit(4)
        await cluster.to_the_end()
        reads = cluster.app.store.reads
        every = [entry_id async for entry_id, _ in Reads(cluster.app.store.commands).stream(CLAIM_LOG)]
        whole = WholeLog(reads, cluster.app.claim_keyspace, 0, archives(tmp_path))
        seen: list[bytes] = []
        async for page in whole.pages(size=10):
            seen += [entry_id for entry_id, _ in page]
            if len(seen) == 10:
                await trim_all(cluster.app)
        assert seen == every


@row("S32")
async def test_a_group_that_was_retired_is_built_from_the_archive_and_goes_on(
    store_address: StoreAddress, commands: Redis, tmp_path: Path
) -> None:
    from runtime.store.retention import Retention

    async with small_cluster(store_address, tmp_path) as cluster:
        await cluster.submit(5)
        await cluster.to_the_end()
        await trim_all(cluster.app)
    names = [name async for name in commands.scan_iter("analytics:*")]
    async with small_application(store_address, tmp_path) as app:
        await Retention(app.store.commands, app.store.reads, app.claim_keyspace, 0).retire(
            "analytics", who="tester", why="a test"
        )
        await commands.delete(*names)
        replayed = await Replay(app.store, "analytics", 0, archives(tmp_path)).run(dry_run=False, who="t", why="t")
        assert replayed.swapped
    async with small_cluster(store_address, tmp_path) as cluster:
        await cluster.submit(8)
        await cluster.to_the_end()
        report = await cluster.verified(archives=archives(tmp_path))
        assert {name: one.first for name, one in report.invariants.items() if one.violations} == {}
