"""Counts: by day and hour of event time, amounts, distributions, times, leaderboards, KPIs, the last hour.

A batch is folded by the pure rules of `domain.statistics` and written as few merged effects. What a reader
wants as a decimal is rendered from exact sums, which are read from the actor's own keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from domain.statistics import Delta, fold_into
from runtime.actor import Actor
from runtime.effects import (
    Delete,
    Expire,
    HashDelete,
    HashIncrement,
    HashSet,
    SortedSetAdd,
    SortedSetIncrement,
    StreamAdd,
)
from workers import figures
from workers.claim_log import fact_of
from workers.keys import CLAIM_LOG

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from domain.events import Fact
    from domain.statistics import View
    from runtime.effects import Effect, Effects
    from runtime.entry import Batch, Entry
    from runtime.store.reads import Reads
    from workers.figures import Days, Totals
    from workers.keys import ClaimKeys

REALTIME_TTL_MS = 3_600_000
"""Milliseconds of `analytics:realtime` without any fact (source-systems.md B5)."""


class Analytics(Actor):
    """Reads `claims:events` as `analytics`."""

    name: ClassVar[str] = "analytics"
    group: ClassVar[str] = "analytics"
    log: ClassVar[str] = CLAIM_LOG

    def __init__(self, keys: ClaimKeys, reads: Reads) -> None:
        """`reads` is asked for the actor's own keys alone."""
        self._keys = keys
        self._reads = reads
        self._minutes: dict[str, int] | None = None
        self._days: Days | None = None

    async def handle(self, batch: Batch) -> Effects:
        """Few effects for the whole batch; the sum over batches is the same for every cut."""
        if not batch.entries:
            return []
        facts = [fact_of(entry) for entry in batch.entries]
        minutes, days = await self._remembered()
        change, summaries = await self._folded(batch.entries, facts, days)
        effects = _counters(self._keys, change)
        effects += await self._decimals(change)
        self._minutes = figures.slid(minutes, change)
        effects += self._last_hour(minutes, self._minutes)
        return [*effects, *summaries]

    def forget(self) -> None:
        """Read the sliding hour and the open days again: what was computed may never have been settled."""
        self._minutes = None
        self._days = None

    async def _remembered(self) -> tuple[dict[str, int], Days]:
        if self._minutes is None or self._days is None:
            minutes, days = await self._reads.many(
                [("HGETALL", self._keys.minutes), ("HGETALL", self._keys.window_state)]
            )
            self._minutes = _integers(minutes)
            self._days = figures.stored_days(days)
        return self._minutes, self._days

    async def _folded(self, entries: Sequence[Entry], facts: Sequence[Fact], days: Days) -> tuple[Delta, list[Effect]]:
        """The change of the batch; and the summaries of days that facts in it closed, as they stood just
        then.
        """
        after, change = days.copy(), Delta()
        effects: list[Effect] = []
        before = await self._totals_of(_days_closed_by(facts, days))
        for entry, fact in zip(entries, facts, strict=True):
            due = after.see(_day(fact))
            if due:
                so_far = _by_view(change)
                for day, changed in due:
                    totals = [_added(before[view], so_far.get(view, {})) for view in figures.summary_views(day)]
                    fields = figures.summary_fields(day, changed, totals, entry.event_id, entry.timestamp)
                    effects.append(StreamAdd(self._keys.windows, fields))
            fold_into(change, fact)
        gone = tuple(sorted(days.touched.keys() - after.touched.keys()))
        if gone:
            effects.append(HashDelete(self._keys.window_state, gone))
        effects.append(HashSet(self._keys.window_state, after.fields()))
        self._days = after
        return change, effects

    async def _totals_of(self, days: Iterable[str]) -> dict[View, Totals]:
        """The stored figures of days that will be summarised."""
        views = [view for day in days for view in figures.summary_views(day)]
        found = await self._reads.many([("HGETALL", self._keys.figures(view)) for view in views])
        return {view: _exact(view, fields) for view, fields in zip(views, found, strict=True)}

    async def _decimals(self, change: Delta) -> list[Effect]:
        """Plain amounts and mean times of the days that this batch touched, from their sums after it."""
        by_view = _by_view(change)
        views = [view for view in by_view if figures.is_amounts(view) or figures.is_processing(view)]
        found = await self._reads.many([("HGETALL", self._keys.figures(view)) for view in views])
        effects: list[Effect] = []
        for view, fields in zip(views, found, strict=True):
            totals = _added(_exact(view, fields), by_view[view])
            plain: Mapping[str, str | None] = figures.plain_average(totals)
            if figures.is_amounts(view):
                plain = figures.plain_amounts(totals)
            key = self._keys.figures(view)
            effects.append(HashSet(key, {name: value for name, value in plain.items() if value is not None}))
            if mixed := tuple(name for name, value in plain.items() if value is None):
                effects.append(HashDelete(key, mixed))
        return [effect for effect in effects if not isinstance(effect, HashSet) or effect.fields]

    def _last_hour(self, before: Mapping[str, int], after: Mapping[str, int]) -> list[Effect]:
        changed = {field: str(count) for field, count in after.items() if before.get(field) != count}
        gone = tuple(sorted(before.keys() - after.keys()))
        effects: list[Effect] = []
        if gone:
            effects.append(HashDelete(self._keys.minutes, gone))
        if changed:
            effects.append(HashSet(self._keys.minutes, changed))
        shown = {event_type: str(count) for event_type, count in figures.by_type(after).items()}
        return [
            *effects,
            Delete(self._keys.realtime),
            HashSet(self._keys.realtime, shown),
            Expire(self._keys.realtime, REALTIME_TTL_MS),
        ]


def _counters(keys: ClaimKeys, change: Delta) -> list[Effect]:
    """The figures that only add up. Work lists (`members`) belong to the claims processor, minutes slide."""
    effects: list[Effect] = [
        HashIncrement(keys.figures(view), counts)
        for view, counts in _by_view(change).items()
        if view[:2] != figures.MINUTE_VIEW
    ]
    boards: dict[View, dict[str, int]] = {}
    for (view, member), by in change.scores.items():
        boards.setdefault(view, {})[member] = by
    effects += [SortedSetIncrement(keys.figures(view), by) for view, by in boards.items()]
    points: dict[View, dict[str, int | str]] = {}
    for (view, member), score in change.points.items():
        points.setdefault(view, {})[member] = score
    effects += [SortedSetAdd(keys.figures(view), scores) for view, scores in points.items()]
    return effects


def _day(fact: Fact) -> str:
    return fact.at.strftime("%Y-%m-%d")


def _days_closed_by(facts: Sequence[Fact], days: Days) -> set[str]:
    """The days that a walk over these facts will close."""
    walk = days.copy()
    return {day for fact in facts for day, _ in walk.see(_day(fact))}


def _by_view(change: Delta) -> dict[View, Totals]:
    found: dict[View, Totals] = {}
    for (view, field), by in change.counts.items():
        found.setdefault(view, {})[field] = by
    return found


def _integers(fields: Mapping[bytes, bytes]) -> dict[str, int]:
    return {name.decode(): int(value) for name, value in fields.items()}


def _exact(view: View, fields: Mapping[bytes, bytes]) -> Totals:
    """The exact fields of a stored view, without those that were rendered from them."""
    if figures.is_amounts(view):
        return _integers({name: value for name, value in fields.items() if b":minor:" in name})
    return _integers({name: value for name, value in fields.items() if name != b"average_hours"})


def _added(one: Totals, other: Totals) -> Totals:
    return {name: one.get(name, 0) + other.get(name, 0) for name in (*one, *other)}
