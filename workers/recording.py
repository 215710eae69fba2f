"""What people do with a customer's or a policy's record: read it, decide, append under the version that was read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from domain.customer import Customer, CustomerHistoryError
from domain.policy import Policy
from domain.policy_events import PolicyHistoryError
from runtime.errors import Conflict
from runtime.store.append import Appended
from workers.claim_log import SNAPSHOT_BODY
from workers.keys import CUSTOMER_LOG, POLICY_LOG
from workers.record_log import customer_append, policy_append

if TYPE_CHECKING:
    from collections.abc import Callable

    from domain.bodies.base import Actor
    from domain.customer import CustomerEvent
    from domain.policy_events import PolicyEvent
    from runtime.effects import Append
    from workers.application import Application

MOST_CONFLICTS = 20
"""Tries before it is given up: each lost one means that somebody else changed the record in between."""

PATIENCE_SECONDS = 10.0
"""How long a command asks again while the store is away; people wait for it."""

_policy = msgspec.json.Decoder(Policy).decode
_customer = msgspec.json.Decoder(Customer).decode


class NoSuchRecord(ValueError):
    """There is no such customer or policy."""


class Recorder:
    """Records what happened to customers and policies of one application."""

    def __init__(self, app: Application) -> None:
        """`app` is open."""
        self._app = app

    async def policy(self, number: str, event: Callable[[Policy], PolicyEvent], by: Actor) -> Policy:
        """One event of a policy that is there; the policy after it.

        Raises `NoSuchRecord`, `PolicyHistoryError`, `Conflict`, store faults.
        """

        def wanted(policy: Policy) -> Append:
            return policy_append(policy, policy.revision, event(policy), self._app.timing.now(), by.to_wire())

        after: Policy = await self._recorded(POLICY_LOG, number, _policy, wanted)
        return after

    async def customer(self, customer_id: str, event: Callable[[Customer], CustomerEvent], by: Actor) -> Customer:
        """One event of a customer who is there; the customer after it. Raises as `policy`."""

        def wanted(customer: Customer) -> Append:
            return customer_append(customer, customer.revision, event(customer), self._app.timing.now(), by.to_wire())

        after: Customer = await self._recorded(CUSTOMER_LOG, customer_id, _customer, wanted)
        return after

    async def _recorded(self, log: str, name: str, decode: Callable[[bytes], Any], wanted: Any) -> Any:
        key = self._app.keyspace(log).snapshot(name)
        for _ in range(MOST_CONFLICTS):
            body = await self._app.store.reads.one("HGET", key, SNAPSHOT_BODY)
            if body is None:
                raise NoSuchRecord(f"{name[:80]!r} is not in {log}")
            unit = wanted(decode(body))
            (answer,) = await self._app.store.appender.append_surely([unit], seconds=PATIENCE_SECONDS)
            if isinstance(answer, Appended) and not answer.repeated:
                return decode(str(unit.snapshot[SNAPSHOT_BODY]).encode())
        raise Conflict(f"{name} was changed by others {MOST_CONFLICTS} times in a row: try again")


__all__ = ["CustomerHistoryError", "NoSuchRecord", "PolicyHistoryError", "Recorder"]
