"""`verify` on a store that pays through a bank: every order and every doubt is accounted for, and a change is named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from domain.transitions import State
from tests.support.paying import paying
from tests.support.small_cluster import dump_of, wrong
from tests.support.store import command
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from redis.asyncio import Redis

    from runtime.store.address import StoreAddress


async def lose(client: Redis, key: str) -> None:
    await command(client, "DEL", key)


async def unreadable_outcome(client: Redis) -> None:
    first = sorted(await command(client, "HKEYS", "payments:outcomes"))[0]
    await command(client, "HSET", "payments:outcomes", first, "{}")


async def ended_and_begun(client: Redis) -> None:
    first = sorted(await command(client, "HKEYS", "payments:outcomes"))[0]
    await command(client, "HSET", "payments:attempts", first, '{"attempt":1,"begun":1}')


async def another_message(client: Redis) -> None:
    first = sorted(await command(client, "HKEYS", "payments:doubts"))[0]
    await command(client, "HSET", "payments:doubts", first, "MSG-OTHER")


DAMAGES: list[tuple[str, Callable[[Redis], Awaitable[Any]], str, str]] = [
    ("lost outcomes", lambda client: lose(client, "payments:outcomes"), "payouts", "no record tells"),
    ("unreadable outcome", unreadable_outcome, "payouts", "cannot be read"),
    ("ended and begun", ended_and_begun, "payouts", "it has ended, and it waits"),
    ("lost list", lambda client: lose(client, "payments:reconciliation"), "reconciliation", "not on the list"),
    ("lost doubts", lambda client: lose(client, "payments:doubts"), "reconciliation", "the store has nothing"),
    ("another message", another_message, "reconciliation", "MSG-OTHER"),
]


async def test_a_change_of_what_is_known_of_payouts_is_named(
    store_address: StoreAddress, commands: Redis, tmp_path: Path
) -> None:
    """One payment that was paid; one of which the bank says what does not fit, so that its next attempt is held."""
    async with paying(store_address, tmp_path) as house:
        await house.until_state(await house.pending(), State.CLOSED)
        house.behave(fail_later="TIMEOUT_AT_CLEARING", fail_next=2)
        claim_id = await house.pending()
        await until(lambda: len(house.orders(claim_id)) == 2, what="the attempt that is made at once")
        payment = (await house.until_state(claim_id, State.PAYMENT_FAILED)).payments[0]
        house.say(paymentId=payment.id, key=payment.id, kind="confirmed", amount=payment.amount, currency="USD")
        await house.items(1)
        await house.cluster.to_the_end()
        await house.items(2)
        await house.cluster.at_rest()
        untouched = await house.cluster.verified()
        assert wrong(untouched) == {}
        assert untouched.invariants["payouts"].checked >= 4
        kept = await dump_of(commands)
        for name, damage, invariant, named in DAMAGES:
            await damage(commands)
            found = wrong(await house.cluster.verified())
            assert any(named in line for line in found.get(invariant, [])), (name, found)
            for key in [key for key in kept.keys if key.startswith(b"payments:")]:
                await command(commands, "RESTORE", key, 0, kept.keys[key][0], "REPLACE")
            if b"payments:attempts" not in kept.keys:
                await command(commands, "DEL", "payments:attempts")
        assert wrong(await house.cluster.verified()) == {}
