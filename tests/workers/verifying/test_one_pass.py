"""What a verification does once for everybody: links of the chain, the names of keys, checks side by side."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

import pytest

from domain.bodies.base import SYSTEM
from domain.bodies.ending import ClaimClosed
from domain.events import Fact
from runtime.entry import Entry
from runtime.store.keys import Keyspace
from runtime.store.reads import Reads
from tests.support.small_cluster import small_cluster
from tests.support.store import command
from workers.auditor import Auditor, Chain
from workers.keys import ClaimKeys, claim_log
from workers.verifying.chain_check import ChainCheck
from workers.verifying.engine import together
from workers.verifying.links import Links
from workers.verifying.names import Names
from workers.verifying.places import Page, Place, Standing
from workers.verifying.report import Findings

if TYPE_CHECKING:
    from pathlib import Path

    from redis.asyncio import Redis

    from runtime.answers import Look
    from runtime.entry import RawEntry
    from runtime.store.address import StoreAddress


def standing(position: tuple[int, int], *parked: str) -> Standing:
    """A group that stands there; what else is known of it is not asked for."""
    return Standing(cast("Look", None), position, frozenset(parked))


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


@pytest.mark.parametrize("cuts", [(7,), (3, 4), (6, 1), (2, 2, 3)])
async def test_every_checkpoint_is_expected_up_to_where_the_auditor_stands(
    commands: Redis, cuts: tuple[int, ...]
) -> None:
    rows: list[RawEntry] = [(f"{number}-0".encode(), [b"n", str(number).encode()]) for number in range(1, 8)]
    keyspace = Keyspace(claim_log(1))
    keys, findings = ClaimKeys(keyspace, 0), Findings()
    chain = Chain()
    for entry_id, fields in rows[:6]:
        chain = chain.after(entry_id.decode(), list(fields))
        if chain.count % 3 == 0:
            await command(commands, "XADD", keys.checkpoints, "*", *chain.checkpoint())
    for name, value in chain.stored().items():
        await command(commands, "HSET", keys.chain, name, value)
    place = Place(keyspace, 0, {Auditor.group: standing((6, 0))})
    check, links = ChainCheck(Reads(commands), place, keys, findings, 3), Links()
    for cut in cuts:
        await check.page(links.after([rows.pop(0) for _ in range(cut)]))
    await check.finish()
    assert findings.ok, findings.by_name
    assert (findings["checkpoints"].checked, findings["audit_chain"].checked) == (2, 6 + 3)


@pytest.mark.parametrize(
    ("position", "parked", "expected"),
    [((9, 0), (), "123"), ((9, 0), ("2-0",), "13"), ((2, 0), (), "12"), ((2, 0), ("1-0",), "2"), ((0, 0), (), "")],
)
def test_settled_are_the_facts_that_the_group_has_come_past_and_has_not_parked(
    position: tuple[int, int], parked: tuple[str, ...], expected: str
) -> None:
    entries = [Entry(f"{number}-0", (), None) for number in (1, 2, 3)]
    fact = Fact(
        "claim.closed", "CLM-TEST0001", datetime(2026, 1, 1, tzinfo=UTC), 1, SYSTEM, ClaimClosed(outcome="paid")
    )
    place = Place(Keyspace(claim_log(1)), 0, {"readers": standing(position, *parked)})
    page = Page(entries, [fact, fact, fact])
    assert "".join(entry.id[0] for entry, _ in place.settled("readers", page)) == expected
    assert [entry.id[0] for entry in entries if place.applied("readers", entry)] == list(expected)
    assert place.settled("nobody", page) == []


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
        report = await cluster.verified()
    assert {name: found.first for name, found in report.invariants.items() if found.violations} == {}
