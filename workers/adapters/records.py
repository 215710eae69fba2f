"""What actors read from the store: claims, policies, payees, the roster with its loads. Each many at once."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from domain.claim import decode_claim
from domain.context import Payee
from domain.customer import PayeeDetails
from domain.policy import Policy
from domain.roster import Roster
from workers.claim_log import SNAPSHOT_BODY
from workers.record_log import SNAPSHOT_PAYEE
from workers.work_lists import OVERFLOW

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from domain.claim_record import Claim
    from runtime.store.keys import Keyspace
    from runtime.store.reads import Reads
    from workers.keys import ClaimKeys

_decode_details = msgspec.json.Decoder(PayeeDetails).decode
_decode_policy = msgspec.json.Decoder(Policy).decode


class StoredClaims:
    """Claims by id, from the snapshots that append writes."""

    def __init__(self, reads: Reads, keyspace: Keyspace) -> None:
        """`keyspace` of the claim log."""
        self._reads = reads
        self._keyspace = keyspace

    async def read(self, claim_ids: Sequence[str]) -> list[Claim | None]:
        """The claims in the order of the ids; None for one that is not there."""
        commands = [("HGET", self._keyspace.snapshot(claim_id), SNAPSHOT_BODY) for claim_id in claim_ids]
        bodies = await self._reads.many(commands)
        return [decode_claim(body) if body else None for body in bodies]


class StoredPolicies:
    """Policies by number, from the snapshots of the policy log."""

    def __init__(self, reads: Reads, keyspace: Keyspace) -> None:
        """`keyspace` of the policy log."""
        self._reads = reads
        self._keyspace = keyspace

    async def find(self, policy_numbers: Collection[str]) -> Mapping[str, Policy]:
        """The policies that exist."""
        numbers = list(policy_numbers)
        commands = [("HGET", self._keyspace.snapshot(number), SNAPSHOT_BODY) for number in numbers]
        bodies = await self._reads.many(commands)
        return {number: _decode_policy(body) for number, body in zip(numbers, bodies, strict=True) if body}


class RegisteredPayees:
    """A claimant who is a registered customer is a payee, as the customer's record says; nobody else is known."""

    def __init__(self, reads: Reads, keyspace: Keyspace) -> None:
        """`keyspace` of the customer log."""
        self._reads = reads
        self._keyspace = keyspace

    async def find(self, claimant_ids: Collection[str]) -> Mapping[str, Payee]:
        """The payees that are known."""
        ids = list(claimant_ids)
        details = await self._fields(ids, SNAPSHOT_PAYEE)
        found = {name: _payee(name, _decode_details(kept)) for name, kept in zip(ids, details, strict=True) if kept}
        silent = [name for name in ids if name not in found]
        # An older program wrote no such field: whoever is registered there is a payee as nobody has changed him.
        bodies = await self._fields(silent, SNAPSHOT_BODY)
        return found | {name: _payee(name, PayeeDetails()) for name, body in zip(silent, bodies, strict=True) if body}

    async def _fields(self, names: Collection[str], field: str) -> list[bytes | None]:
        return await self._reads.many([("HGET", self._keyspace.snapshot(name), field) for name in names])


def _payee(name: str, known: PayeeDetails) -> Payee:
    return Payee(
        payee_id=name,
        verified=known.verified,
        sanctions_clear=known.sanctions_clear,
        method=known.method,
        account=known.account,
        bank_changed_at=known.changed_at,
        called_back=known.called_back,
        verified_at=known.verified_at,
    )


class LoadedRoster:
    """The roster with the loads of all partitions; what others settle meanwhile is not seen: capacity is soft."""

    def __init__(self, base: Roster, reads: Reads, parts: Sequence[ClaimKeys]) -> None:
        """`base` names the adjusters; loads come from the work lists of each partition."""
        self._base = base
        self._reads = reads
        self._commands = [("HGETALL", key) for keys in parts for key in (keys.adjuster_load, keys.adjuster_last)]

    async def snapshot(self) -> Roster:
        """The roster as it stands; its version counts the decisions that were made on it."""
        rows = await self._reads.many(self._commands)
        loads: Counter[str] = Counter()
        when: dict[str, int] = {}
        for row in rows[::2]:
            loads.update({name.decode(): int(value) for name, value in row.items()})
        for row in rows[1::2]:
            for name, value in row.items():
                when[name.decode()] = max(int(value), when.get(name.decode(), 0))
        adjusters = tuple(
            msgspec.structs.replace(
                adjuster,
                load=max(0, adjuster.load + loads[adjuster.adjuster_id]),
                last_assigned=_time(when.get(adjuster.adjuster_id)) or adjuster.last_assigned,
            )
            for adjuster in self._base.adjusters
        )
        return Roster(self._base.version + loads["#decisions"], adjusters, self._base.catastrophes)


class StoredOverflow:
    """The overflow queue of one partition."""

    def __init__(self, reads: Reads, keys: ClaimKeys) -> None:
        """`keys` of the partition."""
        self._reads = reads
        self._key = keys.queue(OVERFLOW)

    async def first(self, count: int) -> list[str]:
        """The claims that wait longest."""
        return [name.decode() for name in await self._reads.one("LRANGE", self._key, 0, count - 1)]


def _time(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)
