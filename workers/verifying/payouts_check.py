"""Payouts: every order that a fact asks for has one record of its sending, and every doubt an item for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from workers import reconciliation
from workers.payments import Payments
from workers.payouts import Ended, decode_ended, decode_mark, decode_waiting, order_of
from workers.verifying.places import pages
from workers.verifying.report import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.store.reads import Reads
    from workers.keys import ClaimKeys
    from workers.reconciliation import Item
    from workers.verifying.places import Page, Place
    from workers.verifying.report import Findings

FOR_PEOPLE = ("held", "unconfirmed", "given_up")
"""Ends of an order after which a person has to look: each has an item on the reconciliation list."""


class PayoutsCheck:
    """`payments:*` of one partition. Without a payments actor there is none of them."""

    def __init__(self, reads: Reads, place: Place, keys: ClaimKeys, findings: Findings) -> None:
        """`keys` of the partition."""
        self._reads = reads
        self._place = place
        self._keys = keys
        self._found = findings["payouts"]
        self._listed = findings["reconciliation"]
        self._served = Payments.group in place.groups
        self._records = (keys.payment_outcomes, keys.payment_waiting, keys.payment_attempts)
        self._counts = dict.fromkeys((*self._records, keys.payment_retries), 0)
        self._for_people: dict[tuple[str, str], str] = {}

    async def page(self, page: Page) -> None:
        """The orders of these facts have to be accounted for."""
        if not self._served:
            return
        orders = [
            (order.key, order.payment_id, self._place.applied(Payments.group, entry))
            for entry, fact in zip(page.entries, page.facts, strict=True)
            if fact is not None and (order := order_of(fact)) is not None
        ]
        if not orders:
            return
        keys = [key for key, _, _ in orders]
        kept = await self._reads.many([("HMGET", name, *keys) for name in self._records])
        due = await self._reads.many([("ZSCORE", self._keys.payment_retries, key) for key in keys])
        for place, (key, payment_id, applied) in enumerate(orders):
            records = [row[place] for row in kept]
            for name, value in zip(self._counts, (*records, due[place]), strict=True):
                self._counts[name] += value is not None
            if problem := self._problem(records, due[place], payment_id, applied=applied):
                self._found.wrong(f"order {key}: {problem}")
            else:
                self._found.right()

    async def finish(self) -> None:
        """Records of orders that nobody asked for; the list for people; how far the bank was heard."""
        for name, count in self._counts.items():
            there = await self._reads.one("ZCARD" if name == self._keys.payment_retries else "HLEN", name)
            if there > count:
                self._found.wrong(f"{name}: {there - count} records of orders that no fact asked for")
        await self._check_list()
        place = await self._reads.one("GET", self._keys.bank_place)
        if place is not None and not self._served:
            self._found.wrong(f"{self._keys.bank_place}: {shown(place)}, though nobody listens to a bank here")

    def _problem(self, records: Sequence[bytes | None], due: object, payment_id: str, *, applied: bool) -> str:
        """What is wrong with the records of one order: outcome, waiting, open mark. '' for nothing."""
        ended, waiting, mark = records
        try:
            outcome = decode_ended(ended) if ended is not None else None
            if waiting is not None:
                decode_waiting(waiting)
            if mark is not None:
                decode_mark(mark)
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            return f"its record cannot be read: {problem}"
        if outcome is not None and outcome.state in FOR_PEOPLE:
            self._for_people[payment_id, outcome.state] = outcome.reason
        return _contradiction(outcome, waiting, mark, due, applied=applied)

    async def _check_list(self) -> None:
        """Every order that waits for a person is listed; every doubt is what the bank's last such message says."""
        doubts: dict[str, str] = {}
        async for rows in pages(self._reads, self._keys.reconciliation):
            for entry_id, fields in rows:
                item = self._item(entry_id.decode(), fields)
                if item is None:
                    continue
                if item.kind in FOR_PEOPLE and self._for_people.pop((item.payment_id, item.kind), None) is None:
                    self._listed.wrong(f"{self._keys.reconciliation} {entry_id.decode()}: no order ended like this")
                    continue
                self._listed.right()
                if item.claim_id and item.says == "confirmed" and item.kind in ("unmatched", "refused"):
                    doubts[item.payment_id] = item.message_id
        for (payment_id, state), why in self._for_people.items():
            self._listed.wrong(f"{payment_id}: it is {state} ({shown(why)}), but not on the list")
        row = await self._reads.one("HGETALL", self._keys.payment_doubts)
        stored = {name.decode(errors="replace"): value.decode(errors="replace") for name, value in row.items()}
        for name in {**doubts, **stored}:
            self._listed.same(f"{self._keys.payment_doubts} {name}", doubts.get(name), stored.get(name))

    def _item(self, entry_id: str, fields: Sequence[bytes]) -> Item | None:
        where = f"{self._keys.reconciliation} {entry_id}"
        try:
            item = reconciliation.read_item(fields)
        except ValueError as problem:
            self._listed.wrong(f"{where}: it is no item: {problem}")
            return None
        if not self._served:
            self._listed.wrong(f"{where}: an item, though nobody pays through a bank here")
            return None
        return item


def _contradiction(
    outcome: Ended | None, waiting: bytes | None, mark: bytes | None, due: object, *, applied: bool
) -> str:
    if outcome is not None and (waiting is not None or mark is not None):
        return "it has ended, and it waits to be sent again"
    if applied and outcome is None and waiting is None and mark is None:
        return "it was taken, but no record tells what became of it"
    if waiting is not None and mark is None:
        return "it waits to be sent again, but the mark that it was begun is gone"
    if (waiting is None) != (due is None):
        return "it waits to be sent again, but no time is set for it, or the other way round"
    return ""
