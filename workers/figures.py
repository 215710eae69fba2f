"""What analytics keeps beside plain counters: decimals for lab readers, the sliding hour, summaries of days.
Pure.

All of it is a function of the facts in log order, never of how they were cut into batches; so a replay gives
the same, and `verify` computes it again with these very functions.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from domain.events import SCHEMA_VERSION
from domain.identity import command_id, event_id
from domain.statistics import average_hours, major_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from domain.statistics import Delta, View

MINUTE_VIEW = ("analytics", "minute")
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


def plain_average(exact: Mapping[str, int]) -> dict[str, str]:
    """The mean processing time of a day in hours, two places."""
    return {"average_hours": average_hours(exact.get("seconds", 0), exact.get("count", 0))}


def minute_field(minute: str, event_type: str) -> str:
    """How a minute's count stands in the hash of minutes."""
    return f"{minute}|{event_type}"


def slid(minutes: Mapping[str, int], change: Delta) -> dict[str, int]:
    """The sliding hour after more facts: the counts of the newest minute and of the 59 before it."""
    found = dict(minutes)
    for (view, event_type), count in change.counts.items():
        if view[:2] == MINUTE_VIEW:
            field = minute_field(view[2], event_type)
            found[field] = found.get(field, 0) + count
    if not found:
        return found
    newest = datetime.fromisoformat(max(found).partition("|")[0])
    oldest = (newest - timedelta(minutes=WINDOW_MINUTES - 1)).strftime("%Y-%m-%dT%H:%M")
    return {field: count for field, count in found.items() if field >= oldest}


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

    def see(self, day: str) -> list[tuple[str, int]]:
        """Take note of a fact of that day. Returns the days to be summarised first: (day, facts since last
        time).
        """
        due: list[tuple[str, int]] = []
        if self.newest and day > self.newest:
            due = sorted(self.touched.items())[-MAX_SUMMARIES:]
            for closed, _ in due:
                del self.touched[closed]
        self.newest = max(self.newest, day)
        self.touched[day] = self.touched.get(day, 0) + 1
        return due

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
