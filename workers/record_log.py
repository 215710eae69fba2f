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
from domain.policy_events import POLICY_EVENTS, evolve_policy
from runtime.effects import Append, Put
from workers.claim_log import SNAPSHOT_BODY, wire_time
from workers.keys import CUSTOMER_LOG, POLICY_LOG

if TYPE_CHECKING:
    from datetime import datetime

    from domain.policy import Policy

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


def _append(
    log: str, field: str, entity: str, version: int, kind: str, event: Any, after: Any, at: datetime, by: str
) -> Append:
    identity = event_id(f"{log}|{entity}", version + 1)
    fields = (
        "eventId", identity, "eventType", kind, field, entity, "timestamp", wire_time(at),
        "data", _encode(event).decode(), "version", SCHEMA_VERSION, "sequence", str(version + 1),
        "correlationId", identity, "causationId", identity, "actor", by, "traceparent", "",
    )  # fmt: skip
    body = _encode(after).decode()
    kept = {SNAPSHOT_BODY: body}
    if isinstance(after, Customer):
        kept[SNAPSHOT_PAYEE] = _encode(after.payee).decode()
    view = f"{'policy' if log == POLICY_LOG else 'customer'}:{entity}"
    return Append(
        log=log,
        entity=entity,
        expected_version=version,
        events=(fields,),
        snapshot=kept,
        effects=(Put(view, body, VIEW_TTL_MS),),
        command_id=identity,
    )
