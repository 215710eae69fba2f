"""Payments through a bank over real HTTP that misbehaves: nothing is paid twice, nothing is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from config.fields import SettingsError
from config.loading import load
from domain.transitions import State
from tests.support.paying import paying
from tests.support.rows import row
from tests.support.waiting import until
from workers.payouts import attempt_of, claim_of_payment, decode_ended, order_key

if TYPE_CHECKING:
    from pathlib import Path

    from runtime.store.address import StoreAddress
    from tests.support.paying import PayingHouse
    from workers.payouts import Ended


async def outcome_of(house: PayingHouse, key: str) -> Ended:
    """How an order ended, once it has."""
    app = house.cluster.app
    keys = app.claim_keys(app.claim_keyspace.partition_of(claim_of_payment(key.partition(".")[0])))

    async def there() -> Any:
        return await app.store.reads.one("HGET", keys.payment_outcomes, key)

    return decode_ended(await until(there, what=f"an outcome of {key}"))


@pytest.mark.parametrize("partitions", [1, 3])
async def test_a_payment_is_ordered_once_confirmed_once_and_the_claim_closes(
    store_address: StoreAddress, tmp_path: Path, partitions: int
) -> None:
    async with paying(store_address, tmp_path, partitions=partitions) as house:
        ids = [await house.pending() for _ in range(3)]
        for claim_id in ids:
            claim = await house.until_state(claim_id, State.CLOSED)
            (order,) = house.orders(claim_id)
            assert order["amount"] == claim.paid == claim.approved
            assert order["key"] == claim.payments[0].id
            assert order["reference"] == claim.payments[0].provider_ref
            assert (await house.types(claim_id)).count("payment.completed") == 1
        assert (await house.cluster.verified()).ok


async def test_an_order_whose_reply_was_lost_is_asked_for_again_and_paid_once(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    async with paying(store_address, tmp_path) as house:
        house.behave(lose_replies=5, answer_after=2.0)
        claim_id = await house.pending()
        await house.until_state(claim_id, State.CLOSED)
        (order,) = house.orders(claim_id)
        assert (await outcome_of(house, order["key"])).state == "taken"
        assert order["asked"] > 3, "more than the repetitions of one call"
        assert house.paid(claim_id) == 1
        assert (await house.types(claim_id)).count("payment.completed") == 1


async def test_a_bank_that_is_away_for_a_while_gets_the_order_later(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    async with paying(store_address, tmp_path) as house:
        house.behave(unavailable=7)
        claim_id = await house.pending()
        claim = await house.until_state(claim_id, State.CLOSED)
        assert house.paid(claim_id) == 1
        assert [payment.attempt for payment in claim.payments] == [1], "a bank that is away is no failed payment"


async def test_a_bank_that_answers_too_late_is_asked_again_under_the_same_key(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    async with paying(store_address, tmp_path, call_seconds=0.2) as house:
        house.behave(slow_seconds=0.6, answer_after=3.0)
        claim_id = await house.pending()
        await until(lambda: house.orders(claim_id)[0]["asked"] > 1, what="it is asked again")
        house.behave()
        (order,) = house.orders(claim_id)
        assert (await outcome_of(house, order["key"])).state == "taken"
        await house.until_state(claim_id, State.CLOSED)
        assert house.paid(claim_id) == 1


async def test_a_payment_that_fails_later_is_tried_again_as_another_order_and_paid_once(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    async with paying(store_address, tmp_path) as house:
        house.behave(fail_later="BENEFICIARY_BANK_CLOSED", fail_next=2)
        claim_id = await house.pending()
        await house.until_state(claim_id, State.PAYMENT_FAILED)
        await until(lambda: len(house.orders(claim_id)) == 2, what="the attempt that is made at once")
        await house.until_state(claim_id, State.PAYMENT_FAILED)
        await house.cluster.to_the_end()
        claim = await house.until_state(claim_id, State.CLOSED)
        orders = house.orders(claim_id)
    assert [order["state"] for order in orders] == ["failed", "failed", "paid"]
    assert [order["key"] for order in orders] == [order_key(claim.payments[0].id, attempt) for attempt in (1, 2, 3)]
    assert claim.paid == claim.approved


async def test_a_payment_that_fails_for_good_waits_for_a_person(store_address: StoreAddress, tmp_path: Path) -> None:
    async with paying(store_address, tmp_path) as house:
        house.behave(fail_later="ACCOUNT_CLOSED", retryable=False)
        claim_id = await house.pending()
        await house.until_state(claim_id, State.PAYMENT_FAILED)
        await house.cluster.to_the_end()
        assert (await house.claim(claim_id)).state == State.PAYMENT_FAILED
        assert len(house.orders(claim_id)) == 1


async def test_an_order_that_the_bank_refuses_fails_the_payment_with_its_reason(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    async with paying(store_address, tmp_path) as house:
        house.behave(refuse="NO_SUCH_PAYEE")
        claim_id = await house.pending()
        claim = await house.until_state(claim_id, State.PAYMENT_FAILED)
        ended = await outcome_of(house, claim.payments[0].id)
        assert (ended.state, ended.reason) == ("refused", "NO_SUCH_PAYEE")
        assert not claim.payments[0].retryable
        assert house.paid(claim_id) == 0


@row("S92")
@pytest.mark.parametrize("new_ids", [False, True])
async def test_a_bank_that_says_everything_twice_is_booked_once_and_the_second_time_listed(
    store_address: StoreAddress, tmp_path: Path, new_ids: bool
) -> None:
    async with paying(store_address, tmp_path) as house:
        house.behave(answers=2, new_ids=new_ids)
        claim_id = await house.pending()
        claim = await house.until_state(claim_id, State.CLOSED)
        (item,) = await house.items(1)
        types = await house.types(claim_id)
    assert (item.kind, item.claim_id, item.says) == ("repeated", claim_id, "confirmed")
    assert types.count("payment.completed") == 1
    assert claim.paid == claim.approved


@row("S92")
async def test_a_message_that_fits_no_payment_goes_to_the_reconciliation_list(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    async with paying(store_address, tmp_path, partitions=2) as house:
        house.behave(answers=0)
        claim_id = await house.pending()
        payment = (await house.claim(claim_id)).payments[0]
        fitting = {"paymentId": payment.id, "amount": payment.amount, "currency": "USD", "kind": "confirmed"}
        house.say(**(fitting | {"paymentId": "PAY-CLM-NOBODY01-1"}))
        house.say(**(fitting | {"paymentId": "an invoice of somebody else"}))
        house.say(**(fitting | {"amount": payment.amount + 1}))
        house.say(**(fitting | {"currency": "XXY"}))
        house.say(**(fitting | {"kind": "pondered"}))
        house.say(**(fitting | {"kind": "reversed"}))
        items = await house.items(6)
        assert {item.kind for item in items} == {"unmatched"}
        assert all(item.reason for item in items)
        assert (await house.claim(claim_id)).state == State.PAYMENT_PENDING, "nothing was booked"
        house.say(**fitting)
        await house.until_state(claim_id, State.CLOSED)
        assert (await house.cluster.verified()).ok


async def test_a_late_confirmation_of_a_failed_attempt_keeps_the_payment_from_being_sent_again(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    async with paying(store_address, tmp_path) as house:
        house.behave(fail_later="TIMEOUT_AT_CLEARING", fail_next=2)
        claim_id = await house.pending()
        await until(lambda: len(house.orders(claim_id)) == 2, what="the attempt that is made at once")
        claim = await house.until_state(claim_id, State.PAYMENT_FAILED)
        payment = claim.payments[0]
        house.say(paymentId=payment.id, key=payment.id, kind="confirmed", amount=payment.amount, currency="USD")
        (late,) = await house.items(1)
        await house.cluster.to_the_end()
        _, held = await house.items(2)
        state = (await house.claim(claim_id)).state
        orders = house.orders(claim_id)
    assert (late.kind, held.kind) == ("unmatched", "held")
    assert state == State.PAYMENT_PENDING, "a person looks before anything is paid"
    assert len(orders) == 2, "the third attempt was not sent"


async def test_a_reversal_after_closing_makes_the_amount_owed_again_and_pays_nothing_by_itself(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    async with paying(store_address, tmp_path) as house:
        claim_id = await house.pending()
        claim = await house.until_state(claim_id, State.CLOSED)
        assert house.bank.reverse(claim.payments[0].id, "RETURNED_BY_PAYEE_BANK")
        claim = await house.until_state(claim_id, State.APPROVED)
        await house.cluster.to_the_end()
        assert len(house.orders(claim_id)) == 1
    assert claim.paid == 0
    assert claim.balance == claim.approved


async def test_a_payout_whose_answer_is_unknown_beyond_the_banks_memory_is_never_sent_again(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    half_a_second = 0.5 / 3600
    async with paying(store_address, tmp_path, key_hours=half_a_second, retry_seconds=1.0) as house:
        house.behave(unavailable=1000)
        claim_id = await house.pending()
        (item,) = await house.items(1)
        await house.cluster.at_rest()
        assert (item.kind, item.claim_id) == ("unconfirmed", claim_id)
        assert house.orders(claim_id) == []
        assert (await house.claim(claim_id)).state == State.PAYMENT_PENDING


async def test_an_order_that_the_bank_could_not_take_for_too_long_goes_to_a_person(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    async with paying(store_address, tmp_path, attempts=2) as house:
        house.behave(unavailable=1000)
        claim_id = await house.pending()
        (item,) = await house.items(1)
        assert (item.kind, item.claim_id) == ("given_up", claim_id)
        assert (await house.claim(claim_id)).state == State.PAYMENT_PENDING


async def test_a_wrong_token_fails_no_payment(store_address: StoreAddress, tmp_path: Path) -> None:
    async with paying(store_address, tmp_path, token="the right one", attempts=1) as house:
        claim_id = await house.pending()
        (item,) = await house.items(1)
        assert "bank.token" in item.reason
        assert (await house.claim(claim_id)).state == State.PAYMENT_PENDING


async def test_payments_that_were_settled_before_there_was_a_bank_are_not_paid_again(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    from domain.bodies.base import Actor
    from domain.commands import ConfirmPayment
    from tests.support.notices import claims_cluster
    from tests.support.paying import PayingHouse
    from workers.stub_bank.book import BankBook
    from workers.stub_bank.server import StubBank

    async with claims_cluster(store_address, tmp_path) as cluster:
        before = PayingHouse(cluster, StubBank(BankBook(None)))
        claim_id = await before.pending()
        claim = await before.claim(claim_id)
        payment = claim.payments[0]
        confirmed = ConfirmPayment(payment_id=payment.id, amount=claim.money(payment.amount), provider_ref="BY-HAND")
        await cluster.command(claim_id, confirmed, Actor(id="CLI", role="bank"))
        await cluster.at_rest()
    async with paying(store_address, tmp_path) as house:
        assert (await outcome_of(house, payment.id)).state == "not_owed"
        assert house.orders() == []


@pytest.mark.parametrize(("attempt", "key"), [(1, "PAY-CLM-AB12-1"), (2, "PAY-CLM-AB12-1.2")])
def test_every_attempt_has_a_key_of_its_own_and_the_first_is_the_payment_id(attempt: int, key: str) -> None:
    assert order_key("PAY-CLM-AB12-1", attempt) == key
    assert attempt_of(key) == attempt


@pytest.mark.parametrize("text", ["", "PAY-", "PAY-CLM-AB12", "PAY-CLM-ab12-1", "XPAY-CLM-AB12-1", "PAY-CLM-AB12-1\n"])
def test_what_is_no_payment_id_of_ours_belongs_to_no_claim(text: str) -> None:
    assert claim_of_payment(text) == ""


def test_production_pays_only_from_a_store_that_must_fsync_every_append() -> None:
    settings = {"bank.url": "https://bank.example", "store.url": "redis://store.example:6379"}
    with pytest.raises(SettingsError, match=r"bank\.url needs expect\.appendfsync = always"):
        load("production", environment={}, overrides=settings)
    strict = settings | {"expect.require_appendfsync": True}
    assert load("production", environment={}, overrides=strict).bank.url == "https://bank.example"


def test_an_address_of_the_bank_that_is_none_is_one_line() -> None:
    with pytest.raises(SettingsError, match=r"bank\.url is 'bank\.example'"):
        load("test", environment={}, overrides={"bank.url": "bank.example"})
