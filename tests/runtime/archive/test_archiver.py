"""The archiving actor on a real store: on the disk before it is settled, cut at the position, and a witness."""

from __future__ import annotations

import hashlib
import os
import resource
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from runtime import failpoints
from runtime.archive import ArchiveOptions, ArchiveReader
from runtime.archive.archiver import Archiver
from runtime.archive.segments import listed
from runtime.clock import SystemClock
from runtime.plan import ActorPlan
from runtime.signals import WaitDeclared
from runtime.store.opening import open_store
from runtime.store.position import look
from tests.support.hosts import LOG, QUICK, outside, plan_of, running_host, spec
from tests.support.store import command
from tests.support.waiting import until
from tests.support.windows import window

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from redis.asyncio import Redis

    from runtime.store.address import StoreAddress
    from tests.support.hosts import RunningHost

GROUP = "archivists"


def link(head: bytes, entry_id: bytes, fields: Sequence[bytes]) -> bytes:
    return hashlib.sha256(head + entry_id + b"".join(fields)).digest()


class ThingArchivist(Archiver):
    name: ClassVar[str] = "archivist"
    group: ClassVar[str] = GROUP
    log: ClassVar[str] = LOG


@asynccontextmanager
async def archiving(
    address: StoreAddress, directory: Path, *, wait: bool = True, **options: Any
) -> AsyncIterator[RunningHost]:
    """One host with one archivist."""
    chosen = ArchiveOptions(compare_seconds=0.05, **options)
    store = await open_store(address, [spec()], {LOG: [GROUP]})
    plan = plan_of(
        ActorPlan("archivist", GROUP, LOG, lambda n: ThingArchivist(store, n, directory, link, chosen, SystemClock()))
    )
    try:
        async with running_host(address, plan=plan, options=QUICK, wait=wait) as running:
            yield running
    finally:
        await store.close()


def archived(directory: Path) -> list[tuple[str, list[bytes]]]:
    return [(one.id, one.fields) for one in ArchiveReader(directory, LOG, 0).entries()]


async def in_log(client: Redis) -> list[tuple[str, list[bytes]]]:
    rows = await command(client, "XRANGE", LOG, "-", "+")
    found = []
    for entry_id, fields in rows:
        flat = fields if isinstance(fields, list) else [part for pair in fields.items() for part in pair]
        found.append((entry_id.decode(), flat))
    return found


async def halted(client: Redis) -> str:
    return (await command(client, "HGET", f"{LOG}:state", "halted") or b"").decode()


async def test_every_entry_is_archived_byte_for_byte_raw_ones_too(
    store_address: StoreAddress, commands: Redis, tmp_path: Path
) -> None:
    async with archiving(store_address, tmp_path) as one:
        await one.add("T1", 3)
        await command(commands, "XADD", LOG, "*", b"\xff\xfe", b"\x00\x01")
        await one.add("T2", 2)
        await one.at_rest(GROUP)
        assert archived(tmp_path) == await in_log(commands)
        row = await command(commands, "HGETALL", f"{LOG}:archive")
        tail = ArchiveReader(tmp_path, LOG, 0).tail()
        assert row[b"head"].decode() == tail.head.hex()
        assert int(row[b"count"]) == tail.count == 6


async def test_what_is_settled_survives_a_power_cut(
    store_address: StoreAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What no fsync covered is cut off, as a power cut would: everything up to the position is still there."""
    kept: dict[str, int] = {}
    original = os.fsync

    def fsync(handle: int) -> None:
        original(handle)
        path = os.readlink(f"/proc/self/fd/{handle}")
        if path.endswith(".seg"):
            kept[path] = os.fstat(handle).st_size

    monkeypatch.setattr(os, "fsync", fsync)
    async with archiving(store_address, tmp_path) as one:
        for n in range(5):
            await one.add(f"T{n}", 20)
            await one.at_rest(GROUP)
            settled = int(await one.store.reads.one("HGET", f"{LOG}:archive", "count"))
            power_cut = tmp_path / f"cut-{n}"
            _copy_fsynced(tmp_path, power_cut, kept)
            assert len(archived(power_cut)) >= settled == 20 * (n + 1), "settled before it was on the disk"


def _copy_fsynced(source: Path, target: Path, kept: dict[str, int]) -> None:
    for name, size in kept.items():
        copy = target / os.path.relpath(name, source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        with open(name, "rb") as file:
            copy.write_bytes(file.read(size))


@window("W45")
@pytest.mark.parametrize("point", ["archive.written", "archive.fsynced"])
async def test_a_failure_between_writing_and_settling_leaves_every_entry_once(
    store_address: StoreAddress, commands: Redis, tmp_path: Path, point: str
) -> None:
    with failpoints.armed(f"{point}=raise@2") as watch:
        async with archiving(store_address, tmp_path) as one:
            for n in range(6):
                await one.add(f"T{n}", 7)
                await one.at_rest(GROUP)
            assert [plan.point for plan in watch.acted] == [point]
            assert archived(tmp_path) == await in_log(commands)
            assert (await look(commands, one.store.logs[LOG].keys, GROUP, 0)).parked == 0


@window("W45")
async def test_what_was_written_but_never_settled_is_cut_off_by_the_next_owner(
    store_address: StoreAddress, commands: Redis, tmp_path: Path
) -> None:
    async with archiving(store_address, tmp_path) as one:
        await one.add("T1", 10)
        await one.at_rest(GROUP)
    async with outside(store_address) as cluster:
        await cluster.add("T2", 10)
    from runtime.archive.frames import stored_mark
    from runtime.archive.writer import ArchiveWriter

    settled = stored_mark(await command(commands, "HGETALL", f"{LOG}:archive"))
    incarnation = (await command(commands, "HGET", f"{LOG}:state", "incarnation")).decode()
    dead = ArchiveWriter(tmp_path, LOG, 0, incarnation, settled, link, ArchiveOptions())
    dead.write((await in_log(commands))[10:17])  # it died between fsync and settle
    dead.close()
    async with archiving(store_address, tmp_path) as one:
        await one.add("T3", 5)
        await one.at_rest(GROUP)
        assert archived(tmp_path) == await in_log(commands)
        assert ArchiveReader(tmp_path, LOG, 0).tail().count == 25


async def test_a_full_disk_is_a_declared_wait_and_it_goes_on_by_itself(
    store_address: StoreAddress, commands: Redis, tmp_path: Path
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with archiving(store_address, tmp_path) as one:
        await one.add("T1", 5)
        await one.at_rest(GROUP)
        resource.setrlimit(resource.RLIMIT_FSIZE, (600, hard))
        try:
            await one.add("T2", 50)

            def waits() -> list[WaitDeclared]:
                return [said for said in one.signals.all(WaitDeclared) if "cannot be written" in said.detail]

            await until(waits, what="the archive says that it cannot write")
            assert not await halted(commands), "a full disk halts the archive, not the log"
            seen = await look(commands, one.store.logs[LOG].keys, GROUP, 0)
            assert (seen.settled, seen.parked) == (5, 0)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        await one.at_rest(GROUP)
        assert archived(tmp_path) == await in_log(commands)


@window("W29")
async def test_a_store_behind_its_archive_halts_the_partition(
    store_address: StoreAddress, commands: Redis, tmp_path: Path
) -> None:
    """The store comes back as it was before: the archive knows entries that it has no more."""
    async with archiving(store_address, tmp_path) as one:
        await one.add("T1", 5)
        await one.at_rest(GROUP)
    dump = {key: await command(commands, "DUMP", key) for key in await command(commands, "KEYS", "*")}
    async with archiving(store_address, tmp_path) as one:
        await one.add("T1", 5)
        await one.at_rest(GROUP)
    await _restored(commands, dump)
    async with archiving(store_address, tmp_path, wait=False):
        await until(lambda: halted(commands), what="the partition is halted")
        why = await halted(commands)
        assert "ROLLED BACK" in why
        assert "holds 10 entries" in why
    assert len(archived(tmp_path)) == 10, "the evidence stays"


async def test_a_store_that_was_rolled_back_and_went_on_is_found_too(
    store_address: StoreAddress, commands: Redis, tmp_path: Path
) -> None:
    async with archiving(store_address, tmp_path) as one:
        await one.add("T1", 5)
        await one.at_rest(GROUP)
        dump = {key: await command(commands, "DUMP", key) for key in await command(commands, "KEYS", "*")}
        await one.add("T1", 5)
        await one.at_rest(GROUP)
    await _restored(commands, dump)
    async with outside(store_address) as cluster:
        await cluster.add("T1", 20)
    async with archiving(store_address, tmp_path, wait=False):
        await until(lambda: halted(commands), what="the partition is halted")
        assert "has no such entry" in await halted(commands)


async def test_a_replaced_log_is_found(store_address: StoreAddress, commands: Redis, tmp_path: Path) -> None:
    async with archiving(store_address, tmp_path) as one:
        await one.add("T1", 5)
        await one.at_rest(GROUP)
    for key in await command(commands, "KEYS", "*"):
        await command(commands, "DEL", key)
    async with archiving(store_address, tmp_path, wait=False):
        await until(lambda: halted(commands), what="the partition is halted")
        assert "another log" in await halted(commands)


async def test_an_archive_that_lost_files_waits_and_halts_nobody(
    store_address: StoreAddress, commands: Redis, tmp_path: Path
) -> None:
    async with archiving(store_address, tmp_path) as one:
        await one.add("T1", 5)
        await one.at_rest(GROUP)
    for segment in listed(ArchiveReader(tmp_path, LOG, 0).directory):
        segment.path.unlink()
    async with archiving(store_address, tmp_path, wait=False) as one:

        def waits() -> list[WaitDeclared]:
            return [said for said in one.signals.all(WaitDeclared) if "files are gone" in said.detail]

        await until(waits, what="the archive says that files are gone")
        assert not await halted(commands)


async def _restored(client: Redis, dump: dict[bytes, bytes]) -> None:
    for key in await command(client, "KEYS", "*"):
        await command(client, "DEL", key)
    for key, value in dump.items():
        if b"lease" in key or key.startswith((b"claimstream:", b"command:")):
            continue  # they would have ended by then
        await command(client, "RESTORE", key, 0, value)
