"""A cluster that pays through a stub bank over real HTTP, and what both of them say afterwards.

async with paying(address, directory) as house:
    claim = await house.pending()
    await house.until_state(claim, State.CLOSED)
    assert house.paid(claim) == 1
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from tests.support.notices import claims_cluster
from tests.support.waiting import PATIENCE, until
from workers import reconciliation
from workers.adapters.small_claims import small_claims
from workers.importing import Importer
from workers.stub_bank.behaviour import Behaviour
from workers.stub_bank.server import serving_bank

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from domain.claim_record import Claim
    from domain.transitions import State
    from runtime.store.address import StoreAddress
    from tests.support.small_cluster import SmallCluster
    from workers.stub_bank.server import StubBank


class PayingHouse:
    """The cluster and its bank."""

    def __init__(self, cluster: SmallCluster, bank: StubBank) -> None:
        """Made by `paying`."""
        self.cluster = cluster
        self.bank = bank
        self._rows = small_claims(50)

    def behave(self, **how: Any) -> None:
        """Tell the bank how to misbehave from now on."""
        self.bank.behaviour = Behaviour(**how)

    async def pending(self) -> str:
        """A new claim for which a payment was initiated; its id. Those that go to a person are passed over."""
        for row in self._rows:
            (claim_id,) = (await Importer(self.cluster.app).portfolio([row])).claim_ids
            await self.cluster.at_rest()
            if (await self.claim(claim_id)).payments:
                return claim_id
        raise AssertionError("none of 50 small claims went straight through")

    async def claim(self, claim_id: str) -> Claim:
        """The claim as it is now."""
        (claim,) = await self.cluster.app.claims.read([claim_id])
        assert claim is not None
        return claim

    async def until_state(self, claim_id: str, state: State, within: float = PATIENCE) -> Claim:
        """Wait until the claim is in a state."""

        async def there() -> Claim | None:
            claim = await self.claim(claim_id)
            return claim if claim.state == state else None

        found = await until(there, within=within, what=f"{claim_id} is {state}")
        assert found is not None
        return found

    async def items(self, count: int = 1, within: float = PATIENCE) -> list[reconciliation.Item]:
        """Wait for so many items on the reconciliation list; all of them."""
        found: list[reconciliation.Item] = []

        async def enough() -> bool:
            app = self.cluster.app
            found[:] = [one.item for one in await reconciliation.listed(app.store.reads, app.all_claim_keys())]
            return len(found) >= count

        await until(enough, within=within, what=f"{count} items to reconcile")
        return found

    async def types(self, claim_id: str) -> list[str]:
        """The event types of a claim in order."""
        found = []
        keys = self.cluster.app.claim_keyspace
        log = keys.log(keys.partition_of(claim_id))
        async for _, fields in self.cluster.app.store.reads.stream(log):
            entry = dict(zip(fields[::2], fields[1::2], strict=True))
            if entry[b"claimId"] == claim_id.encode():
                found.append(entry[b"eventType"].decode().removeprefix("claim."))
        return found

    def orders(self, claim_id: str = "") -> list[dict[str, Any]]:
        """The bank's orders, of one claim or of all."""
        every: list[dict[str, Any]] = self.bank.statement()["orders"]
        return [order for order in every if claim_id in order["paymentId"]]

    def paid(self, claim_id: str) -> int:
        """How often money left for a claim."""
        return sum(order["state"] == "paid" for order in self.orders(claim_id))

    def say(self, **message: Any) -> None:
        """Let the bank say anything."""
        self.bank.say(message)

    def now(self, **changes: Any) -> None:
        """Change one trait of the bank."""
        self.bank.behaviour = replace(self.bank.behaviour, **changes)


@asynccontextmanager
async def paying(
    address: StoreAddress, directory: Path, *, partitions: int = 1, token: str | None = None, **bank: object
) -> AsyncIterator[PayingHouse]:
    """A cluster with a payments actor, and its bank. `bank`: settings of `bank.*`."""
    async with serving_bank(token=token) as (url, stub):
        more = {"bank.url": url} | {f"bank.{name}": value for name, value in bank.items()}
        async with claims_cluster(address, directory, partitions=partitions, more=more) as cluster:
            yield PayingHouse(cluster, stub)
