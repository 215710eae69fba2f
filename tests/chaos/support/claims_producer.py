"""A foreign producer of good requests, for the tests of a hand-over; `campaign/load.py` has the one that does harm."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import random

    from tests.chaos.support.claims_run import ClaimsCluster


class Sent(msgspec.Struct, frozen=True):
    """A request that the store has taken: its id in the log, and whether it is a good one."""

    log: str
    entry_id: str
    claim_id: str
    event_id: str
    event_type: str
    good: bool


class Producer:
    """Submits claims, and knows what it was told."""

    def __init__(self, cluster: ClaimsCluster, chance: random.Random) -> None:
        """Policies of the lab are in the store already."""
        self.cluster = cluster
        self.chance = chance
        self.sent: list[Sent] = []
        self.claims: list[str] = []

    async def submit(self) -> None:
        """A first notice of loss, on the log itself or in the stream of requests."""
        claim_id, event_id = f"CLM-HANDOVER{len(self.claims):05d}", f"s-{len(self.claims)}"
        number = 1 + 3 * self.chance.randrange(190)
        data = {
            "policyId": f"POL-{number:03d}", "customerId": f"CUST-{number:03d}",
            "amount": self.chance.choice([80, 950, 2500, 7200]), "description": f"Collision {event_id}",
            "type": "auto",
        }  # fmt: skip
        fields = {
            "eventId": event_id, "eventType": "claim.submitted", "claimId": claim_id,
            "timestamp": "2026-01-20T10:00:00.000Z", "data": json.dumps(data), "version": "1.0",
        }  # fmt: skip
        keys = self.chance.choice([self.cluster.claims, self.cluster.requests])
        log = keys.log(keys.partition_of(claim_id))
        entry = await self.cluster.client.xadd(log, fields)
        self.sent.append(Sent(log, entry.decode(), claim_id, event_id, "claim.submitted", good=True))
        self.claims.append(claim_id)
