"""Notifications: exactly the declared intents, each once; and what became of every one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from domain.notices import intents
from runtime.entry import event_id_of
from workers.dispatcher import Dispatcher
from workers.notifier import Notifier
from workers.outbox import Source, decode_ended, decode_mark, decode_waiting, intent_fields
from workers.reading_ahead import one_ahead
from workers.verifying.matching import StreamMatch
from workers.verifying.places import pages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.entry import RawEntry
    from runtime.store.reads import Reads
    from workers.keys import ClaimKeys
    from workers.verifying.places import Page, Place, Standing
    from workers.verifying.report import Checked, Findings


class NoticesCheck:
    """The outbox of one partition against the facts."""

    def __init__(self, reads: Reads, place: Place, keys: ClaimKeys, findings: Findings) -> None:
        """`place` of the claim log."""
        self._place = place
        stored = pages(reads, keys.notifications)
        self._match = StreamMatch(keys.notifications, b"eventId", stored, findings["notifications"])

    async def page(self, page: Page) -> None:
        """The intents of these facts have to be there."""
        for entry, fact in self._place.settled(Notifier.group, page):
            for intent in intents(fact):
                await self._match.expect(intent_fields(intent, Source.of(entry)))

    async def finish(self) -> None:
        """Nothing else may be there."""
        await self._match.finish()


async def check_dispatch(reads: Reads, place: Place, keys: ClaimKeys, findings: Findings) -> None:
    """Every intent that was taken has one record of its sending; no record is without an intent.

    `place` of the notification log.
    """
    found = findings["dispatch"]
    standing = place.groups.get(Dispatcher.group)
    if standing is None:
        return
    counts = dict.fromkeys((keys.outbox_outcomes, keys.outbox_waiting, keys.outbox_attempts), 0)
    async with one_ahead(pages(reads, place.name)) as ahead:
        async for rows in ahead:
            taken, begun = _by_standing(rows, standing)
            if begun:  # a mark is settled before its call: the entry may still be pending, its position not moved
                marks = await reads.one("HMGET", keys.outbox_attempts, *begun)
                counts[keys.outbox_attempts] += sum(mark is not None for mark in marks)
            await _check_records(reads, keys, list(dict.fromkeys(taken)), counts, found)
    for key, count in counts.items():
        await _check_surplus(reads, key, count, findings)
    found.same(keys.outbox_retries, counts[keys.outbox_waiting], await reads.one("ZCARD", keys.outbox_retries))


async def _check_records(
    reads: Reads, keys: ClaimKeys, identities: Sequence[bytes], counts: dict[str, int], found: Checked
) -> None:
    """What became of these intents; `counts`: records that were met so far, by key."""
    if not identities:
        return
    questions: list[tuple[str | bytes, ...]] = [("HMGET", key, *identities) for key in counts]
    questions += [("ZSCORE", keys.outbox_retries, identity) for identity in identities]
    ended, waiting, attempts, *due = await reads.many(questions)
    for key, values in zip(counts, (ended, waiting, attempts), strict=True):
        counts[key] += len(values) - values.count(None)
    for identity, *kept, at in zip(identities, ended, waiting, attempts, due, strict=True):
        if problem := _problem(kept, at):
            found.wrong(f"intent {identity.decode(errors='replace')}: {problem}")
        else:
            found.right()


def _by_standing(rows: Sequence[RawEntry], standing: Standing) -> tuple[list[bytes], list[bytes]]:
    """The identities of the intents that the group has come past, parked ones left out, and of those further on."""
    here = len(rows)
    if not standing.behind(rows[-1][0]):
        here = sum(standing.behind(entry_id) for entry_id, _ in rows)
    taken = [event_id_of(fields) for entry_id, fields in rows[:here] if entry_id.decode() not in standing.parked]
    return taken, [event_id_of(fields) for _, fields in rows[here:]]


def _problem(kept: Sequence[bytes | None], due: object) -> str:
    """What is wrong with the records of one intent: outcome, waiting, open mark. '' for nothing."""
    ended, waiting, mark = kept
    try:
        if ended is not None:
            decode_ended(ended)
        if waiting is not None:
            decode_waiting(waiting)
        if mark is not None:
            decode_mark(mark)
    except msgspec.DecodeError as problem:
        return f"its record cannot be read: {problem}"
    if ended is None and waiting is None and mark is None:
        return "it was taken, but no record tells what became of it"
    if ended is not None and (waiting is not None or mark is not None):
        return "it has ended, and it waits to be sent again"
    if (waiting is None) != (due is None):
        return "it waits to be sent again, but no time is set for it, or the other way round"
    return ""


async def _check_surplus(reads: Reads, key: str, count: int, findings: Findings) -> None:
    there = await reads.one("HLEN", key)
    if there > count:
        findings["dispatch"].wrong(f"{key}: {there - count} records of intents that are not in the outbox")
