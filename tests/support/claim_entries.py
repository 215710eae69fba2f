"""Facts of claims as entries of the log, for tests that hand them to an actor; and a runner of one such actor.

async with claim_actor(address, lambda keys, reads: Analytics(keys, reads)) as one:
    await one.append(story.facts)
    await one.at_rest()
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from msgspec.structs import replace

from domain.claim import encode_claim, evolve
from domain.events import EVENTS, SCHEMA_VERSION, decode_body, encode_body
from domain.identity import event_id
from domain.snapshot import snapshot_fields
from runtime.effects import Append
from runtime.entry import Batch, Entry, EntryReader
from runtime.plan import ActorPlan, ClusterPlan, LogPlan
from runtime.store.append import Appended
from runtime.store.clients import open_commands
from runtime.store.keys import Keyspace
from runtime.store.position import look
from runtime.store.reads import Reads
from tests.support.hosts import QUICK, opened, running_host
from tests.support.waiting import PATIENCE, until
from workers.claim_log import SNAPSHOT_BODY, EventCodec, wire_time
from workers.keys import CLAIM_LOG, ClaimKeys, claim_log

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from domain.claim_record import Claim
    from domain.events import Fact
    from runtime.actor import Actor
    from runtime.store.address import StoreAddress
    from runtime.store.opening import OpenStore
    from tests.support.hosts import RunningHost

CODEC = EventCodec(tuple(EVENTS), decode_body)


def fields_of(fact: Fact) -> tuple[str, ...]:
    """The entry of a fact, as append writes it; its event id follows from claim and sequence."""
    return (
        "eventId", event_id(fact.claim_id, fact.sequence), "eventType", fact.type, "claimId", fact.claim_id,
        "timestamp", wire_time(fact.at), "data", encode_body(fact.body).decode(), "version", SCHEMA_VERSION,
        "sequence", str(fact.sequence), "correlationId", "c", "causationId", "", "actor", fact.actor.to_wire(),
        "traceparent", "",
    )  # fmt: skip


def entries_of(facts: Iterable[Fact], *, first_ms: int = 1_700_000_000_000) -> list[Entry]:
    """The facts as entries of a log, one per millisecond."""
    reader = EntryReader("claimId", CODEC)
    return [
        reader.read((f"{first_ms + place}-0".encode(), [part.encode() for part in fields_of(fact)]))
        for place, fact in enumerate(facts)
    ]


def batch_of(facts: Iterable[Fact], *, first_ms: int = 1_700_000_000_000) -> Batch:
    """The facts as one batch."""
    return Batch(CLAIM_LOG, 0, entries_of(facts, first_ms=first_ms))


def claimed_as(facts: Iterable[Fact], claim_id: str) -> list[Fact]:
    """The same facts of another claim."""
    return [replace(fact, claim_id=claim_id) for fact in facts]


def appends_of(facts: Sequence[Fact]) -> list[Append]:
    """One append per fact, in order, with the snapshot that belongs to it."""
    claims: dict[str, Claim] = {}
    units = []
    for fact in facts:
        claim = claims[fact.claim_id] = evolve(claims.get(fact.claim_id), fact)
        snapshot = {**snapshot_fields(claim), SNAPSHOT_BODY: encode_claim(claim).decode()}
        units.append(Append(CLAIM_LOG, fact.claim_id, fact.sequence - 1, (fields_of(fact),), snapshot))
    return units


class NothingForged:
    """Says of every entry that append wrote it, for entries that no store holds."""

    async def forged(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """None of them."""
        del entries
        return ()


class ClaimActor:
    """One actor at work on a claim log of one partition."""

    def __init__(self, running: RunningHost, keys: ClaimKeys, group: str) -> None:
        """Made by `claim_actor`."""
        self.running = running
        self.store = running.store
        self.keys = keys
        self._group = group

    async def append(self, facts: Sequence[Fact]) -> None:
        """Append facts of new claims, one by one."""
        await _append(self.store, facts)

    async def at_rest(self, within: float = PATIENCE) -> None:
        """Wait until the actor has settled everything."""

        async def resting() -> bool:
            return (await look(self.store.commands, self.store.logs[CLAIM_LOG].keys, self._group, 0)).at_rest

        await until(resting, within=within, what=f"{self._group} at rest")

    async def hash(self, key: str) -> dict[str, str]:
        """A hash as text."""
        row = await self.store.reads.one("HGETALL", key)
        return {name.decode(): value.decode() for name, value in row.items()}


async def _append(store: OpenStore, facts: Sequence[Fact]) -> None:
    for unit in appends_of(facts):
        answer = await store.appender.append(unit)
        assert isinstance(answer, Appended), str(answer)


@asynccontextmanager
async def claim_actor(
    address: StoreAddress,
    build: Callable[[ClaimKeys, Reads], Actor],
    group: str,
    *,
    batch: int = 50,
    log: Sequence[Fact] = (),
) -> AsyncIterator[ClaimActor]:
    """Run one actor through the real runtime, `batch` entries at most in one read; `log` is there before it comes."""
    client = open_commands(address, max_connections=4)
    keys = ClaimKeys(Keyspace(claim_log(1)), 0)
    plan = ClusterPlan(
        [LogPlan(claim_log(1), CODEC)],
        [ActorPlan("actor under test", group, CLAIM_LOG, lambda _: build(keys, Reads(client)))],
    )
    serving = replace(QUICK.serving, read=replace(QUICK.serving.read, batch=batch))
    try:
        if log:
            async with opened(address, plan) as store:
                await _append(store, log)
        async with running_host(address, plan=plan, options=replace(QUICK, serving=serving)) as running:
            yield ClaimActor(running, keys, group)
    finally:
        await client.aclose()
