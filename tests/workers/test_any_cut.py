"""Every projection, on a real store: it comes out the same wherever batches end and however often one is handled.

The reference is one batch with everything. Then the same log is settled in drawn pieces, with doubt in between: a
handler runs, its effects are dropped, the actor forgets, and the entries are read again.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from domain import commands as c
from domain.money import Money
from runtime.actor import Actor
from runtime.answers import Settled, Settlement
from runtime.effects import Effect
from runtime.entry import Batch, EntryReader
from runtime.merging import merge
from runtime.store.append import Appender
from runtime.store.clients import StoreAddress, open_commands
from runtime.store.functions import load_library
from runtime.store.keys import Keyspace
from runtime.store.position import open_log, resync
from runtime.store.reads import Reads
from runtime.store.settle import Settler
from tests.support.claim_entries import CODEC, NothingForged, appends_of
from tests.support.claims import BANK, CLAIMANT, SENIOR, SUPERVISOR, Story
from workers.analytics import Analytics
from workers.auditor import Auditor, AuditorOptions
from workers.cache_invalidator import CacheInvalidator
from workers.claim_log import fact_of
from workers.keys import CLAIM_LOG, ClaimKeys, claim_log
from workers.loss_index import LossIndex
from workers.notifier import Notifier
from workers.work_lists import WorkLists

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.claim_record import Claim
    from domain.events import Fact
    from runtime.effects import Effects
    from runtime.entry import Entry

KEYSPACE = Keyspace(claim_log(1))
KEYS = ClaimKeys(KEYSPACE, 0)


def stories() -> list[Story]:
    """Paid and closed; denied; approved later by somebody else; withdrawn; just told."""
    found = [Story().submit(claim_id=f"CLM-CUTS000{number}", source_ref=str(number)) for number in range(5)]
    paid, denied, moved, withdrawn, _ = (story.wait(hours=30) for story in found)
    paid.do(c.ApproveClaim(), SENIOR).wait(hours=2)
    pay = paid.now_claim.pending
    assert pay is not None
    money = Money(pay.amount, paid.now_claim.currency)
    paid.do(c.ConfirmPayment(payment_id=pay.id, amount=money, provider_ref="B"), BANK)
    denied.do(c.RejectClaim(reason_codes=("LATE_NOTICE",), provisions=("x",), appeal_text_id="a"), SENIOR)
    moved.do(c.ReassignClaim(reason="leave", adjuster_id="ADJ-002"), SUPERVISOR)
    withdrawn.do(c.WithdrawClaim(reason="found the car"), CLAIMANT)
    return found


STORIES = stories()
CLAIMS: dict[str, Claim] = {story.now_claim.claim_id: story.now_claim for story in STORIES}
MOST = sum(len(story.facts) for story in STORIES)


class Lists(Actor):
    """What the processor keeps beside its decisions: work lists and the index of losses."""

    name: ClassVar[str] = "lists"
    group: ClassVar[str] = "lists"
    log: ClassVar[str] = CLAIM_LOG

    def __init__(self, reads: Reads) -> None:
        """On the one partition."""
        self._lists = WorkLists(KEYS)
        self._losses = LossIndex(reads, KEYSPACE, 0)

    async def handle(self, batch: Batch) -> Effects:
        """Of facts alone."""
        facts = [(fact_of(entry), entry.id) for entry in batch.entries]
        return [*self._lists.follow([fact for fact, _ in facts]), *self._losses.follow(facts, CLAIMS)]


def projections(reads: Reads) -> list[Actor]:
    """Every projection of the claim log, as new."""
    return [
        Analytics(KEYS, reads),
        Lists(reads),
        Notifier(KEYS),
        Auditor(KEYS, reads, NothingForged(), AuditorOptions(checkpoint_every=4)),
        CacheInvalidator(KEYS),
    ]


def untouched(response: Any, **_options: Any) -> Any:
    """The reply of a read as it came."""
    return response


class Bench:
    """A store on which projections run, and run again."""

    def __init__(self, address: StoreAddress) -> None:
        """Of the tests."""
        self.client: Any = open_commands(address, max_connections=2)
        self.client.set_response_callback("XREADGROUP", untouched)
        self.reads = Reads(self.client)
        self._entries = EntryReader("claimId", CODEC)

    async def begin(self, facts: Sequence[Fact]) -> None:
        """A new log with these facts."""
        await self.client.flushall()
        await load_library(self.client)
        self.groups = [actor.group for actor in projections(self.reads)]
        self.log = await open_log(self.client, claim_log(1), self.groups)
        await Appender(self.client, {CLAIM_LOG: self.log}).append_many(appends_of(facts))
        self.base = {key async for key in self.client.scan_iter(count=1000)}

    async def again(self) -> None:
        """Everything that was projected is gone, and every group stands at the beginning."""
        projected = [key async for key in self.client.scan_iter(count=1000) if key not in self.base]
        if projected:
            await self.client.delete(*projected)
        for group in self.groups:
            await self.client.hset(KEYSPACE.position(group), mapping={"id": "0-0", "settled": 0, "token": ""})

    async def project(self, actor: Actor, pieces: Sequence[tuple[int, bool]]) -> None:
        """Settle all of the log in pieces of these sizes, the last for the rest; True: handled once more before."""
        standing = await resync(self.client, self.log, actor.group, 0, "p", start=False)
        position, settler = standing.position, Settler(self.client, {CLAIM_LOG: self.log}, CLAIM_LOG, actor.group, 0)
        for size, doubt in (*pieces, (MOST, False)):
            entries = await self.read(actor.group, size)
            if not entries:
                return
            if doubt:
                await actor.handle(Batch(CLAIM_LOG, 0, entries))
                actor.forget()
                await resync(self.client, self.log, actor.group, 0, "p", start=False)
                entries = await self.read(actor.group, size)
            wanted = await actor.handle(Batch(CLAIM_LOG, 0, entries))
            effects = [*merge(one for one in wanted if isinstance(one, Effect))]
            answer = await settler.settle(position, f"{actor.group} {entries[0].id}", Settlement(entries, effects))
            assert isinstance(answer, Settled), f"{actor.name}: {answer}"
            position = answer.position

    async def read(self, group: str, count: int) -> list[Entry]:
        """The next entries of a group."""
        words = ("GROUP", group, "p", "COUNT", count, "STREAMS", KEYSPACE.log(0), ">")
        reply = await self.client.execute_command("XREADGROUP", *words)
        return [self._entries.read(row) for row in next(iter(reply.values()))] if reply else []

    async def state(self) -> dict[str, Any]:
        """Everything that was projected, by key."""
        found: dict[str, Any] = {}
        async for key in self.client.scan_iter(count=1000):
            if key not in self.base:
                found[key.decode()] = await self.value(key, await self.client.type(key))
        return found

    async def value(self, key: bytes, kind: bytes) -> Any:
        """What a key holds; of a stream the fields alone, because the ids are of the moment."""
        match kind:
            case b"hash":
                return await self.client.hgetall(key)
            case b"list":
                return await self.client.lrange(key, 0, -1)
            case b"set":
                return await self.client.smembers(key)
            case b"zset":
                return await self.client.zrange(key, 0, -1, withscores=True)
            case b"stream":
                return [fields for _, fields in await self.client.xrange(key)]
        return await self.client.get(key)


def mixed(picks: Sequence[int]) -> list[Fact]:
    """The facts of all stories: each story in its order, the next one from the drawn story."""
    left = [list(story.facts) for story in STORIES]
    facts: list[Fact] = []
    for pick in picks:
        rest = [one for one in left if one]
        if rest:
            facts.append(rest[pick % len(rest)].pop(0))
    return [*facts, *(fact for one in left for fact in one)]


PIECES = st.lists(st.tuples(st.integers(1, 9), st.booleans()), max_size=12)


@pytest.mark.permanent_keys("*")
@pytest.mark.parametrize(
    "examples",
    [
        pytest.param(20, marks=pytest.mark.timeout(600)),
        pytest.param(2_000, marks=[pytest.mark.chaos, pytest.mark.timeout(7_200)]),
    ],
)
def test_every_projection_is_the_same_for_any_cut_and_after_any_doubt(
    store_address: StoreAddress, examples: int
) -> None:
    """I7, and guarantees.md (f) rung 1; five claims in any order, 100 cuts of five projections in the ordinary run."""
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        bench = Bench(store_address)

        @settings(
            max_examples=examples, deadline=None, database=None, phases=(Phase.explicit, Phase.generate),
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(picks=st.lists(st.integers(0, 9), max_size=MOST), cuts=st.lists(PIECES, min_size=5, max_size=5))
        def same(picks: list[int], cuts: list[list[tuple[int, bool]]]) -> None:
            runner.run(compare(bench, mixed(picks), cuts))

        try:
            same()
        finally:
            runner.run(bench.client.aclose())


async def compare(bench: Bench, facts: list[Fact], cuts: list[list[tuple[int, bool]]]) -> None:
    """Once in one batch, then in pieces: the same."""
    await bench.begin(facts)
    for actor in projections(bench.reads):
        await bench.project(actor, ())
    whole = await bench.state()
    assert len(whole) > 20, "nothing was projected"
    await bench.again()
    for actor, pieces in zip(projections(bench.reads), cuts, strict=True):
        await bench.project(actor, pieces)
    pieced = await bench.state()
    wrong = {key: (whole.get(key), pieced.get(key)) for key in whole | pieced if whole.get(key) != pieced.get(key)}
    assert not wrong, wrong
