"""A person finds out what became of a payment in doubt: it goes on from there, and its money leaves once at most."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from domain.transitions import State
from runtime import failpoints
from tests.support.commands import here
from tests.support.paying import paying
from tests.support.store import command
from tests.support.waiting import until
from tests.support.windows import window
from tests.workers.test_payments import outcome_of
from workers import reconciliation
from workers.payouts import order_key

if TYPE_CHECKING:
    from pathlib import Path

    from redis.asyncio import Redis

    from runtime.store.address import StoreAddress
    from tests.support.commands import Said
    from tests.support.paying import PayingHouse

MANY = 1000
"""More failures than any test waits for."""


class Desk:
    """Where a person sits at the command line."""

    def __init__(self, address: StoreAddress, directory: Path) -> None:
        self._url = str(address.url)
        self._env = {"CLAIMSTREAM_EMBEDDED__DATA_DIR": str(directory / "store")}

    async def say(self, *words: str) -> Said:
        return await asyncio.to_thread(lambda: here(*words, url=self._url, env=self._env))

    async def resolve(self, item: str, *words: str) -> Said:
        return await self.say("reconciliation", "resolve", item, "--reason", "asked the bank", *words)

    async def resolved(self, item: str, *words: str) -> str:
        done = await self.resolve(item, *words)
        assert done.code == 0, done
        return done.out

    async def refused(self, item: str, *words: str) -> str:
        said = await self.resolve(item, *words)
        assert said.code == 2, said
        return said.one_line()


async def ids(house: PayingHouse) -> list[str]:
    """The items of the list, the oldest first."""
    app = house.cluster.app
    return [one.id for one in await reconciliation.listed(app.store.reads, app.all_claim_keys())]


async def checked(house: PayingHouse) -> list[str]:
    """What `verify` finds wrong at rest."""
    report = await house.cluster.verified()
    return [line for found in report.invariants.values() for line in found.first]


async def test_an_order_that_was_not_sent_goes_out_under_its_key_once_and_is_resolved_once(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    desk = Desk(store_address, tmp_path)
    async with paying(store_address, tmp_path, attempts=1) as house:
        house.behave(unavailable=MANY)
        claim_id = await house.pending()
        (doubt,) = await house.items(1)
        (item,) = await ids(house)
        assert "--sent [--reference REF] or --not-sent" in await desk.refused(item)
        assert "only be one" in await desk.refused(item, "--sent", "--not-sent")
        assert "needs --sent" in await desk.refused(item, "--not-sent", "--reference", "BNK-1")
        house.behave()
        assert f"{doubt.key} is sent again under the same key" in await desk.resolved(item, "--not-sent")
        claim = await house.until_state(claim_id, State.CLOSED)
        assert [order["key"] for order in house.orders()] == [doubt.key] == [claim.payments[0].id]
        assert house.paid(claim_id) == 1
        for finding in ("--not-sent", "--sent"):
            assert "was resolved by" in await desk.refused(item, finding)
        assert "is empty (1 resolved" in (await desk.say("reconciliation", "list")).out
        assert await checked(house) == []


async def test_a_person_who_is_wrong_that_nothing_was_sent_pays_nobody_twice(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    desk = Desk(store_address, tmp_path)
    async with paying(store_address, tmp_path, attempts=1) as house:
        house.behave(lose_replies=MANY, answers=0)
        claim_id = await house.pending()
        (doubt,) = await house.items(1)
        assert house.paid(claim_id) == 1, "the bank has paid, and nobody knows it"
        asked = house.orders(claim_id)[0]["asked"]
        house.behave(answers=0)
        await desk.resolved((await ids(house))[0], "--not-sent")
        await until(lambda: house.orders(claim_id)[0]["asked"] > asked, what="it is asked again")
        await house.cluster.at_rest()
        (order,) = house.orders(claim_id)
        ended = await outcome_of(house, doubt.key)
        assert (ended.state, ended.reference) == ("taken", order["reference"])
        assert house.paid(claim_id) == 1
        assert await checked(house) == []


async def test_an_order_that_was_sent_is_never_sent_again_and_the_claim_is_paid_by_its_reference(
    store_address: StoreAddress, commands: Redis, tmp_path: Path
) -> None:
    desk = Desk(store_address, tmp_path)
    async with paying(store_address, tmp_path, attempts=1) as house:
        house.behave(unavailable=MANY)
        claim_id = await house.pending()
        (doubt,) = await house.items(1)
        house.behave()
        said = await desk.resolved((await ids(house))[0], "--sent", "--reference", "BNK-BY-PHONE")
        assert f"claim payment {claim_id} --reference BNK-BY-PHONE" in " ".join(said.split())
        await house.cluster.at_rest()
        ended = await outcome_of(house, doubt.key)
        assert (ended.state, ended.reference) == ("taken", "BNK-BY-PHONE")
        assert (await house.claim(claim_id)).state == State.PAYMENT_PENDING, "the finding books nothing"
        assert (await desk.say("claim", "payment", claim_id, "--reference", "BNK-BY-PHONE")).code == 0
        claim = await house.until_state(claim_id, State.CLOSED)
        assert claim.payments[0].provider_ref == "BNK-BY-PHONE"
        assert house.orders() == []
        assert await checked(house) == []
        outcome = await command(commands, "HGET", "payments:outcomes", doubt.key)
        await command(commands, "HSET", "payments:outcomes", doubt.key, outcome.replace(b"BY-PHONE", b"BY-NOBODY"))
        assert any("not recorded as taken like that" in line for line in await checked(house))


@window("W35")
async def test_a_finding_that_is_recorded_while_no_worker_lives_is_acted_on_once_whatever_dies_then(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    """Beyond the bank's memory; then the answers to the first settles and to the first call are lost."""
    desk = Desk(store_address, tmp_path)
    async with paying(store_address, tmp_path, key_hours=0.5 / 3600, retry_seconds=1.0) as house:
        house.behave(unavailable=MANY)
        claim_id = await house.pending()
        (doubt,) = await house.items(1)
        assert doubt.kind == "unconfirmed"
        (item,) = await ids(house)
        await house.cluster.at_rest()
    await desk.resolved(item, "--not-sent")
    deaths = [f"settle.sent=raise@{nth}" for nth in range(1, 13)]
    with failpoints.armed(",".join(["pay.sent=raise@1", *deaths])) as watch:
        async with paying(store_address, tmp_path) as house:
            await house.until_state(claim_id, State.CLOSED)
            assert "pay.sent" in {plan.point for plan in watch.acted}
            (order,) = house.orders(claim_id)
            assert (order["key"], order["state"]) == (doubt.key, "paid")
            assert (await house.types(claim_id)).count("override.recorded") == 1
            assert await checked(house) == []


async def held_by_a_late_message(house: PayingHouse) -> tuple[str, list[str]]:
    """A claim whose third attempt is held, for the bank says that the first has left; the two items."""
    house.behave(fail_later="TIMEOUT_AT_CLEARING", fail_next=2)
    claim_id = await house.pending()
    await until(lambda: len(house.orders(claim_id)) == 2, what="the attempt that is made at once")
    payment = (await house.until_state(claim_id, State.PAYMENT_FAILED)).payments[0]
    house.say(paymentId=payment.id, key=payment.id, kind="confirmed", amount=payment.amount, currency="USD")
    await house.items(1)
    await house.cluster.to_the_end()
    await house.items(2)
    house.behave()
    return claim_id, await ids(house)


async def test_a_message_that_held_a_payment_back_is_looked_at_first_and_holds_nothing_back_when_nothing_left(
    store_address: StoreAddress, commands: Redis, tmp_path: Path
) -> None:
    desk = Desk(store_address, tmp_path)
    async with paying(store_address, tmp_path) as house:
        claim_id, (late, held) = await held_by_a_late_message(house)
        assert f"item {late} is about the same payment" in await desk.refused(held, "--not-sent")
        assert "holds payment" in await desk.resolved(late, "--not-sent")
        await house.cluster.at_rest()
        assert await command(commands, "HLEN", "payments:doubts") == 0
        assert len(house.orders(claim_id)) == 2, "the order waits for its own item"
        await desk.resolved(held, "--not-sent")
        claim = await house.until_state(claim_id, State.CLOSED)
        assert [order["state"] for order in house.orders(claim_id)] == ["failed", "failed", "paid"]
        assert await checked(house) == []
        await command(commands, "HSET", "payments:doubts", claim.payments[0].id, "MSG-OTHER")
        assert any("payments:doubts" in line for line in await checked(house))


async def test_a_message_that_tells_the_truth_goes_on_holding_the_payment_back(
    store_address: StoreAddress, commands: Redis, tmp_path: Path
) -> None:
    desk = Desk(store_address, tmp_path)
    async with paying(store_address, tmp_path) as house:
        claim_id, (late, held) = await held_by_a_late_message(house)
        await desk.resolved(late, "--sent")
        await desk.resolved(held, "--sent", "--reference", "BNK-1")
        await house.cluster.at_rest()
        assert len(house.orders(claim_id)) == 2, "the money had left with the first attempt"
        assert await command(commands, "HLEN", "payments:doubts") == 1
        assert (await desk.say("claim", "payment", claim_id, "--reference", "BNK-1")).code == 0
        await house.until_state(claim_id, State.CLOSED)
        assert await checked(house) == []


async def test_an_item_that_puts_nothing_into_doubt_takes_no_finding(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    desk = Desk(store_address, tmp_path)
    async with paying(store_address, tmp_path) as house:
        house.behave(answers=2)
        await house.until_state(await house.pending(), State.CLOSED)
        await house.items(1)
        (repeated,) = await ids(house)
        assert "leave --sent and --not-sent out" in await desk.refused(repeated, "--not-sent")
        await desk.resolved(repeated)


async def test_a_message_that_came_later_than_the_finding_saw_still_holds_the_payment_back(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    desk = Desk(store_address, tmp_path)
    async with paying(store_address, tmp_path) as house:
        claim_id, (late, held) = await held_by_a_late_message(house)
        payment = (await house.claim(claim_id)).payments[0]
        house.say(paymentId=payment.id, key=payment.id, kind="confirmed", amount=payment.amount, currency="USD")
        await house.items(3)
        await desk.resolved(late, "--not-sent")
        await desk.resolved(held, "--not-sent")
        again = (await house.items(4))[-1]
        assert (again.kind, again.key) == ("held", order_key(payment.id, 3))
        assert len(house.orders(claim_id)) == 2, "nobody has looked at the second message yet"
        assert await checked(house) == []
