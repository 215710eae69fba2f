"""What analytics keeps beside plain counters: decimals for lab readers, the sliding hour, summaries of days.
Pure.

All of it is a function of the facts in log order, never of how they were cut into batches; so a replay gives
the same, and `verify` computes it again with these very functions.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from domain.events import SCHEMA_VERSION
from domain.identity import command_id, event_id
from domain.statistics import average_hours, major_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from domain.delta import Delta, View

AMOUNTS_VIEW = ("analytics", "amounts")
PROCESSING_VIEW = ("analytics", "processing")
HOURLY_VIEW = ("analytics", "hourly")

WINDOW_MINUTES = 60
"""Minutes of the sliding hour, the newest one included (source-systems.md B5: 3600 s)."""

SUMMARY = "analytics.day.summarised"
MAX_SUMMARIES = 1000
"""Days that are summarised at one time; more wait for the next time. A settle has room for 5,000 effects."""


def is_amounts(view: View) -> bool:
    """Is it `analytics:amounts:{day}`? The distribution stands one level deeper."""
    return view[:2] == AMOUNTS_VIEW and len(view) == 3


def is_processing(view: View) -> bool:
    """Is it `analytics:processing:{day}`?"""
    return view[:2] == PROCESSING_VIEW


def plain_amounts(exact: Mapping[str, int]) -> dict[str, str | None]:
    """From exact fields `{name}:minor:{currency}` the plain field `{name}` in major units.

    None where there is more than one currency: a sum over two of them is no number, so the field must go.
    """
    found: dict[str, str | None] = {}
    for field, minor in exact.items():
        name, _, currency = field.rpartition(":minor:")
        found[name] = None if name in found else major_text(minor, currency)
    return found


def beside(exact: Mapping[str, int], changed: Iterable[str]) -> dict[str, int]:
    """Of the exact fields those that are shown by a plain field which a change of some of them touches."""
    names = {field.rpartition(":minor:")[0] for field in changed}
    return {field: minor for field, minor in exact.items() if field.rpartition(":minor:")[0] in names}


def plain_average(exact: Mapping[str, int]) -> dict[str, str]:
    """The mean processing time of a day in hours, two places."""
    return {"average_hours": average_hours(exact.get("seconds", 0), exact.get("count", 0))}


def minute_field(minute: str, event_type: str) -> str:
    """How a minute's count stands in the hash of minutes."""
    return f"{minute}|{event_type}"


def slid(minutes: Mapping[str, int], change: Delta) -> dict[str, int]:
    """The sliding hour after more facts: the counts of the newest minute and of the 59 before it."""
    if not change.moments:
        return dict(minutes)
    newest = max(minute for minute, _, _ in change.moments)
    if minutes:
        newest = max(newest, max(minutes).partition("|")[0])
    before = datetime.fromisoformat(newest) - timedelta(minutes=WINDOW_MINUTES - 1)
    oldest = before.strftime("%Y-%m-%dT%H:%M")
    found = {field: count for field, count in minutes.items() if field >= oldest}
    for (minute, _, event_type), count in change.moments.items():
        if minute >= oldest:
            field = minute_field(minute, event_type)
            found[field] = found.get(field, 0) + count
    return found


def by_type(minutes: Mapping[str, int]) -> dict[str, int]:
    """The sliding hour by event type."""
    found: dict[str, int] = {}
    for field, count in minutes.items():
        event_type = field.partition("|")[2]
        found[event_type] = found.get(event_type, 0) + count
    return found


class Days(msgspec.Struct):
    """Which days were touched since they were summarised last, and the newest day of all facts so far.

    A new newest day closes the days before it: whatever was touched is summarised then, late facts included.
    """

    newest: str = ""
    touched: dict[str, int] = {}

    def see(self, days: Sequence[str]) -> list[tuple[int, list[tuple[str, int]]]]:
        """Take note of facts of those days, in order. Returns the places at which days have to be summarised
        before the fact there is counted: (place, [(day, facts since last time)]).
        """
        closings: list[tuple[int, list[tuple[str, int]]]] = []
        begin = 0
        for place, day in enumerate(days):
            if day > self.newest:
                self._touch(days[begin:place])
                begin = place
                if due := sorted(self.touched.items())[-MAX_SUMMARIES:]:
                    closings.append((place, due))
                for closed, _ in due:
                    del self.touched[closed]
                self.newest = day
        self._touch(days[begin:])
        return closings

    def _touch(self, days: Sequence[str]) -> None:
        for day, count in Counter(days).items():
            self.touched[day] = self.touched.get(day, 0) + count

    def copy(self) -> Days:
        """One that moves on by itself."""
        return Days(self.newest, dict(self.touched))

    def fields(self) -> dict[str, str]:
        """As the store keeps it: `newest`, and each touched day with its count."""
        return {"newest": self.newest, **{day: str(count) for day, count in self.touched.items()}}


def stored_days(fields: Mapping[bytes, bytes]) -> Days:
    """Read it back."""
    named = {name.decode(): value.decode() for name, value in fields.items()}
    newest = named.pop("newest", "")
    return Days(newest, {day: int(count) for day, count in named.items()})


Totals = dict[str, int]

_encode = msgspec.json.Encoder(order="sorted").encode


def summary_views(day: str) -> tuple[View, View, View]:
    """The views of a day that its summary shows: events, amounts, processing."""
    return (*HOURLY_VIEW, day), (*AMOUNTS_VIEW, day), (*PROCESSING_VIEW, day)


def summary_fields(day: str, changed: int, totals: Iterable[Totals], cause: str, timestamp: str) -> tuple[str, ...]:
    """The summary of a day as an entry of `claims:analytics`; `totals` of its three views when it was closed.

    `cause` is the fact that closed it and `timestamp` its time, so the summary is the same in every replay.
    """
    events, amounts, processing = totals
    data: dict[str, Any] = {
        "day": day,
        "changed": changed,
        "events": events,
        "amounts": amounts,
        "processing": processing,
    }
    return (
        "eventId", event_id(command_id("summary", day, cause), 0), "eventType", SUMMARY, "window", day,
        "timestamp", timestamp, "data", _encode(data).decode(), "version", SCHEMA_VERSION, "causationId",
        cause,
    )  # fmt: skip
