"""Payouts: every order that a fact asks for has one record of its sending, and every doubt an item for a person."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from domain.bodies.deciding import OverrideRecorded
from workers import reconciliation
from workers.doubts import found_in
from workers.payments import Payments
from workers.payouts import FOR_PEOPLE, decode_ended, decode_mark, decode_waiting, order_of
from workers.resolutions import SUBJECT
from workers.verifying.places import pages
from workers.verifying.report import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.bodies.deciding import FoundOut
    from runtime.store.reads import Reads
    from workers.keys import ClaimKeys
    from workers.payouts import Ended
    from workers.reconciliation import Item
    from workers.verifying.places import Page, Place
    from workers.verifying.report import Findings


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
        self._for_people: dict[str, Ended] = {}
        self._taken: dict[str, Ended] = {}
        self._found_out: dict[str, FoundOut] = {}

    async def page(self, page: Page) -> None:
        """The orders of these facts have to be accounted for."""
        if not self._served:
            return
        self._note_findings(page)
        orders = [
            (order.key, self._place.applied(Payments.group, entry))
            for entry, fact in page.stated
            if (order := order_of(fact)) is not None
        ]
        if not orders:
            return
        keys = [key for key, _ in orders]
        kept = await self._reads.many([("HMGET", name, *keys) for name in self._records])
        due = await self._reads.many([("ZSCORE", self._keys.payment_retries, key) for key in keys])
        for place, (key, applied) in enumerate(orders):
            records = [row[place] for row in kept]
            for name, value in zip(self._counts, (*records, due[place]), strict=True):
                self._counts[name] += value is not None
            if problem := self._problem(records, due[place], key, applied=applied):
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

    def _problem(self, records: Sequence[bytes | None], due: object, key: str, *, applied: bool) -> str:
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
            self._for_people[key] = outcome
        if outcome is not None and outcome.state == "taken":
            self._taken[key] = outcome
        return _contradiction(outcome, waiting, mark, due, applied=applied)

    def _note_findings(self, page: Page) -> None:
        """What people found out about items, as far as the payments actor has acted on it."""
        for _, fact in self._place.settled(Payments.group, page):
            found, body = found_in(fact), fact.body
            if found is not None and isinstance(body, OverrideRecorded) and body.subject.startswith(SUBJECT):
                self._found_out.setdefault(body.subject.removeprefix(SUBJECT), found)

    async def _check_list(self) -> None:
        """Every order that waits for a person is listed; every doubt is what the bank's last such message says.

        A person who found that nothing was sent ends both; one who found that it was, makes the order a taken one.
        """
        doubts: dict[str, str] = {}
        seen: Counter[tuple[str, str]] = Counter()
        async for rows in pages(self._reads, self._keys.reconciliation):
            for entry_id, fields in rows:
                item = self._item(entry_id.decode(), fields)
                if item is None:
                    continue
                if item.kind in FOR_PEOPLE and (problem := self._of_order(entry_id.decode(), item)):
                    self._listed.wrong(f"{self._keys.reconciliation} {entry_id.decode()}: {problem}")
                    continue
                self._listed.right()
                if item.blames_message:
                    doubts[item.payment_id] = item.message_id
                    seen[item.payment_id, item.message_id] += 1
        for key, ended in self._for_people.items():
            self._listed.wrong(f"{key}: it is {ended.state} ({shown(ended.reason)}), but not on the list")
        released = {(one.payment_id, one.message_id) for one in self._found_out.values() if one.outcome == "not_sent"}
        twice = {name for name, message in doubts.items() if (name, message) in released and seen[name, message] > 1}
        doubts = {name: message for name, message in doubts.items() if (name, message) not in released}
        row = await self._reads.one("HGETALL", self._keys.payment_doubts)
        stored = {name.decode(errors="replace"): value.decode(errors="replace") for name, value in row.items()}
        for name in {**doubts, **stored}:
            if name in twice:  # the bank said it again under the same id: before the finding, or after it
                continue
            self._listed.same(f"{self._keys.payment_doubts} {name}", doubts.get(name), stored.get(name))

    def _of_order(self, entry_id: str, item: Item) -> str:
        """What is wrong with an item about an order of ours; '' for nothing."""
        found = self._found_out.get(f"{entry_id} {item.payment_id}")
        if found is None:
            ended = self._for_people.get(item.key)
            if ended is None or ended.state != item.kind:
                return "no order ended like this"
            del self._for_people[item.key]
        elif found.outcome == "sent":
            taken = self._taken.get(item.key)
            if taken is None or taken.reference != found.reference:
                return f"a person found that {item.key} was sent, but it is not recorded as taken like that"
        return ""

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
