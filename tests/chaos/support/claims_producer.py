"""Foreign producers: good requests, the same ones again, and rubbish, whether the store is there or not.

They know what they were told: an entry whose XADD was answered has to have an outcome in the end.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import msgspec

from tests.chaos.support.claims_run import AWAY

if TYPE_CHECKING:
    import random

    from runtime.store.keys import Keyspace
    from tests.chaos.support.claims_run import ClaimsCluster

Fields = dict[bytes | str, bytes | str]


class Sent(msgspec.Struct, frozen=True):
    """A request that the store has taken: its id in the log, and whether it is a good one."""

    log: str
    entry_id: str
    claim_id: str
    event_id: str
    event_type: str
    good: bool


class Producer:
    """Sends until told to stop."""

    def __init__(self, cluster: ClaimsCluster, chance: random.Random) -> None:
        """Policies of the lab are in the store already."""
        self.cluster = cluster
        self.chance = chance
        self.sent: list[Sent] = []
        self.claims: list[str] = []
        self.stopping = False
        self._number = 0

    async def run(self) -> None:
        """One request after the other, with a breath in between."""
        while not self.stopping:
            try:
                await self._send_one()
            except AWAY:
                await asyncio.sleep(0.1)
            await asyncio.sleep(self.chance.uniform(0.005, 0.03))

    async def _send_one(self) -> None:
        kind = self.chance.random()
        if kind < 0.35 or not self.claims:
            await self.submit()
        elif kind < 0.6:
            await self.decide()
        elif kind < 0.7:
            await self.repeat()
        else:
            await self.rubbish()

    async def submit(self) -> None:
        """A first notice of loss; the second in every few comes to the stream of requests."""
        self._number += 1
        claim_id = f"CLM-NEMESIS{self._number:05d}"
        number = 1 + 3 * self.chance.randrange(190)
        data = {
            "policyId": f"POL-{number:03d}", "customerId": f"CUST-{number:03d}",
            "amount": self.chance.choice([80, 950, 2500, 7200]), "description": f"Collision {self._number}",
            "type": "auto",
        }  # fmt: skip
        await self._add(self._keys(), claim_id, "claim.submitted", f"s-{self._number}", json.dumps(data))
        self.claims.append(claim_id)

    async def decide(self) -> None:
        """Something that a person wants of a claim; it may come too early, too late, or twice."""
        self._number += 1
        claim_id = self.chance.choice(self.claims[-40:])
        kind, data = self.chance.choice(
            [
                ("claim.approved", {"approvedAmount": 75, "approvedBy": "manager-1"}),
                ("claim.rejected", {"rejectionReason": "not covered", "rejectedBy": "manager-1"}),
                ("claim.document.uploaded", {"documentId": f"D{self._number}", "documentType": "photo"}),
            ]
        )
        await self._add(self._keys(), claim_id, kind, f"d-{self._number}", json.dumps(data))

    async def repeat(self) -> None:
        """A request that was sent before, once more as it was."""
        one = self.chance.choice(self.sent)
        rows = await self.cluster.client.xrange(one.log, one.entry_id, one.entry_id)
        if rows:
            again = await self.cluster.client.xadd(one.log, rows[0][1])
            self.sent.append(msgspec.structs.replace(one, entry_id=again.decode()))

    async def rubbish(self) -> None:
        """What no actor can use, on either log and in any partition."""
        self._number += 1
        keys = self._keys()
        log = keys.log(self.chance.randrange(keys.spec.partitions))
        fields = self._junk()
        entry = await self.cluster.client.xadd(log, fields)
        claim_id = fields.get("claimId", "")
        self.sent.append(Sent(log, entry.decode(), claim_id if isinstance(claim_id, str) else "", "", "", good=False))

    def _junk(self) -> Fields:
        some = self.chance.randbytes(self.chance.randrange(1, 400))
        known: Fields = {
            "eventId": f"j-{self._number}", "eventType": "claim.submitted", "claimId": f"CLM-JUNK{self._number:06d}",
            "timestamp": "2026-01-20T10:00:00Z", "data": "{}", "version": "1.0",
        }  # fmt: skip
        choices: list[Fields] = [
            {some: some},
            {"eventType": some, "claimId": some, "data": some},
            {"message": "hello"},
            {f"f{n}": "v" for n in range(200)},
            {**known, "data": "x" * 300_000},
            {**known, "data": "{not json"},
            {**known, "data": '{"a":' + "[" * 5000},
            {**known, "version": "7.0"},
            {**known, "eventType": "claim.exploded"},
            {**known, "claimId": "CLM-" + "A" * 2000},
            {**known, "timestamp": "9999-12-31T23:59:59Z"},
            {**known},
        ]
        return self.chance.choice(choices)

    def _keys(self) -> Keyspace:
        return self.chance.choice([self.cluster.claims, self.cluster.requests])

    async def _add(self, keys: Keyspace, claim_id: str, kind: str, event_id: str, data: str) -> None:
        log = keys.log(keys.partition_of(claim_id))
        fields = {
            "eventId": event_id, "eventType": kind, "claimId": claim_id, "timestamp": "2026-01-20T10:00:00.000Z",
            "data": data, "version": "1.0",
        }  # fmt: skip
        entry = await self.cluster.client.xadd(log, fields)
        self.sent.append(Sent(log, entry.decode(), claim_id, event_id, kind, good=True))
