"""Analytics: counts by event time, exact sums, an hour that slides; the same for every cut into batches."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

import workers.analytics
from domain.commands import ApproveClaim, ConfirmPayment
from domain.money import Money
from runtime.effects import HashIncrement, StreamAdd
from runtime.signals import BatchSettled, StoreRoundTrip
from runtime.store import functions
from tests.support.claim_entries import batch_of, claim_actor, claimed_as
from tests.support.claims import ADJUSTER_II, BANK, Story
from tests.support.rows import row
from tests.support.store import command
from workers import figures
from workers.analytics import Analytics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis

    from domain.events import Fact
    from runtime.store.address import StoreAddress
    from runtime.store.reads import Reads
    from tests.support.claim_entries import ClaimActor


def paid_story(**waits: float) -> Story:
    """A claim from first notice to closing; with `waits` before the decision."""
    story = Story().submit().wait(**waits).do(ApproveClaim(), ADJUSTER_II)
    payment = story.now_claim.pending
    assert payment is not None
    money = Money(payment.amount, story.now_claim.currency)
    return story.do(ConfirmPayment(payment_id=payment.id, amount=money, provider_ref="B-1"), BANK)


def moved(facts: list[Fact], to: datetime) -> list[Fact]:
    """The same facts, the first of them at another time."""
    by = to - facts[0].at
    return [replace(fact, at=fact.at + by) for fact in facts]


def portfolio(claims: int = 6) -> list[Fact]:
    """Several claims on several days, their facts mixed, some of them late."""
    stories = [
        moved(
            claimed_as(paid_story(hours=7 * number).facts, f"CLM-TEST000{number}"),
            datetime(2025, 2, 10 + number % 3, 22, 50, tzinfo=UTC),
        )
        for number in range(claims)
    ]
    longest = max(map(len, stories))
    return [facts[place] for place in range(longest) for facts in stories if place < len(facts)]


def analytics(keys: Any, reads: Reads) -> Analytics:
    return Analytics(keys, reads)


async def everything(one: ClaimActor) -> dict[str, Any]:
    """Every key that analytics wrote."""
    found: dict[str, Any] = {}
    for family in ("analytics:*", "leaderboard:*", "metrics:*", "kpi:*"):
        async for raw in one.store.reads.keys(family):
            kind = await one.store.reads.one("TYPE", raw)
            ask = ("HGETALL", raw) if kind == b"hash" else ("ZRANGE", raw, 0, -1, "WITHSCORES")
            found[raw.decode()] = await one.store.reads.one(*ask)
    found["claims:analytics"] = [fields async for _, fields in one.store.reads.stream("claims:analytics")]
    return found


async def test_every_cut_into_batches_gives_the_same(store_address: StoreAddress, commands: Redis) -> None:
    facts = portfolio()
    seen = []
    for batch in (1, 7, 500):
        await command(commands, "FLUSHALL")
        async with claim_actor(store_address, analytics, "analytics", batch=batch) as one:
            await one.append(facts)
            await one.at_rest()
            seen.append(await everything(one))
    assert seen[0] == seen[1] == seen[2]
    assert len(seen[0]["claims:analytics"]) >= 2, "no day was closed: the comparison says nothing about summaries"


@row("S21", "S28", "S67")
async def test_counts_equal_log(store_address: StoreAddress) -> None:
    """All of the log is there first: whoever counts by the claim as it stands now has to count wrongly."""
    facts = portfolio()
    async with claim_actor(store_address, analytics, "analytics", batch=5, log=facts) as one:
        await one.at_rest()
        days = {fact.at.strftime("%Y-%m-%d") for fact in facts}
        for day in days:
            expected: dict[str, int] = {}
            for fact in facts:
                if fact.at.strftime("%Y-%m-%d") == day:
                    field = f"auto:{fact.type}"
                    expected[field] = expected.get(field, 0) + 1
            assert await one.hash(f"analytics:daily:{day}") == {k: str(v) for k, v in expected.items()}
            hours = [await one.hash(f"analytics:hourly:{day}:{hour}") for hour in range(24)]
            per_hour = sum(int(count) for hour in hours for count in hour.values())
            assert per_hour == sum(expected.values())


@row("S29")
async def test_the_status_distribution_sums_to_all_claims(store_address: StoreAddress) -> None:
    async with claim_actor(store_address, analytics, "analytics") as one:
        await one.append(claimed_as(Story().submit().facts, "CLM-TEST0002") + paid_story().facts)
        await one.at_rest()
        status = await one.hash("analytics:status")
    shown = {word: count for word, count in status.items() if count != "0"}
    assert shown == {"assigned": "1", "approved": "1"}


@row("S30", "C17")
async def test_amounts_apart_claimed_approved_and_paid(store_address: StoreAddress) -> None:
    async with claim_actor(store_address, analytics, "analytics") as one:
        await one.append(paid_story().facts)
        await one.at_rest()
        amounts = await one.hash("analytics:amounts:2025-02-10")
    assert amounts["claim.submitted"] == "20000.00"
    assert amounts["claim.approved"] == amounts["claim.payment.completed"] == "19000.00"
    assert amounts["auto:claim.approved:minor:USD"] == "1900000"


@row("S68")
async def test_late_event_in_its_hour(store_address: StoreAddress) -> None:
    early = moved(Story().submit().facts[:1], datetime(2025, 2, 10, 9, 59, 59, tzinfo=UTC))
    later = moved(claimed_as(Story().submit().facts[:1], "CLM-TEST0002"), datetime(2025, 2, 12, 8, 0, tzinfo=UTC))
    async with claim_actor(store_address, analytics, "analytics") as one:
        await one.append(later)
        await one.at_rest()
        await one.append(early)
        await one.at_rest()
        assert await one.hash("analytics:hourly:2025-02-10:9") == {"claim.submitted": "1"}
        assert await one.hash("analytics:hourly:2025-02-12:8") == {"claim.submitted": "1"}


@row("C15", "S68")
async def test_hours_utc_whatever_the_zone_of_the_machine(
    store_address: StoreAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        facts = moved(Story().submit().facts[:1], datetime(2025, 2, 10, 23, 30, tzinfo=UTC))
        async with claim_actor(store_address, analytics, "analytics") as one:
            await one.append(facts)
            await one.at_rest()
            assert await one.hash("analytics:hourly:2025-02-10:23") == {"claim.submitted": "1"}
            assert await one.hash("metrics:hourly:2025-02-10:23") == {"claims:submitted": "1"}
    finally:
        monkeypatch.undo()
        time.tzset()


@row("C15")
async def test_realtime_slides(store_address: StoreAddress, commands: Redis) -> None:
    start = datetime(2025, 2, 10, 9, 0, tzinfo=UTC)
    first = Story().submit().facts[0]

    def submitted(number: int, at: datetime) -> Fact:
        return replace(first, claim_id=f"CLM-TEST10{number:02d}", at=at)

    async with claim_actor(store_address, analytics, "analytics") as one:
        for number in range(10):  # one every 20 minutes, for three hours: never more than three in an hour
            await one.append([submitted(number, start + timedelta(minutes=20 * number))])
            await one.at_rest()
            expected = min(number + 1, 3)
            assert await one.hash("analytics:realtime") == {"claim.submitted": str(expected)}
        await one.append([submitted(90, start)])  # long past: it is counted in its day, not in the last hour
        await one.at_rest()
        assert await one.hash("analytics:realtime") == {"claim.submitted": "3"}
        assert 0 < await command(commands, "PTTL", "analytics:realtime") <= 3_600_000
        assert len(await one.hash("analytics:minutes")) == 3


@row("C11", "S69")
async def test_facts_complete_so_that_times_and_boards_are_filled(store_address: StoreAddress) -> None:
    async with claim_actor(store_address, analytics, "analytics") as one:
        await one.append(paid_story(hours=36).facts)
        await one.at_rest()
        reads = one.store.reads
        assert await reads.one("ZSCORE", "analytics:processing_times:2025-02-11", "CLM-TEST0001") is not None
        processing = await one.hash("analytics:processing:2025-02-11")
        assert processing == {"seconds": "129600", "count": "1", "average_hours": "36.00"}
        assert await reads.one("ZSCORE", "leaderboard:adjusters:resolved", "ADJ-001") == 1
        assert await reads.one("ZSCORE", "leaderboard:adjusters:approved_amount", "ADJ-001") == 1_900_000
        names = [name async for name in reads.keys("metrics:*")]
        fields = [field for name in names for field in await one.hash(name.decode())]
        assert fields and not any("undefined" in field or "other" in field for field in fields)


@row("S75")
async def test_one_call_per_batch_writes_and_acknowledges_all_of_it(store_address: StoreAddress) -> None:
    facts = portfolio()
    async with claim_actor(store_address, analytics, "analytics", batch=500) as one:
        await one.append(facts)
        await one.at_rest()
        batches = one.running.signals.all(BatchSettled, outcome="ok")
        calls = one.running.signals.all(StoreRoundTrip, call=functions.SETTLE)
    assert sum(batch.entries for batch in batches) == len(facts)
    assert len(calls) == len(batches)


async def test_the_same_batch_gives_the_same_effects_after_doubt(store_address: StoreAddress) -> None:
    facts = portfolio(2)
    async with claim_actor(store_address, analytics, "analytics") as one:
        actor = Analytics(one.keys, one.store.reads)
        first = await actor.handle(batch_of(facts))
        actor.forget()
        assert await actor.handle(batch_of(facts)) == first


async def test_a_batch_of_hundreds_is_written_as_few_effects(store_address: StoreAddress) -> None:
    facts = [fact for number in range(60) for fact in claimed_as(paid_story().facts, f"CLM-TEST{number:04d}")]
    async with claim_actor(store_address, analytics, "analytics") as one:
        wanted = await Analytics(one.keys, one.store.reads).handle(batch_of(facts))
    assert len(facts) > 500
    assert len(wanted) < 50
    keys = [effect.key for effect in wanted if isinstance(effect, HashIncrement)]
    assert len(keys) == len(set(keys))


async def test_a_day_is_summarised_when_it_closes_with_what_came_late(store_address: StoreAddress) -> None:
    first = Story().submit().facts[0]
    at = [datetime(2025, 2, day, 9, 0, tzinfo=UTC) for day in (10, 11, 10, 12)]
    facts = [replace(first, claim_id=f"CLM-TEST100{n}", at=when) for n, when in enumerate(at)]
    async with claim_actor(store_address, analytics, "analytics") as one:
        wanted = await Analytics(one.keys, one.store.reads).handle(batch_of(facts))
    added = [effect.fields for effect in wanted if isinstance(effect, StreamAdd)]
    summaries = [dict(zip(fields[::2], fields[1::2], strict=True)) for fields in added]
    assert [summary["window"] for summary in summaries] == ["2025-02-10", "2025-02-10", "2025-02-11"]
    assert '"claim.submitted":2' in str(summaries[1]["data"])


class Counted:
    """Reads that say how often they were asked."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self.asked = 0

    async def many(self, commands: Sequence[Any]) -> list[Any]:
        self.asked += len(commands)
        return await self._reads.many(commands)


async def test_sums_of_a_day_are_read_once_and_again_after_doubt(store_address: StoreAddress) -> None:
    facts = paid_story().facts
    async with claim_actor(store_address, analytics, "analytics") as one:
        reads = Counted(one.store.reads)
        actor = Analytics(one.keys, reads)  # type: ignore[arg-type]
        first = await actor.handle(batch_of(facts))
        before = reads.asked
        await actor.handle(batch_of(claimed_as(facts, "CLM-TEST0002")))
        assert reads.asked == before
        actor.forget()
        assert await actor.handle(batch_of(facts)) == first
        assert reads.asked == 2 * before


async def test_more_days_than_are_remembered_give_the_same(
    store_address: StoreAddress, commands: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = portfolio()
    seen = []
    for most in (1000, 3):
        monkeypatch.setattr(workers.analytics, "MAX_REMEMBERED", most)
        await command(commands, "FLUSHALL")
        async with claim_actor(store_address, analytics, "analytics", batch=7) as one:
            await one.append(facts)
            await one.at_rest()
            seen.append(await everything(one))
    assert seen[0] == seen[1]


@given(st.lists(st.integers(1, 9), max_size=12), st.integers(0, 12))
def test_days_close_at_the_same_facts_for_every_cut(numbers: list[int], cut: int) -> None:
    days = [f"2025-02-0{number}" for number in numbers]
    whole, parts, alone = figures.Days(), figures.Days(), figures.Days()
    closings = whole.see(days)
    parts.see(days[:cut])
    assert [(cut + place, due) for place, due in parts.see(days[cut:])] == [one for one in closings if one[0] >= cut]
    assert [(place, due) for place, day in enumerate(days) for _, due in alone.see([day])] == closings
    assert whole == parts == alone


def test_a_plain_amount_is_rendered_from_every_currency_of_its_sum() -> None:
    exact = {"a:minor:USD": 1, "a:minor:EUR": 1, "b:minor:EUR": -5}
    assert figures.beside(exact, ["a:minor:EUR"]) == {"a:minor:USD": 1, "a:minor:EUR": 1}


@pytest.mark.parametrize(
    ("exact", "plain"),
    [
        ({"claim.approved:minor:USD": 123456}, {"claim.approved": "1234.56"}),
        ({"claim.approved:minor:JPY": 123456}, {"claim.approved": "123456"}),
        ({"a:minor:USD": 1, "a:minor:EUR": 1, "b:minor:EUR": -5}, {"a": None, "b": "-0.05"}),
    ],
)
def test_a_sum_over_two_currencies_is_shown_as_no_number(exact: dict[str, int], plain: dict[str, str]) -> None:
    assert figures.plain_amounts(exact) == plain
