"""Counts: by day and hour of event time, amounts, distributions, times, leaderboards, KPIs, the last hour.

A batch is folded by the pure rules of `domain.statistics` and written as few merged effects. What a reader
wants as a decimal is rendered from exact sums, which are read from the actor's own keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from domain.delta import Delta
from domain.statistics import fold_into, minute_of
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

    from domain.delta import View
    from domain.events import Fact
    from runtime.effects import Effect, Effects
    from runtime.entry import Batch, Entry
    from runtime.store.reads import Reads
    from workers.figures import Days, Totals
    from workers.keys import ClaimKeys

REALTIME_TTL_MS = 3_600_000
"""Milliseconds of `analytics:realtime` without any fact (source-systems.md B5)."""

MAX_REMEMBERED = 1000
"""Views whose sums are kept between batches, two to a day: some 2 MB. More are read again."""


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
        self._exact: dict[View, Totals] = {}

    async def handle(self, batch: Batch) -> Effects:
        """Few effects for the whole batch; the sum over batches is the same for every cut."""
        if not batch.entries:
            return []
        facts = [fact_of(entry) for entry in batch.entries]
        minutes, days = await self._remembered()
        change, summaries = await self._folded(batch.entries, facts, days)
        counted = change.hashes()
        effects = _counters(self._keys, change, counted)
        effects += await self._decimals(counted)
        self._minutes = figures.slid(minutes, change)
        effects += self._last_hour(minutes, self._minutes)
        return [*effects, *summaries]

    def forget(self) -> None:
        """Read the sliding hour, the open days and the sums again: what was computed may never have been settled."""
        self._minutes = None
        self._days = None
        self._exact = {}

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
        minutes = [minute_of(fact.at) for fact in facts]
        closings = after.see([minute[:10] for minute in minutes])
        before = await self._totals_of({day for _, due in closings for day, _ in due})
        begin = 0
        for place, due in [*closings, (len(facts), [])]:
            for fact, minute in zip(facts[begin:place], minutes[begin:place], strict=True):
                fold_into(change, fact, minute)
            begin = place
            so_far = change.hashes() if due else {}
            for day, changed in due:
                totals = [_added(before[view], so_far.get(view, {})) for view in figures.summary_views(day)]
                fields = figures.summary_fields(day, changed, totals, entries[place].event_id, entries[place].timestamp)
                effects.append(StreamAdd(self._keys.windows, fields))
        self._days = after
        return change, [*effects, *self._open_days(days, after)]

    def _open_days(self, before: Days, after: Days) -> list[Effect]:
        """What changed of the days that are not summarised yet."""
        key, known = self._keys.window_state, before.fields()
        changed = {name: value for name, value in after.fields().items() if known.get(name) != value}
        gone = tuple(sorted(before.touched.keys() - after.touched.keys()))
        return [*([HashDelete(key, gone)] if gone else []), HashSet(key, changed)]

    async def _totals_of(self, days: Iterable[str]) -> dict[View, Totals]:
        """The stored figures of days that will be summarised."""
        views = [view for day in days for view in figures.summary_views(day)]
        found = await self._reads.many([("HGETALL", self._keys.figures(view)) for view in views])
        return {view: _exact(view, fields) for view, fields in zip(views, found, strict=True)}

    async def _decimals(self, counted: Mapping[View, Totals]) -> list[Effect]:
        """Plain amounts and mean times that this batch touched, from their sums after it."""
        views = [view for view in counted if figures.is_amounts(view) or figures.is_processing(view)]
        await self._recall(views)
        effects: list[Effect] = []
        for view in views:
            totals = self._exact[view] = _added(self._exact[view], counted[view])
            plain: Mapping[str, str | None] = figures.plain_average(totals)
            if figures.is_amounts(view):
                plain = figures.plain_amounts(figures.beside(totals, counted[view]))
            key = self._keys.figures(view)
            if shown := {name: value for name, value in plain.items() if value is not None}:
                effects.append(HashSet(key, shown))
            if mixed := tuple(name for name, value in plain.items() if value is None):
                effects.append(HashDelete(key, mixed))
        return effects

    async def _recall(self, views: Sequence[View]) -> None:
        """Have the sums of these views at hand: most are those of the batch before."""
        missing = [view for view in views if view not in self._exact]
        if len(self._exact) + len(missing) > MAX_REMEMBERED:
            self._exact, missing = {}, list(views)
        found = await self._reads.many([("HGETALL", self._keys.figures(view)) for view in missing])
        for view, fields in zip(missing, found, strict=True):
            self._exact[view] = _exact(view, fields)

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


def _counters(keys: ClaimKeys, change: Delta, counted: Mapping[View, Totals]) -> list[Effect]:
    """The figures that only add up. Work lists (`members`) belong to the claims processor."""
    effects: list[Effect] = [HashIncrement(keys.figures(view), counts) for view, counts in counted.items()]
    boards: dict[View, dict[str, int]] = {}
    for (view, member), by in change.scores.items():
        boards.setdefault(view, {})[member] = by
    effects += [SortedSetIncrement(keys.figures(view), by) for view, by in boards.items()]
    points: dict[View, dict[str, int | str]] = {}
    for (view, member), score in change.points.items():
        points.setdefault(view, {})[member] = score
    effects += [SortedSetAdd(keys.figures(view), scores) for view, scores in points.items()]
    return effects


def _integers(fields: Mapping[bytes, bytes]) -> dict[str, int]:
    return {name.decode(): int(value) for name, value in fields.items()}


def _exact(view: View, fields: Mapping[bytes, bytes]) -> Totals:
    """The exact fields of a stored view, without those that were rendered from them."""
    if figures.is_amounts(view):
        return _integers({name: value for name, value in fields.items() if b":minor:" in name})
    return _integers({name: value for name, value in fields.items() if name != b"average_hours"})


def _added(one: Totals, other: Totals) -> Totals:
    return {**one, **{name: one.get(name, 0) + by for name, by in other.items()}}
