"""A claim that waits for its payee is paid by itself once: when the check comes, when the cool-off ends, never else."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from domain.authority import BANK_COOL_OFF_DAYS
from domain.bodies.base import Actor
from domain.commands import FailPayment, RescindDecision
from domain.customer import PayeeChanged, PayeeChecked
from domain.transitions import State
from runtime import failpoints
from tests.support.claims import BANK, MANAGER
from tests.support.notices import claims_cluster
from tests.support.store import command
from tests.support.waiting import until
from workers.adapters.small_claims import small_claims
from workers.importing import Importer
from workers.recording import Recorder
from workers.timing import SimulatedTiming
from workers.waiting_payees import LOOK_AGAIN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from domain.claim_record import Claim
    from domain.customer import CustomerEvent
    from runtime.store.address import StoreAddress
    from tests.support.small_cluster import SmallCluster

CLERK = Actor(id="CLERK-1", role="clerk")
COOL_OFF = timedelta(days=BANK_COOL_OFF_DAYS)
SECOND = timedelta(seconds=1)
UNVERIFIED = PayeeChecked(at=datetime(2015, 1, 1, tzinfo=UTC), verified=False)


class Waiting:
    """A cluster in which one small claim is approved and waits for its payee."""

    def __init__(self, cluster: SmallCluster) -> None:
        self.cluster = cluster
        self.claim_id = self.customer = ""
        self.key = cluster.app.claim_keys(0).waiting_payees

    async def approve(self, *events: CustomerEvent | None) -> Claim:
        """Approve a small claim whose payee was told `events` of; PayeeChanged None: at the moment of the notice."""
        for row in small_claims(50):
            importer = Importer(self.cluster.app)
            await importer.records([row])
            self.customer = row.registered.customer_id
            at = row.submission.reported_at.astimezone(UTC)
            for event in events:
                await self.tell(event if event is not None else PayeeChanged(at=at))
            (self.claim_id,) = (await importer.submissions([row.submission])).claim_ids
            await self.cluster.at_rest()
            if (claim := await self.claim()).state is State.APPROVED:
                return claim
        raise AssertionError("none of 50 small claims went straight through")

    async def tell(self, event: CustomerEvent) -> None:
        await Recorder(self.cluster.app).customer(self.customer, lambda known: event, CLERK)

    async def claim(self) -> Claim:
        (claim,) = await self.cluster.app.claims.read([self.claim_id])
        assert claim is not None
        return claim

    def go_to(self, at: datetime) -> None:
        timing = self.cluster.app.timing
        assert isinstance(timing, SimulatedTiming)
        timing.advance(at)

    async def waits(self) -> dict[str, int]:
        """Who waits, and when it is looked at again in milliseconds."""
        rows = await self.cluster.app.store.reads.scored("ZRANGE", self.key, 0, -1)
        return {name.decode(): int(score) for name, score in rows}

    async def looked_at(self) -> None:
        """Wait until every clock rang that time has come to, and the claim is looked at later, or never again."""
        now = int(self.cluster.app.timing.now().timestamp() * 1000)

        async def rung() -> bool:
            timers = await self.cluster.app.store.reads.scored("ZRANGE", self.cluster.app.claim_keys(0).timers, 0, 0)
            return all(due > now for _, due in timers)

        async def looked() -> bool:
            return (await self.waits()).get(self.claim_id, now + 1) > now

        await until(rung, what="no clock is left to ring")
        await self.cluster.at_rest()  # what a clock says wakes the claim at the time of that clock, which is past
        await until(looked, what="the waiting claim was looked at")
        await self.cluster.at_rest()

    async def initiated(self) -> int:
        """How often the log says that a payment was initiated."""
        log = self.cluster.app.claim_keyspace.log(0)
        found = 0
        async for _, fields in self.cluster.app.store.reads.stream(log):
            entry = dict(zip(fields[::2], fields[1::2], strict=True))
            found += entry[b"eventType"] == b"claim.payment.initiated" and entry[b"claimId"] == self.claim_id.encode()
        return found

    async def paid_once(self) -> None:
        """The payment was initiated once, nobody waits any more, and every guarantee holds."""
        assert (await self.claim()).state is State.PAYMENT_PENDING
        assert await self.initiated() == 1
        assert self.claim_id not in await self.waits()
        await self.verified()

    async def verified(self) -> None:
        report = await self.cluster.verified()
        assert report.ok, report


@asynccontextmanager
async def waiting(address: StoreAddress, directory: Path) -> AsyncIterator[Waiting]:
    async with claims_cluster(address, directory) as cluster:
        yield Waiting(cluster)


async def test_a_claim_is_paid_by_itself_once_when_the_payee_is_verified(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    async with waiting(store_address, tmp_path) as house:
        claim = await house.approve(UNVERIFIED)
        assert list(await house.waits()) == [house.claim_id]
        house.go_to(claim.updated_at + LOOK_AGAIN)
        await house.looked_at()
        assert await house.initiated() == 0, "nobody has verified the payee"
        await house.verified()
        await house.tell(PayeeChecked(at=claim.updated_at + LOOK_AGAIN + SECOND, verified=True))
        house.go_to(claim.updated_at + 2 * LOOK_AGAIN)
        await house.looked_at()
        await house.paid_once()


async def test_a_payment_that_failed_for_good_is_made_again_by_itself_when_the_payee_is_verified_again(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    async with waiting(store_address, tmp_path) as house:
        await house.approve(UNVERIFIED)
        start = (await house.claim()).updated_at
        await house.tell(PayeeChecked(at=start + SECOND, verified=True))
        house.go_to(start + LOOK_AGAIN)
        await house.looked_at()
        (sent,) = (await house.claim()).payments
        failed = FailPayment(payment_id=sent.id, reason="account closed", retryable=False)
        await house.cluster.command(house.claim_id, failed, BANK)
        await house.cluster.at_rest()
        claim = await house.claim()
        assert (claim.state, list(await house.waits())) == (State.PAYMENT_FAILED, [house.claim_id])
        house.go_to(claim.updated_at + LOOK_AGAIN)
        await house.looked_at()
        assert await house.initiated() == 1, "nobody has verified the payee again"
        await house.verified()
        await house.tell(PayeeChecked(at=claim.updated_at + LOOK_AGAIN + SECOND, verified=True))
        house.go_to(claim.updated_at + 2 * LOOK_AGAIN)
        await house.looked_at()
        (again,) = (await house.claim()).payments
        assert ((await house.claim()).state, again.id, again.attempt) == (State.PAYMENT_PENDING, sent.id, 2)
        assert await house.initiated() == 2
        assert await house.waits() == {}
        await house.verified()


async def test_a_claim_is_paid_by_itself_once_when_the_cool_off_ends_and_not_before(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    async with waiting(store_address, tmp_path) as house:
        claim = await house.approve(None)
        changed = claim.submitted_at
        house.go_to(changed + COOL_OFF - SECOND)
        await house.looked_at()
        assert await house.initiated() == 0
        assert (await house.waits())[house.claim_id] == int((changed + COOL_OFF).timestamp() * 1000)
        house.go_to(changed + COOL_OFF + SECOND)
        await house.looked_at()
        await house.paid_once()
        assert (await house.claim()).payments[0].initiated_at == changed + COOL_OFF


async def test_a_call_back_ends_the_wait_before_the_cool_off_does(store_address: StoreAddress, tmp_path: Path) -> None:
    async with waiting(store_address, tmp_path) as house:
        claim = await house.approve(None)
        await house.tell(PayeeChecked(at=claim.updated_at + SECOND, called_back=True))
        house.go_to(claim.updated_at + LOOK_AGAIN)
        await house.looked_at()
        await house.paid_once()


async def test_a_claim_that_was_decided_otherwise_meanwhile_is_not_paid_and_waits_no_more(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    async with waiting(store_address, tmp_path) as house:
        claim = await house.approve(UNVERIFIED)
        rescind = RescindDecision(reason="the invoice was forged")
        await house.cluster.command(house.claim_id, rescind, MANAGER)
        await house.cluster.at_rest()
        assert await house.waits() == {}
        await house.verified()
        await house.tell(PayeeChecked(at=claim.updated_at + SECOND, verified=True))
        house.go_to(claim.updated_at + 2 * LOOK_AGAIN)
        await command(house.cluster.app.store.commands, "ZADD", house.key, 1, house.claim_id)  # as if it were late
        await house.looked_at()
        assert await house.waits() == {}
        assert await house.initiated() == 0
        await house.verified()


@pytest.mark.parametrize("point", ["settle.sent=raise@1", "settle.sent=raise@2"])
async def test_a_death_while_it_pays_pays_once(store_address: StoreAddress, tmp_path: Path, point: str) -> None:
    """While the settle of the tick is on its way, and while that of whoever follows the new fact first is."""
    async with waiting(store_address, tmp_path) as house:
        claim = await house.approve(UNVERIFIED)
        await house.tell(PayeeChecked(at=claim.updated_at + SECOND, verified=True))
        with failpoints.armed(point) as watch:
            house.go_to(claim.updated_at + LOOK_AGAIN)
            await house.looked_at()
            await until(lambda: bool(watch.acted), what="it died")
        await house.cluster.at_rest()
        await house.paid_once()


async def test_a_claim_that_waits_and_is_not_listed_turns_verify_red(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    async with waiting(store_address, tmp_path) as house:
        await house.approve(UNVERIFIED)
        await command(house.cluster.app.store.commands, "ZREM", house.key, house.claim_id)
        report = await house.cluster.verified()
        found = report.invariants["work_lists"].first
        assert not report.ok
        assert any(f"{house.key}: {house.claim_id}" in line for line in found), found
