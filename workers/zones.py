"""The time zone of a policy from its jurisdiction: data, so that a rule gets its zone as an argument.

Days of cover, deadlines in days and office hours are those of the place where the policy lives (domain.md, G03 and
section 9). Zones come from the pinned `tzdata` package alone, never from the machine: two processes on two images
decide alike, and slim images have no zone data at all. What was decided stays in the fact, so a later edition of the
zone data changes no clock that was started.
"""

from __future__ import annotations

from datetime import UTC, tzinfo
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import tzdata  # type: ignore[import-untyped]

_ZONES = {
    "America/Anchorage": "AK",
    "America/Boise": "ID",
    "America/Chicago": "AL AR IA IL KS LA MN MO MS ND NE OK SD TN TX WI",
    "America/Denver": "CO MT NM UT WY",
    "America/Detroit": "MI",
    "America/Indiana/Indianapolis": "IN",
    "America/Los_Angeles": "CA NV OR WA",
    "America/New_York": "CT DC DE FL GA KY MA MD ME NC NH NJ NY OH PA RI SC VA VT WV",
    "America/Phoenix": "AZ",
    "America/Puerto_Rico": "PR",
    "Pacific/Honolulu": "HI",
}
"""Zone -> the jurisdictions that keep it. A state with two zones has the one of its capital (D): no
law says which one counts, and one zone for each jurisdiction is what a letter can explain."""

ZONE_NAMES: dict[str, str] = {place: zone for zone, places in _ZONES.items() for place in places.split()}
"""Jurisdiction -> IANA name."""


def zone_of(jurisdiction: str) -> tzinfo:
    """The zone of a jurisdiction; UTC where none is known, as for `US`: there a policy lives that nobody knows."""
    name = ZONE_NAMES.get(jurisdiction)
    return UTC if name is None else _loaded(name)


@cache
def _loaded(name: str) -> tzinfo:
    """Read once per process (some 2 kB): not through `ZoneInfo(name)`, which takes the machine's own data first."""
    with Path(tzdata.__file__).parent.joinpath("zoneinfo", name).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)
