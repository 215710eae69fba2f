"""A store that was rolled back: halted, explained, accepted, and what the archive has is put back, each fact once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from runtime.archive import ArchiveReader, witness
from runtime.archive.accepting import accept
from runtime.archive.witness import Verdict
from runtime.store import functions
from tests.support.small_cluster import dump_of, small_application, small_cluster, small_settings
from tests.support.store import command
from tests.support.trimming import archives
from tests.support.waiting import until
from tests.support.windows import window
from workers.archivists import KINDS
from workers.keys import CLAIM_LOG
from workers.putting_back import put_back

if TYPE_CHECKING:
    from pathlib import Path

    from redis.asyncio import Redis

    from runtime.store.address import StoreAddress
    from workers.application import Application


async def facts(client: Redis, log: str) -> dict[str, list[tuple[Any, ...]]]:
    """The facts of every entity, in order, without the ids of the stream."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    for _, fields in await command(client, "XRANGE", log, "-", "+"):
        flat = fields if isinstance(fields, list) else [part for pair in fields.items() for part in pair]
        found.setdefault(flat[5].decode(), []).append(tuple(flat))
    return found


async def accepted(app: Application, directory: Path) -> list[Path]:
    """What `archive accept` does."""
    from domain.audit_chain import link
    from runtime.clock import SystemClock

    aside: list[Path] = []
    for kind in KINDS:
        log = app.store.logs[kind.log]
        reader = archives(directory).of(kind.log, 0)
        assert reader is not None
        said = await witness.testify(app.store.reads, log.keys, 0, reader)
        assert said.verdict is Verdict.ROLLED_BACK, said
        put = accept(
            directory / "store.archive", reader, said, log=kind.log, partition=0, incarnation=log.incarnation(0),
            link=link, options=small_settings(directory).archive, now=SystemClock().now(), note="a test",
        )  # fmt: skip
        if put.directory is not None:
            aside.append(put.directory)
        names = [log.keys.state(0), log.keys.operations(0)]
        await functions.call(app.store.commands, functions.HALT, names, ["tester", "", "accepted"])
    return aside


@window("W29")
@pytest.mark.timeout(600)
async def test_w29_a_rolled_back_store_halts_and_gets_its_archived_tail_back(
    store_address: StoreAddress, commands: Redis, tmp_path: Path
) -> None:
    async with small_cluster(store_address, tmp_path) as cluster:
        await cluster.submit(3)
        await cluster.at_rest()
    old = await dump_of(commands)
    async with small_cluster(store_address, tmp_path) as cluster:
        await cluster.submit(6)
        await cluster.to_the_end()
    whole = {kind.log: await facts(commands, kind.log) for kind in KINDS}
    await command(commands, "FLUSHALL")
    await old.restore(commands)

    async with small_cluster(store_address, tmp_path):

        async def halted() -> bool:
            return all([await command(commands, "HGET", f"{kind.log}:state", "halted") for kind in KINDS])

        await until(halted, what="every log is halted")
        why = (await command(commands, "HGET", "claims:events:state", "halted")).decode()
        assert why.startswith("ROLLED BACK: the archive")

    async with small_application(store_address, tmp_path) as app:
        aside = await accepted(app, tmp_path)
        assert aside
        done = await put_back(app, aside[0])
        assert done.refused == []
        assert done.appended > 20
        again = await put_back(app, aside[0])
        assert (again.appended, again.refused) == (0, []), "twice is once"
    for log, before in whole.items():
        assert await facts(commands, log) == before
    async with small_cluster(store_address, tmp_path) as cluster:
        await cluster.to_the_end()
        report = await cluster.verified(archives=archives(tmp_path))
        assert {name: one.first for name, one in report.invariants.items() if one.violations} == {}
        (await command(commands, "XLEN", CLAIM_LOG))
    assert ArchiveReader(tmp_path / "store.archive", CLAIM_LOG, 0).tail().count == await command(
        commands, "XLEN", CLAIM_LOG
    )
