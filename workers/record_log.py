"""Policies and customers as records of their own logs: their events as appends, guarded by their version.

Their snapshots (`policies:policy:{number}`, `customers:customer:{id}`) are what actors read; `policy:{number}` and
`customer:{id}` are views with a TTL for other readers (source-systems.md B6).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from domain.customer import CUSTOMER_EVENTS, Customer, evolve_customer
from domain.events import SCHEMA_VERSION
from domain.identity import event_id
from domain.policy import Policy
from domain.policy_events import POLICY_EVENTS, evolve_policy
from runtime.effects import Append, Put
from workers.claim_log import SNAPSHOT_BODY, wire_time
from workers.keys import CUSTOMER_LOG, POLICY_LOG

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from runtime.entry import Entry

SNAPSHOT_PAYEE = "payee"
"""The field of a customer's snapshot that says where money goes: deciding on a payment reads nothing else of them."""

VIEW_TTL_MS = 7_200_000
"""Milliseconds of the views (source-systems.md B6: 7200 s)."""

_POLICY_TYPES = {body: name for name, body in POLICY_EVENTS.items()}
_CUSTOMER_TYPES = {body: name for name, body in CUSTOMER_EVENTS.items()}
_encode = msgspec.json.Encoder(decimal_format="number").encode


def policy_append(policy: Policy | None, version: int, event: Any, at: datetime, by: str) -> Append:
    """One event of a policy. `version`: of its record before."""
    after = evolve_policy(policy, event)
    return _append(POLICY_LOG, "policyNumber", after.number, version, _POLICY_TYPES[type(event)], event, after, at, by)


def customer_append(customer: Customer | None, version: int, event: Any, at: datetime, by: str) -> Append:
    """One event of a customer; personal fields are sealed already."""
    after = evolve_customer(customer, event)
    kind = _CUSTOMER_TYPES[type(event)]
    return _append(CUSTOMER_LOG, "customerId", after.customer_id, version, kind, event, after, at, by)


_DECODERS: dict[str, msgspec.json.Decoder[Any]] = {
    name: msgspec.json.Decoder(body) for name, body in (POLICY_EVENTS | CUSTOMER_EVENTS).items()
}
_POLICY = msgspec.json.Decoder(Policy)
_CUSTOMER = msgspec.json.Decoder(Customer)


def put_back_record(
    log: str, unit: Sequence[Entry], body: bytes | None, events: tuple[tuple[bytes, ...], ...], command_id: str
) -> Append:
    """The append of events that were in the log before, as they were. `body`: of the record's snapshot, if any."""
    record: Any = (_POLICY if log == POLICY_LOG else _CUSTOMER).decode(body) if body else None
    evolve: Any = evolve_policy if log == POLICY_LOG else evolve_customer
    for entry in unit:
        record = evolve(record, _DECODERS[entry.type].decode(entry.data))
    return _recorded(log, unit[0].entity, unit[0].sequence - 1, events, record, command_id)


def record_snapshot(record: Policy | Customer) -> dict[str, str]:
    """The fields of a record's snapshot."""
    kept = {SNAPSHOT_BODY: _encode(record).decode()}
    if isinstance(record, Customer):
        kept[SNAPSHOT_PAYEE] = _encode(record.payee).decode()
    return kept


def _append(
    log: str, field: str, entity: str, version: int, kind: str, event: Any, after: Any, at: datetime, by: str
) -> Append:
    identity = event_id(f"{log}|{entity}", version + 1)
    fields = (
        "eventId", identity, "eventType", kind, field, entity, "timestamp", wire_time(at),
        "data", _encode(event).decode(), "version", SCHEMA_VERSION, "sequence", str(version + 1),
        "correlationId", identity, "causationId", identity, "actor", by, "traceparent", "",
    )  # fmt: skip
    return _recorded(log, entity, version, (fields,), after, identity)


def _recorded(
    log: str, entity: str, version: int, events: tuple[tuple[Any, ...], ...], after: Any, command_id: str
) -> Append:
    """The append of events of a record whose version was `version`, and which is `after` then."""
    kept = record_snapshot(after)
    view = f"{'policy' if log == POLICY_LOG else 'customer'}:{entity}"
    return Append(
        log=log,
        entity=entity,
        expected_version=version,
        events=events,
        snapshot=kept,
        effects=(Put(view, kept[SNAPSHOT_BODY], VIEW_TTL_MS),),
        command_id=command_id,
    )
