"""Seed 001 and 003, what the event log itself has to do: order, retries, restarts, plain stream commands."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
import signal
from functools import partial
from typing import TYPE_CHECKING

import pytest

from runtime.answers import Settled, Settlement
from runtime.embedded.server import running_server
from runtime.entry import Entry
from runtime.errors import StoreUnavailable
from runtime.store.append import Appended, Rejected
from runtime.store.clients import StoreAddress, open_commands
from runtime.store.position import resync
from runtime.store.reads import Reads
from runtime.store.settle import Settler
from tests.support.claim_log import ask, entries, opened, pairs, unit
from tests.support.waiting import until
from workers.keys import CLAIM_LOG

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis.asyncio import Redis

    from runtime.embedded.server import EmbeddedServer
    from runtime.store.append import Appender


async def test_append_retry_same_result(commands: Redis) -> None:
    _, appender = await opened(commands)
    first = await appender.append(unit("CLM-0000000A", 0, events=2, command_id="submit-1"))
    again = await appender.append(unit("CLM-0000000A", 0, events=2, command_id="submit-1"))
    assert isinstance(first, Appended)
    assert again == Appended(version=first.version, ids=first.ids, repeated=True)
    assert [entry_id for entry_id, _ in await entries(commands)] == list(first.ids)


async def test_c7_a_taken_claim_id_is_refused_and_nothing_is_overwritten(commands: Redis) -> None:
    _, appender = await opened(commands)
    await appender.append(unit("CLM-0000000A", 0, command_id="first"))
    before = await commands.hgetall("claim:CLM-0000000A")
    assert await appender.append(unit("CLM-0000000A", 0, command_id="second")) == Rejected(version=1)
    assert await commands.hgetall("claim:CLM-0000000A") == before
    assert len(await entries(commands)) == 1


async def test_order_per_claim_holds_when_many_write_at_once(commands: Redis) -> None:
    _, appender = await opened(commands)
    claims = ["CLM-0000000A", "CLM-0000000B", "CLM-0000000C"]

    async def write(writer: int) -> None:
        for turn in range(20):
            claim = claims[(writer + turn) % len(claims)]
            version = 0
            while isinstance(answer := await appender.append(unit(claim, version)), Rejected):
                version = answer.version

    await asyncio.gather(*(write(writer) for writer in range(6)))
    log = await entries(commands)
    for claim in claims:
        assert [int(f["sequence"]) for _, f in log if f["claimId"] == claim] == list(range(1, 41))
    ids = [tuple(map(int, entry_id.split("-"))) for entry_id, _ in log]
    assert ids == sorted(ids)


async def test_stream_commands_show_the_truth_of_the_log(commands: Redis) -> None:
    """XADD, XRANGE, XREADGROUP, XINFO, XPENDING, XACK and XTRIM meet a real stream with a real group."""
    log, appender = await opened(commands)
    ids = [(await appender.append(unit("CLM-0000000A", n))).version for n in range(3)]
    assert ids == [1, 2, 3]
    assert await commands.type(CLAIM_LOG) == b"stream"
    assert await commands.xlen(CLAIM_LOG) == 3

    standing = await resync(commands, log, "processors", 0, "p1", start=True)
    await ask(commands, "XREADGROUP", "GROUP", "processors", "p1", "COUNT", 2, "STREAMS", CLAIM_LOG, ">")
    assert (await ask(commands, "XPENDING", CLAIM_LOG, "processors"))["pending"] == 2

    settler = Settler(commands, {CLAIM_LOG: log}, CLAIM_LOG, "processors", 0)
    raw = [entry async for entry in Reads(commands).stream(CLAIM_LOG)][:2]
    read = [Entry(entry_id.decode(), fields, None) for entry_id, fields in raw]
    answer = await settler.settle(standing.position, "token-1", Settlement(entries=read))
    assert isinstance(answer, Settled), answer
    assert (await ask(commands, "XPENDING", CLAIM_LOG, "processors"))["pending"] == 0

    (group,) = await commands.xinfo_groups(CLAIM_LOG)
    assert group["name"] == b"processors"
    assert group["last-delivered-id"].decode() == read[-1].id == answer.position
    assert (await commands.xinfo_stream(CLAIM_LOG))["length"] == 3
    assert await commands.xtrim(CLAIM_LOG, minid=answer.position, approximate=False) == 1
    assert await commands.xadd(CLAIM_LOG, {"eventType": "claim.submitted"})
    assert len(await entries(commands)) == 3


async def test_s2_the_embedded_store_writes_an_append_only_file(commands: Redis) -> None:
    assert await ask(commands, "CONFIG", "GET", "appendonly") == {b"appendonly": b"yes"}


async def test_restart_keeps_log() -> None:
    async with running_server() as server:
        async with clients(server) as commands:
            _, appender = await opened(commands)
            for claim in range(50):
                await appender.append(unit(f"CLM-{claim:08d}", 0, events=2))
            before = await entries(commands)
        await killed(server, signal.SIGTERM)
        async with clients(server) as commands:
            assert await entries(commands) == before
            _, appender = await opened(commands)
            assert await appender.append(unit("CLM-00000000", 0)) == Rejected(version=2)


@pytest.mark.parametrize("appendfsync", ["everysec", "always"])
async def test_append_atomic_whenever_the_server_is_killed(appendfsync: str) -> None:
    """Killed in the middle of a storm of appends, six times: log, snapshot, head and history agree.

    That nothing confirmed is lost is asked of `always` alone. With `everysec` a write is put off during an
    fsync, but answered; a kill then loses it (seen in 2 of 43 runs of this test).
    """
    chance = random.Random(1)
    confirmed: dict[str, int] = {}
    async with running_server(restart_longest_seconds=0.1, appendfsync=appendfsync) as server:
        for round_ in range(6):
            async with clients(server) as commands:
                _, appender = await opened(commands)
                claims = [f"CLM-{round_}{writer:07d}" for writer in range(8)]
                storm = [asyncio.create_task(_append_for_ever(appender, claim, confirmed)) for claim in claims]
                enough = sum(confirmed.values()) + chance.randint(10, 400)
                await until(partial(_reached, confirmed, enough), what="appends in flight")
                await killed(server, signal.SIGKILL)
                ends = await asyncio.gather(*storm, return_exceptions=True)
                assert all(isinstance(end, StoreUnavailable) for end in ends), ends
        async with clients(server) as commands:
            versions = await _agreed_versions(commands)
    assert confirmed
    if appendfsync == "always":
        lost = {claim for claim, version in confirmed.items() if versions.get(claim, 0) < version}
        assert not lost, f"a confirmed append is lost: {lost}"


@contextlib.asynccontextmanager
async def clients(server: EmbeddedServer) -> AsyncIterator[Redis]:
    client = open_commands(StoreAddress.parse(server.url), max_connections=16)
    try:
        yield client
    finally:
        await client.aclose()


async def killed(server: EmbeddedServer, number: signal.Signals) -> None:
    """The server process ends by a signal and is there again, on the same data."""
    os.kill(server.store.server_pid, number)
    await server.wait()
    await server.restart()


def _reached(confirmed: dict[str, int], enough: int) -> bool:
    return sum(confirmed.values()) >= enough


async def _append_for_ever(appender: Appender, claim: str, confirmed: dict[str, int]) -> None:
    for version in itertools.count():
        answer = await appender.append(unit(claim, version, events=1))
        assert isinstance(answer, Appended), answer
        confirmed[claim] = answer.version


async def _agreed_versions(commands: Redis) -> dict[str, int]:
    """The version of every claim in the log, after a look whether all its keys say the same."""
    versions: dict[str, list[int]] = {}
    ids: dict[str, list[bytes]] = {}
    for entry_id, fields in await entries(commands):
        versions.setdefault(fields["claimId"], []).append(int(fields["sequence"]))
        ids.setdefault(fields["claimId"], []).append(entry_id.encode())
    for claim, sequences in versions.items():
        assert sequences == list(range(1, len(sequences) + 1))
        assert int(await ask(commands, "GET", f"claim:{claim}:head")) == len(sequences)
        assert pairs(await ask(commands, "HGETALL", f"claim:{claim}"))["sequence"] == str(len(sequences))
        assert await ask(commands, "LRANGE", f"claim:{claim}:history", 0, -1) == ids[claim]
    return {claim: len(sequences) for claim, sequences in versions.items()}
