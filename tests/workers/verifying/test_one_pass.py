"""What a verification does once for everybody: links of the chain, the names of keys, checks side by side."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from runtime.store.keys import Keyspace
from runtime.store.reads import Reads
from tests.support.small_cluster import small_cluster
from tests.support.store import command
from workers.auditor import Chain
from workers.keys import ClaimKeys, claim_log
from workers.verifying import verify
from workers.verifying.engine import together
from workers.verifying.links import Links
from workers.verifying.names import Names

if TYPE_CHECKING:
    from pathlib import Path

    from redis.asyncio import Redis

    from runtime.entry import RawEntry
    from runtime.store.address import StoreAddress


@pytest.mark.parametrize("cuts", [(7,), (1, 1, 5), (3, 4)])
def test_links_are_those_of_the_auditor_however_the_log_is_cut_into_pages(cuts: tuple[int, ...]) -> None:
    rows: list[RawEntry] = [(f"{number}-0".encode(), [b"n", str(number).encode()]) for number in range(1, 8)]
    chain = Chain()
    expected: dict[int, Chain] = {}
    for entry_id, fields in rows:
        chain = chain.after(entry_id.decode(), list(fields))
        expected[chain.count] = chain
    links = Links()
    found: dict[int, Chain] = {}
    for cut in cuts:
        linked = links.after([rows.pop(0) for _ in range(cut)])
        found |= {count: linked.chain(count) for count in range(linked.before + 1, linked.upto + 1)}
    assert found == expected


async def test_each_partition_is_given_its_own_keys_of_a_family_and_nobody_elses(commands: Redis) -> None:
    spaces = {"cut": Keyspace(claim_log(2)), "whole": Keyspace(claim_log(1))}
    places = [ClaimKeys(spaces["cut"], 0), ClaimKeys(spaces["cut"], 1), ClaimKeys(spaces["whole"], 0)]
    for keys in places:
        for name in (keys.queue("overflow"), keys.losses("POL-1"), keys.workload("ADJ-1"), keys.chain):
            await command(commands, "SET", name, "")
    await command(commands, "SET", "queue", "no colon, no family")
    names = Names(Reads(commands), ("queue", "adjuster", "losses"))
    for keys in places:
        assert await names.of("queue", keys) == [keys.queue("overflow")]
        assert await names.of("adjuster", keys) == [keys.workload("ADJ-1")]
        assert await names.of("losses", keys) == [keys.losses("POL-1")]


async def test_the_first_check_that_fails_ends_those_beside_it() -> None:
    ended: list[str] = []

    async def fails() -> None:
        await asyncio.sleep(0)
        raise LookupError("the log is trimmed")

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("waits")

    with pytest.raises(LookupError, match="trimmed"):
        await together(waits(), fails())
    assert ended == ["waits"]


async def test_an_entry_that_names_a_field_twice_is_chained_as_the_auditor_read_it(
    store_address: StoreAddress, commands: Redis, tmp_path: Path
) -> None:
    async with small_cluster(store_address, tmp_path) as cluster:
        await cluster.submit(1)
        await command(commands, "XADD", "claims:events", "*", "hint", "one", "hint", "two")
        await cluster.at_rest()
        report = await verify(cluster.app)
    assert {name: found.first for name, found in report.invariants.items() if found.violations} == {}
