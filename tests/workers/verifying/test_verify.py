"""`verify` finds nothing on an undisturbed store, and names each single damage under the right invariant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.rows import row
from tests.support.small_cluster import SMALL, SmallStore, small_application, wrong
from tests.support.store import command
from workers.verifying import INVARIANTS, Progress, Report, verify

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from redis.asyncio import Redis

    from runtime.store.clients import StoreAddress


async def verified(
    ready: SmallStore, address: StoreAddress, progress: Callable[[Progress], None] | None = None
) -> Report:
    async with small_application(address, ready.directory, simulation=ready.ended) as app:
        return await verify(app, progress=progress)


@row("S44", "S45", "S88")
@pytest.mark.parametrize("name", ["ended", "open"])
async def test_projection_equals_fold(
    name: str, small_stores: dict[str, SmallStore], commands: Redis, store_address: StoreAddress
) -> None:
    ready = small_stores[name]
    await ready.dump.restore(commands)
    seen: list[Progress] = []
    report = await verified(ready, store_address, seen.append)
    assert wrong(report) == {}
    assert report.ok and not report.moving
    assert report.claims == SMALL
    assert set(report.invariants) == set(INVARIANTS)
    silent = {name for name, found in report.invariants.items() if not found.checked}
    # no bank, no archive, no contacts sent in (test_sightings.py has some)
    elsewhere = {"archive", "checkpoints", "dead_letters", "payouts", "reconciliation", "sightings"}
    elsewhere |= {"timers", "handlers"} if ready.ended else {"summaries"}
    assert silent <= elsewhere, "an invariant that looked at nothing says nothing"
    assert seen[-1].done == seen[-1].total == report.entries


async def rows_of(client: Redis, key: str) -> list[tuple[bytes, list[bytes]]]:
    """Every entry of a stream: id and flat fields."""
    rows = await command(client, "XRANGE", key, "-", "+")
    return [(entry_id, [part for pair in fields.items() for part in pair]) for entry_id, fields in rows]


async def first_claim(client: Redis) -> str:
    fields = (await rows_of(client, "claims:events"))[0][1]
    return fields[fields.index(b"claimId") + 1].decode()


async def a_key(client: Redis, pattern: str) -> bytes:
    names: list[bytes] = sorted([name async for name in client.scan_iter(match=pattern, count=1000)])
    return names[0]


async def remove_entry(client: Redis, place: int, key: str = "claims:events") -> None:
    await command(client, "XDEL", key, (await rows_of(client, key))[place][0])


async def rewrite_entry(client: Redis, key: str, place: int, field: bytes, value: bytes) -> None:
    """Write the stream again with one field of one entry changed, under the same ids and groups."""
    rows = await rows_of(client, key)
    groups = await command(client, "XINFO", "GROUPS", key)
    await command(client, "DEL", key)
    for number, (entry_id, flat) in enumerate(rows):
        if number == place:
            flat[flat.index(field) + 1] = value
        await command(client, "XADD", key, entry_id, *flat)
    for group in groups:
        named = {_text(name): value for name, value in group.items()}
        await command(
            client, "XGROUP", "CREATE", key, named["name"], named["last-delivered-id"], "ENTRIESREAD", len(rows)
        )


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name


async def change_snapshot(client: Redis) -> None:
    await command(client, "HSET", f"claim:{await first_claim(client)}", "amount", "1.00")


async def extra_snapshot_field(client: Redis) -> None:
    await command(client, "HSET", f"claim:{await first_claim(client)}", "mood", "good")


async def change_body(client: Redis) -> None:
    key = f"claim:{await first_claim(client)}"
    body = await command(client, "HGET", key, "body")
    await command(client, "HSET", key, "body", body.replace(b'"state":"CLOSED"', b'"state":"REJECTED"'))


async def orphan_snapshot(client: Redis) -> None:
    await command(client, "HSET", "claim:CLM-NOBODY00", "id", "CLM-NOBODY00")


async def raise_head(client: Redis) -> None:
    await command(client, "INCR", f"claim:{await first_claim(client)}:head")


async def lower_head(client: Redis) -> None:
    await command(client, "DECR", f"claim:{await first_claim(client)}:head")


async def swap_history(client: Redis) -> None:
    key = f"claim:{await first_claim(client)}:history"
    await command(client, "RPUSH", key, await command(client, "LPOP", key))


async def move_timer(client: Redis) -> None:
    first = (await command(client, "ZRANGE", "claims:timers", 0, 0))[0]
    await command(client, "ZINCRBY", "claims:timers", 1, first)


async def lose_timer(client: Redis) -> None:
    await command(client, "ZREMRANGEBYRANK", "claims:timers", 0, 0)


async def strange_timer(client: Redis) -> None:
    await command(client, "ZADD", "claims:timers", 1, "CLM-NOBODY00|inactive:1")


async def count_once_more(client: Redis) -> None:
    await command(client, "HINCRBY", await a_key(client, "analytics:daily:*"), "auto:claim.submitted", 1)


async def amount_off_by_a_cent(client: Redis) -> None:
    await command(client, "HINCRBY", await a_key(client, "analytics:amounts:2*"), "claim.submitted:minor:USD", 1)


async def amount_rendered_wrong(client: Redis) -> None:
    await command(client, "HSET", await a_key(client, "analytics:amounts:2*"), "claim.submitted", "1.00")


async def board_off(client: Redis) -> None:
    await command(client, "ZINCRBY", "leaderboard:claim_types", 1, "auto")


async def strange_figures(client: Redis) -> None:
    await command(client, "HSET", "kpi:daily:1999-01-01", "new:motor", 1)


async def realtime_off(client: Redis) -> None:
    await command(client, "HSET", "analytics:realtime", "claim.submitted", 999)


async def lose_summary(client: Redis) -> None:
    await remove_entry(client, 0, "claims:analytics")


async def lose_from_list(client: Redis) -> None:
    await command(client, "LPOP", "queue:claims:closed")


async def twice_in_list(client: Redis) -> None:
    key = await a_key(client, "adjuster:*:workload")
    await command(client, "RPUSH", key, (await command(client, "LRANGE", key, 0, 0))[0])


async def load_off(client: Redis) -> None:
    await command(client, "HINCRBY", "adjusters:load", "ADJ-001", 1)


async def decisions_off(client: Redis) -> None:
    await command(client, "HINCRBY", "adjusters:load", "#decisions", 1)


async def last_assigned_moved(client: Redis) -> None:
    await command(client, "HINCRBY", "adjusters:last-assigned", await last_adjuster(client), 60_000)


async def last_assigned_invented(client: Redis) -> None:
    await command(client, "HSET", "adjusters:last-assigned", "ADJ-NOBODY", 1)


async def last_adjuster(client: Redis) -> bytes:
    names: list[bytes] = sorted(await command(client, "HKEYS", "adjusters:last-assigned"))
    return names[0]


async def first_field(client: Redis, pattern: str) -> tuple[bytes, bytes]:
    """The first key of a pattern, and its first field."""
    key = await a_key(client, pattern)
    return key, sorted(await command(client, "HKEYS", key))[0]


async def loss_lost(client: Redis) -> None:
    await command(client, "HDEL", *await first_field(client, "losses:*"))


async def loss_changed(client: Redis) -> None:
    key, claim = await first_field(client, "losses:*")
    loss = await command(client, "HGET", key, claim)
    await command(client, "HSET", key, claim, loss.replace(b'"entry":"', b'"entry":"1'))


async def loss_under_another_policy(client: Redis) -> None:
    key, claim = await first_field(client, "losses:*")
    await command(client, "HSET", "losses:POL-OTHER", claim, await command(client, "HGET", key, claim))


async def loss_of_nobody(client: Redis) -> None:
    await command(client, "HSET", await a_key(client, "losses:*"), "CLM-NOBODY00", "{}")


async def insured_lost(client: Redis) -> None:
    await command(client, "DEL", await a_key(client, "insured:*"))


async def insured_invented(client: Redis) -> None:
    await command(client, "SADD", "insured:CUST-OTHER", await first_claim(client))


async def handler_lost(client: Redis) -> None:
    await command(client, "HDEL", *await first_field(client, "handlers:*"))


async def handler_changed(client: Redis) -> None:
    await command(client, "HSET", *await first_field(client, "handlers:*"), "ADJ-NOBODY")


async def handler_of_an_ended_claim(client: Redis) -> None:
    await command(client, "HSET", "handlers:household:CUST-OTHER", await first_claim(client), "ADJ-001")


async def payout_invented(client: Redis) -> None:
    await command(client, "HSET", "payments:outcomes", "PAY-CLM-NOBODY00-1", "{}")


async def payout_mark_invented(client: Redis) -> None:
    await command(client, "HSET", "payments:attempts", "PAY-CLM-NOBODY00-1", "{}")


async def payout_waits_for_nothing(client: Redis) -> None:
    await command(client, "HSET", "payments:waiting", "PAY-CLM-NOBODY00-1", "{}")


async def payout_retry_invented(client: Redis) -> None:
    await command(client, "ZADD", "payments:retries", 1, "PAY-CLM-NOBODY00-1")


async def bank_place_invented(client: Redis) -> None:
    await command(client, "SET", "payments:bank-place", "7")


async def item_invented(client: Redis) -> None:
    await command(client, "XADD", "payments:reconciliation", "*", "kind", "held", "item", "{}")


async def doubt_invented(client: Redis) -> None:
    await command(client, "HSET", "payments:doubts", "PAY-CLM-NOBODY00-1", "MSG-1")


async def orphan_policy(client: Redis) -> None:
    await command(client, "HSET", "policies:policy:POL-NOBODY", "body", "{}")


async def minutes_off(client: Redis) -> None:
    await command(client, "HSET", "analytics:minutes", "2015-01-01T00:00|claim.submitted", 1)


async def window_state_off(client: Redis) -> None:
    await command(client, "HSET", "analytics:windows", "day", "2001-01-01")


async def overflow_invented(client: Redis) -> None:
    await command(client, "RPUSH", "queue:overflow", await first_claim(client))


async def payee_wait_invented(client: Redis) -> None:
    await command(client, "ZADD", "payments:waiting-payees", 1, "CLM-NOBODY00")


async def sighting_invented(client: Redis) -> None:
    await command(client, "HSET", "seen:phone:0123", "CLM-NOBODY00", "1")


async def floor_lowered(client: Redis) -> None:
    await command(client, "DECRBY", await a_key(client, "view:floor:*"), 1)


async def notice_lost(client: Redis) -> None:
    await remove_entry(client, 3, "claims:notifications")


async def notice_twice(client: Redis) -> None:
    await command(client, "XADD", "claims:notifications", "*", *(await rows_of(client, "claims:notifications"))[3][1])


async def notice_changed(client: Redis) -> None:
    await rewrite_entry(client, "claims:notifications", 3, b"causationId", b"another")


async def outcome_lost(client: Redis) -> None:
    names = sorted(await command(client, "HKEYS", "outbox:outcomes"))
    await command(client, "HDEL", "outbox:outcomes", names[0])


async def outcome_invented(client: Redis) -> None:
    record = next(iter(await command(client, "HVALS", "outbox:outcomes")))
    await command(client, "HSET", "outbox:outcomes", "nobody", record)


async def outcome_unreadable(client: Redis) -> None:
    names = sorted(await command(client, "HKEYS", "outbox:outcomes"))
    await command(client, "HSET", "outbox:outcomes", names[0], "{}")


async def chain_head_changed(client: Redis) -> None:
    await command(client, "HSET", "audit:chain", "head", "00" * 32)


async def entry_changed(client: Redis) -> None:
    await rewrite_entry(client, "claims:events", 4, b"actor", b"system:somebody-else")


async def entry_removed(client: Redis) -> None:
    await remove_entry(client, 2)


async def archive_place_invented(client: Redis) -> None:
    await command(client, "HSET", "claims:events:archive", "count", "3", "last", "1-1", "head", "00" * 32)


async def checkpoint_invented(client: Redis) -> None:
    await command(client, "XADD", "audit:checkpoints", "*", "count", "3", "id", "1-1", "head", "ff", "time", "")


async def pending_entry(client: Redis) -> None:
    last = (await rows_of(client, "claims:events"))[-1][0]
    await client.xclaim("claims:events", "analytics", "ghost", 0, [last], force=True)


async def settled_off(client: Redis) -> None:
    await command(client, "HINCRBY", "claims:events:position:notifications", "settled", -1)


async def held_without_letter(client: Redis) -> None:
    await command(client, "HSET", "claims:events:held:analytics", "CLM-00000000", 1)


async def policy_changed(client: Redis) -> None:
    await command(client, "HSET", await a_key(client, "policies:policy:POL-*[0-9]"), "body", "{}")


DAMAGES: list[tuple[Any, str, str]] = [
    (change_snapshot, "snapshot", "amount"),
    (extra_snapshot_field, "snapshot", "mood"),
    (change_body, "snapshot", "body.state"),
    (orphan_snapshot, "snapshot", "CLM-NOBODY00"),
    (policy_changed, "snapshot", "body"),
    (orphan_policy, "snapshot", "policies:policy:POL-NOBODY: the log holds no event"),
    (raise_head, "head", "facts of it"),
    (lower_head, "head", "the log goes on"),
    (swap_history, "history", "entry 1"),
    (move_timer, "timers", "timer"),
    (lose_timer, "timers", "nothing"),
    (strange_timer, "timers", "CLM-NOBODY00"),
    (count_once_more, "analytics", "auto:claim.submitted"),
    (amount_off_by_a_cent, "analytics", "claim.submitted:minor:USD"),
    (amount_rendered_wrong, "analytics", "claim.submitted: "),
    (board_off, "analytics", "leaderboard:claim_types auto"),
    (strange_figures, "analytics", "kpi:daily:1999-01-01"),
    (realtime_off, "analytics", "analytics:realtime"),
    (lose_summary, "summaries", "is missing"),
    (lose_from_list, "work_lists", "queue:claims:closed"),
    (twice_in_list, "work_lists", "workload"),
    (load_off, "loads", "ADJ-001"),
    (decisions_off, "loads", "#decisions"),
    (last_assigned_moved, "loads", "was last assigned"),
    (last_assigned_invented, "loads", "ADJ-NOBODY"),
    (overflow_invented, "work_lists", "queue:overflow"),
    (payee_wait_invented, "work_lists", "payments:waiting-payees"),
    (minutes_off, "analytics", "analytics:minutes"),
    (window_state_off, "analytics", "analytics:windows"),
    (loss_lost, "losses", "is missing"),
    (loss_changed, "losses", "losses:"),
    (loss_under_another_policy, "losses", "losses:POL-OTHER"),
    (loss_of_nobody, "losses", "CLM-NOBODY00"),
    (insured_lost, "losses", "insured:"),
    (insured_invented, "losses", "insured:CUST-OTHER"),
    (handler_lost, "handlers", "the store has nothing"),
    (handler_changed, "handlers", "ADJ-NOBODY"),
    (handler_of_an_ended_claim, "handlers", "handlers:household:CUST-OTHER"),
    (payout_invented, "payouts", "payments:outcomes"),
    (payout_mark_invented, "payouts", "payments:attempts"),
    (payout_waits_for_nothing, "payouts", "payments:waiting"),
    (payout_retry_invented, "payouts", "payments:retries"),
    (bank_place_invented, "payouts", "payments:bank-place"),
    (item_invented, "reconciliation", "it is no item"),
    (doubt_invented, "reconciliation", "payments:doubts PAY-CLM-NOBODY00-1"),
    (sighting_invented, "sightings", "seen:phone:0123"),
    (floor_lowered, "floors", "view:floor:"),
    (notice_lost, "notifications", "is missing"),
    (notice_twice, "notifications", "twice"),
    (notice_changed, "notifications", "causationId"),
    (outcome_lost, "dispatch", "no record"),
    (outcome_invented, "dispatch", "not in the outbox"),
    (outcome_unreadable, "dispatch", "cannot be read"),
    (chain_head_changed, "audit_chain", "head"),
    (entry_changed, "audit_chain", "head"),
    (entry_removed, "sequence", "expected was 3"),
    (checkpoint_invented, "checkpoints", "follows from no fact"),
    (archive_place_invented, "archive", "entry 3"),
    (pending_entry, "positions", "pending"),
    (settled_off, "positions", "entries settled"),
    (held_without_letter, "dead_letters", "CLM-00000000"),
]


ON_OPEN_CLAIMS = {move_timer, lose_timer, strange_timer, twice_in_list, handler_lost, handler_changed}


@pytest.mark.parametrize(("damage", "invariant", "named"), DAMAGES, ids=lambda value: getattr(value, "__name__", ""))
async def test_a_single_damage_is_named_under_its_invariant(
    damage: Callable[[Redis], Awaitable[None]],
    invariant: str,
    named: str,
    small_stores: dict[str, SmallStore],
    commands: Redis,
    store_address: StoreAddress,
) -> None:
    ready = small_stores["open" if damage in ON_OPEN_CLAIMS else "ended"]
    await ready.dump.restore(commands)
    await damage(commands)
    report = await verified(ready, store_address)
    assert not report.ok
    found = wrong(report)
    assert invariant in found, found
    assert any(named in line for line in found[invariant]), found[invariant]


def test_every_invariant_has_a_damage_that_it_finds() -> None:
    assert {invariant for _, invariant, _ in DAMAGES} | {"entries"} == set(INVARIANTS)


async def test_a_fact_whose_body_does_not_fit_is_named(
    small_stores: dict[str, SmallStore], commands: Redis, store_address: StoreAddress
) -> None:
    ready = small_stores["ended"]
    await ready.dump.restore(commands)
    await rewrite_entry(commands, "claims:events", 4, b"data", b'{"tier": []}')
    report = await verified(ready, store_address)
    assert any("does not fit" in line for line in wrong(report)["entries"])


JUNK: list[tuple[str, tuple[str, ...], str]] = [
    ("policies:events", ("hello", "world"), "it is no event: it lacks eventType, policyNumber, data"),
    ("customers:events", ("customerId", "CUST-1"), "it is no event: it lacks eventType, data"),
    (
        "policies:events",
        ("eventType", "policy.issued", "policyNumber", "POL-1", "data", "{}", "version", "1.0"),
        "it has no sequence: policy.issued was not appended",
    ),
    (
        "policies:events",
        ("eventType", "policy.melted", "policyNumber", "POL-1", "data", "{}", "version", "1.0", "sequence", "1"),
        "there is no event type policy.melted on this log",
    ),
    (
        "customers:events",
        ("eventType", "customer.registered", "customerId", "CUST-1", "data", "[", "version", "1.0", "sequence", "1"),
        "customer.registered of CUST-1: ",
    ),
    (
        "policies:events",
        ("eventType", "policy.lapsed", "policyNumber", "POL-1", "data", '{"effective":"2015-01-01"}', "version", "1.0",
         "sequence", "1"),
        "policy.lapsed of POL-1: ",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("log", "fields", "sentence"), JUNK, ids=[sentence for _, _, sentence in JUNK])
async def test_junk_on_the_logs_of_records_is_named_with_its_place_and_what_is_wrong_with_it(
    log: str,
    fields: tuple[str, ...],
    sentence: str,
    small_stores: dict[str, SmallStore],
    commands: Redis,
    store_address: StoreAddress,
) -> None:
    ready = small_stores["ended"]
    await ready.dump.restore(commands)
    entry_id = await command(commands, "XADD", log, "*", *fields)
    found = wrong(await verified(ready, store_address))
    (line,) = found["entries"]
    assert line.startswith(f"{entry_id.decode()} on {log}: ")
    assert sentence in line
