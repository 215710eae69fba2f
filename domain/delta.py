"""What facts change in the figures: a `Delta` per fact, or one for many; deltas add.

A `View` is a key of source-systems.md B5 cut at its colons; `":".join(view)` is its plain name.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

_Key = TypeVar("_Key")

View = tuple[str, ...]

STATUS_VIEW = ("analytics", "status")


class Delta(msgspec.Struct):
    """Changes of views. `counts`: hash field += n. `scores`: sorted set member += n. `points`: sorted set
    member at a score (decimal text). `members`: in a list or set, or out of it; the later fact wins.

    What every fact counts is kept by what it is counted by, and spread over its views by `hashes` once for a
    whole batch: seven counts to a fact one by one were half of the time that analytics took. `moments`: facts
    by (minute of event time, kind of claim, event type). `statuses`: facts by (word before, word after).
    `amounts`: sums in minor units by (day, kind of claim, event type, currency).
    """

    moments: dict[tuple[str, str, str], int] = {}
    statuses: dict[tuple[str, str], int] = {}
    amounts: dict[tuple[str, str, str, str], int] = {}
    counts: dict[View, dict[str, int]] = {}
    scores: dict[tuple[View, str], int] = {}
    points: dict[tuple[View, str], str] = {}
    members: dict[tuple[View, str], bool] = {}

    def count(self, view: View, field: str, by: int = 1) -> None:
        """Add to a field of a hash."""
        _count(self.counts, view, field, by)

    def score(self, view: View, member: str, by: int = 1) -> None:
        """Add to the score of a member."""
        key = (view, member)
        self.scores[key] = self.scores.get(key, 0) + by

    def add(self, other: Delta) -> Delta:
        """This delta and a later one, in this one."""
        _add(self.moments, other.moments)
        _add(self.statuses, other.statuses)
        _add(self.amounts, other.amounts)
        _add(self.scores, other.scores)
        for view, fields in other.counts.items():
            _add(self.counts.setdefault(view, {}), fields)
        self.points.update(other.points)
        self.members.update(other.members)
        return self

    def hashes(self) -> dict[View, dict[str, int]]:
        """Every field of every hash that counts, by view."""
        found = {view: dict(fields) for view, fields in self.counts.items()}
        _spread_moments(found, self.moments)
        for (before, after), count in self.statuses.items():
            if before:
                _count(found, STATUS_VIEW, before, -count)
            if after:
                _count(found, STATUS_VIEW, after, count)
        for (day, kind, event, currency), minor in self.amounts.items():
            view = ("analytics", "amounts", day)
            _count(found, view, f"{event}:minor:{currency}", minor)
            _count(found, view, f"{kind}:{event}:minor:{currency}", minor)
        return found


def _spread_moments(found: dict[View, dict[str, int]], moments: dict[tuple[str, str, str], int]) -> None:
    """By hour, then by day: there are fewer of each than of minutes."""
    hours: dict[tuple[str, str], int] = {}
    days: dict[tuple[str, str, str], int] = {}
    for (minute, kind, event), count in moments.items():
        hour, day = (minute[:13], event), (minute[:10], kind, event)
        hours[hour] = hours.get(hour, 0) + count
        days[day] = days.get(day, 0) + count
    for (text, event), count in hours.items():
        date, number = text[:10], str(int(text[11:]))
        _count(found, ("analytics", "hourly", date, number), event, count)
        _count(found, ("metrics", "hourly", date, number), f"claims:{_action(event)}", count)
    for (date, kind, event), count in days.items():
        action = _action(event)
        _count(found, ("analytics", "hourly", date), event, count)
        _count(found, ("analytics", "daily", date), f"{kind}:{event}", count)
        _count(found, ("metrics", "daily", date), f"claims:{action}", count)
        _count(found, ("metrics", "daily", date), f"claims:{kind}:{action}", count)


def _action(event: str) -> str:
    return event.removeprefix("claim.")


def _count(counts: dict[View, dict[str, int]], view: View, field: str, by: int) -> None:
    fields = counts.get(view)
    if fields is None:
        counts[view] = {field: by}
    else:
        fields[field] = fields.get(field, 0) + by


def _add(into: dict[_Key, int], more: dict[_Key, int]) -> None:
    for key, by in more.items():
        into[key] = into.get(key, 0) + by
