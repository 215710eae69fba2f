"""Claims that wait for their payee: who they are follows from the claims, as their facts fold to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.claims_processor import ClaimsProcessor

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from runtime.store.reads import Reads
    from workers.keys import ClaimKeys
    from workers.verifying.places import Page, Place
    from workers.verifying.report import Findings


class PayeesCheck:
    """The claims of one partition that wait for their payee."""

    def __init__(
        self, reads: Reads, place: Place, keys: ClaimKeys, findings: Findings, paying: AbstractSet[str]
    ) -> None:
        """`paying` is filled by the check of the claims, which finishes first: what would be paid by itself."""
        self._reads = reads
        self._place = place
        self._key = keys.waiting_payees
        self._found = findings["work_lists"]
        self._paying = paying
        self._unsettled: set[str] = set()

    async def page(self, page: Page) -> None:
        """Note claims of which the processor has not settled every fact: they may stand there or not."""
        if self._place.settled(ClaimsProcessor.group, page) is not page.stated:
            for entry, fact in page.stated:
                if not self._place.applied(ClaimsProcessor.group, entry):
                    self._unsettled.add(fact.claim_id)

    async def finish(self) -> None:
        """Compare."""
        stored = {name.decode(errors="replace") for name in await self._reads.one("ZRANGE", self._key, 0, -1)}
        for claim_id in (self._paying | stored) - self._unsettled:
            self._found.same(f"{self._key}: {claim_id}", int(claim_id in self._paying), int(claim_id in stored))
