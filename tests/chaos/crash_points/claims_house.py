"""The crash points of paying: the real processor and payments actor, and a stub bank that says what has left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.transitions import State
from runtime.store.position import look
from tests.chaos.crash_points.house import WITHIN
from tests.support.waiting import until
from workers.adapters.small_claims import small_claims
from workers.importing import Importer
from workers.keys import CLAIM_LOG

if TYPE_CHECKING:
    from domain.claim_record import Claim
    from runtime.answers import Look
    from runtime.failpoints import Action
    from tests.chaos.crash_points.house import House
    from workers.application import Application
    from workers.stub_bank.server import StubBank

GROUPS = ("processors", "payments")
ROWS = 60


class ClaimsHouse:
    """Strikes the points of paying on one store."""

    def __init__(self, house: House, app: Application, bank: StubBank) -> None:
        """`app` is the test's own, on the same store and vault as the children."""
        self.house = house
        self._app = app
        self._bank = bank
        self._rows = small_claims(ROWS)
        self.claims: list[str] = []

    async def strike(self, point: str, action: Action) -> None:
        """File small claims until the child comes to the point; let it happen; finish; check."""
        await self.house.alive()
        await self.house.wish(arm=f"{point}={action}")
        while not self.house.said(f"acted {point} {action}"):
            await self._file_one()
            await self.house.until(lambda: self._got_on(point, action), what=f"{point}, or a claim for a person")
        await self.house.acted(point, action)
        await self.house.alive()
        await until(self._paid, within=WITHIN, what="every claim that is to be paid is closed")

    async def _file_one(self) -> None:
        row = next(self._rows)
        self.claims += (await Importer(self._app).portfolio([row])).claim_ids

    async def _got_on(self, point: str, action: Action) -> bool:
        if self.house.said(f"acted {point} {action}"):
            return True
        found = await self._looks()
        return all(one.at_rest for one in found.values()) and not (await self._claim(self.claims[-1])).payments

    async def _claim(self, claim_id: str) -> Claim:
        (claim,) = await self._app.claims.read([claim_id])
        assert claim is not None
        return claim

    async def _looks(self) -> dict[str, Look]:
        keys = self._app.store.logs[CLAIM_LOG].keys
        return {group: await look(self._app.store.commands, keys, group, 0) for group in GROUPS}

    async def _paid(self) -> bool:
        await self.house.alive()
        claims = [await self._claim(claim_id) for claim_id in self.claims]
        closed = all(claim.state == State.CLOSED for claim in claims if claim.payments)
        return closed and all(one.at_rest for one in (await self._looks()).values())

    async def verdict(self) -> None:
        """Money left once for each claim that was to be paid, and for no other."""
        for group, found in (await self._looks()).items():
            assert found.settled == found.added, f"{group}: {found}"
            assert (found.pending, found.delivered) == (0, found.position), f"{group}: {found}"
        owed = {claim_id for claim_id in self.claims if (await self._claim(claim_id)).payments}
        left = [order["paymentId"] for order in self._bank.statement()["orders"] if order["state"] == "paid"]
        assert sorted(f"PAY-{claim_id}-1" for claim_id in owed) == sorted(left)
