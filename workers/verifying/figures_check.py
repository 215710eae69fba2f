"""Analytics: every key and field is the fold of the facts, and no key of that family is there beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.delta import Delta
from domain.statistics import fold_into, minute_of
from workers import figures
from workers.analytics import Analytics
from workers.verifying.claims_check import scored
from workers.verifying.matching import StreamMatch
from workers.verifying.places import pages

if TYPE_CHECKING:
    from collections.abc import Mapping

    from domain.delta import View
    from runtime.store.reads import Reads
    from workers.keys import ClaimKeys
    from workers.verifying.names import Names
    from workers.verifying.places import Page, Place
    from workers.verifying.report import Findings

FAMILIES = ("analytics", "leaderboard", "metrics", "kpi")
"""All keys that analytics owns, beside its stream."""

AT_ONCE = 200
"""Keys that are read in one round trip."""


class FiguresCheck:
    """The figures of one partition."""

    def __init__(self, reads: Reads, place: Place, keys: ClaimKeys, findings: Findings, names: Names) -> None:
        """`keys` of the partition."""
        self._reads = reads
        self._place = place
        self._keys = keys
        self._names = names
        self._found = findings["analytics"]
        self._fold = Delta()
        self._days = figures.Days()
        self._minutes: dict[str, int] = {}
        self._hashes: dict[View, dict[str, int]] = {}
        standing = place.groups.get(Analytics.group)
        self._in_order = standing is not None and not standing.parked
        stored = pages(reads, keys.windows)
        self._summaries = StreamMatch(keys.windows, b"eventId", stored, findings["summaries"])

    async def page(self, page: Page) -> None:
        """Fold one page."""
        settled = self._place.settled(Analytics.group, page)
        minutes = [minute_of(fact.at) for _, fact in settled]
        begin = 0
        for place, due in [*self._days.see([minute[:10] for minute in minutes]), (len(settled), [])]:
            change = Delta()
            for (_, fact), minute in zip(settled[begin:place], minutes[begin:place], strict=True):
                fold_into(change, fact, minute)
            self._absorb(change)
            begin = place
            for day, changed in due if self._in_order else ():
                entry = settled[place][0]
                totals = [self._hashes.get(view, {}) for view in figures.summary_views(day)]
                fields = figures.summary_fields(day, changed, totals, entry.event_id, entry.timestamp)
                await self._summaries.expect(fields)

    async def finish(self) -> None:
        """Compare every key, then look for keys that nothing explains."""
        if self._in_order:
            await self._summaries.finish()
        hashes = self._expected_hashes()
        boards = self._expected_boards()
        await self._compare(hashes, "HGETALL")
        await self._compare(boards, "ZRANGE", 0, -1, "WITHSCORES")
        await self._compare_last_hour()
        await self._find_strangers({*hashes, *boards})

    def _absorb(self, change: Delta) -> None:
        """Add a change to the fold; sums by view are kept at hand, minutes slide."""
        self._minutes = figures.slid(self._minutes, change)
        for view, counts in change.hashes().items():
            fields = self._hashes.setdefault(view, {})
            for field, by in counts.items():
                fields[field] = fields.get(field, 0) + by
        self._fold.add(Delta(scores=change.scores, points=change.points))

    def _expected_hashes(self) -> dict[str, dict[str, str]]:
        expected: dict[str, dict[str, str]] = {}
        for view, counts in self._hashes.items():
            fields = {name: str(count) for name, count in counts.items()}
            if figures.is_amounts(view):
                plain = figures.plain_amounts(counts)
                fields |= {name: value for name, value in plain.items() if value is not None}
            elif figures.is_processing(view):
                fields |= figures.plain_average(counts)
            expected[self._keys.figures(view)] = fields
        if self._minutes:
            expected[self._keys.minutes] = {field: str(count) for field, count in self._minutes.items()}
        if self._days.newest and self._in_order:
            expected[self._keys.window_state] = self._days.fields()
        return expected

    def _expected_boards(self) -> dict[str, dict[str, str]]:
        expected: dict[str, dict[str, str]] = {}
        for (view, member), score in self._fold.scores.items():
            expected.setdefault(self._keys.figures(view), {})[member] = _number(score)
        for (view, member), point in self._fold.points.items():
            expected.setdefault(self._keys.figures(view), {})[member] = _number(point)
        return expected

    async def _compare(self, expected: Mapping[str, Mapping[str, str]], *question: str | int) -> None:
        names = list(expected)
        for start in range(0, len(names), AT_ONCE):
            part = names[start : start + AT_ONCE]
            rows = await self._reads.many([(str(question[0]), name, *question[1:]) for name in part])
            for name, row in zip(part, rows, strict=True):
                if question[0] == "HGETALL":
                    stored = {field.decode(): value.decode() for field, value in row.items()}
                else:
                    stored = {member.decode(): _number(score) for member, score in scored(row)}
                self._same(name, expected[name], stored)

    async def _compare_last_hour(self) -> None:
        """It ends after an hour without facts, so it may be gone; if it is there it must be right."""
        row = await self._reads.one("HGETALL", self._keys.realtime)
        if row:
            stored = {field.decode(): value.decode() for field, value in row.items()}
            expected = {name: str(count) for name, count in figures.by_type(self._minutes).items()}
            self._same(self._keys.realtime, expected, stored)

    def _same(self, key: str, expected: Mapping[str, str], stored: Mapping[str, str]) -> None:
        if expected == stored:
            self._found.right(len(expected))
            return
        for field in {**expected, **stored}:
            self._found.same(f"{key} {field}", expected.get(field), stored.get(field))

    async def _find_strangers(self, known: set[str]) -> None:
        known |= {self._keys.realtime}
        if not self._in_order:
            known |= {self._keys.window_state}
        for family in FAMILIES:
            for name in await self._names.of(family, self._keys):
                if name not in known:
                    self._found.wrong(f"{name}: no fact explains this key")


def _number(score: object) -> str:
    """A score as text; the store and the facts write equal numbers in more than one way."""
    text = score.decode() if isinstance(score, bytes) else str(score)
    return repr(float(text))
