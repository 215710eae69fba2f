"""What is kept of a group as it is, because no log says it: what was sent, what was paid, dead letters, operations.

Groups that lead outside keep their place and their records: to build them anew would send and pay a second time. The
claims processor keeps its place as well, and its lists are computed (`workers.backup.lists`). All other groups begin at
the first entry again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime.effects import Effect, HashSet, ListPush, Put, SortedSetAdd
from workers.backup.files import Kept
from workers.keys import CLAIM_LOG, NOTIFICATION_LOG, REQUEST_LOG, ClaimKeys
from workers.routing import ROUTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.entry import RawEntry
    from runtime.store.keys import Keyspace
    from runtime.store.reads import Command

PROCESSOR = "processors"
"""The group of the claims processor."""

ARCHIVING: frozenset[tuple[str, str]] = frozenset((route.log, route.group) for route in ROUTES if route.archive)
"""(log, group) of those that write the archive; with a log that is cut short theirs begins anew."""

OUTWARD: frozenset[tuple[str, str]] = ARCHIVING | {
    (CLAIM_LOG, PROCESSOR),
    (CLAIM_LOG, "notifications"),
    (CLAIM_LOG, "payments"),
    (NOTIFICATION_LOG, "dispatchers"),
    (REQUEST_LOG, "intake"),
}
"""(log, group) of those that keep their place. The notifier is one: its intents leave by the dispatcher."""


def group_keys(keys: Keyspace, group: str, partition: int) -> list[tuple[str, str]]:
    """(name, kind) of the dead letters of a group."""
    return [
        (keys.parked(group, partition), "stream"),
        (keys.held(group, partition), "hash"),
        (keys.retries(group, partition), "list"),
    ]


def own_keys(claims: Keyspace, keys: Keyspace, partition: int) -> list[tuple[str, str]]:
    """(name, kind) of what else is kept beside one partition of a log."""
    found = [(keys.operations(partition), "stream"), (keys.archive(partition), "hash")]
    own = ClaimKeys(claims, partition)
    if keys.spec.name == NOTIFICATION_LOG:
        found += [
            (own.outbox_attempts, "hash"),
            (own.outbox_outcomes, "hash"),
            (own.outbox_waiting, "hash"),
            (own.outbox_retries, "zset"),
        ]
    if keys.spec.name == CLAIM_LOG:
        found += [
            (own.payment_attempts, "hash"),
            (own.payment_outcomes, "hash"),
            (own.payment_waiting, "hash"),
            (own.payment_doubts, "hash"),
            (own.payment_retries, "zset"),
            (own.bank_place, "string"),
            (own.reconciliation, "stream"),
        ]
    return found


def question(key: str, kind: str) -> Command:
    """The read of a whole key."""
    return {
        "hash": ("HGETALL", key),
        "zset": ("ZRANGE", key, 0, -1, "WITHSCORES"),
        "string": ("GET", key),
        "stream": ("XRANGE", key, "-", "+"),
        "list": ("LRANGE", key, 0, -1),
    }[kind]


def kept(key: str, kind: str, reply: Any) -> Kept | None:
    """The key as it is written down; None when there is nothing in it."""
    if not reply:
        return None
    if kind == "hash":
        pairs = reply.items() if isinstance(reply, dict) else zip(reply[::2], reply[1::2], strict=True)
        return Kept(key, kind, [[name, value] for name, value in pairs])
    if kind == "zset":
        rows = reply if isinstance(reply[0], (list, tuple)) else zip(reply[::2], reply[1::2], strict=True)
        return Kept(key, kind, [[member, float(score)] for member, score in rows])
    if kind == "stream":
        return Kept(key, kind, [[entry_id, _flat(fields)] for entry_id, fields in reply])
    return Kept(key, kind, reply)


def _flat(fields: Any) -> list[bytes]:
    return list(fields) if isinstance(fields, list) else [part for pair in fields.items() for part in pair]


def effects_of(one: Kept) -> list[Effect]:
    """The key again, as effects; streams go by `entries_of`."""
    if one.kind == "hash":
        return [HashSet(one.key, {name.decode(): value}) for name, value in one.value]
    if one.kind == "zset":
        return [SortedSetAdd(one.key, {member.decode(): int(score)}) for member, score in one.value]
    if one.kind == "string":
        return [Put(one.key, one.value)]
    if one.kind == "list":
        return [ListPush(one.key, tuple(item.decode() for item in one.value))] if one.value else []
    return []


def entries_of(one: Kept) -> Sequence[RawEntry]:
    """The entries of a stream; none for other kinds."""
    return [(entry_id, fields) for entry_id, fields in one.value] if one.kind == "stream" else []
