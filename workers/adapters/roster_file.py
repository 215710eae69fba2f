"""The adjusters as a TOML file: licences, lines, skill, role, capacity, absences. Every mistake is named by its place.

Loads are not in the file: the work lists count them. The sample is the roster of the demonstration.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import msgspec

from domain.roster import Absence, Adjuster, Roster
from domain.triage import Tier

SAMPLE = Path(__file__).parents[1] / "samples" / "roster.toml"
"""The adjusters of the demonstration."""

MOST_BYTES = 4 * 1024 * 1024
"""Bytes that are read: some 20,000 adjusters. Each batch of the processor looks at all of them."""

Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Place = Annotated[str, msgspec.Meta(pattern=r"^[A-Z][A-Z0-9-]{1,15}$")]
Names = Annotated[list[str], msgspec.Meta(max_length=1000)]


class RosterError(ValueError):
    """The roster cannot be used. One line: the file, the entry, the field, what was expected."""


class AbsenceEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Out of office from `first` to `last`, both included."""

    first: date
    last: date


class AdjusterEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[[adjuster]]` table."""

    id: Name
    jurisdictions: Annotated[list[Place], msgspec.Meta(min_length=1)]
    lines: Annotated[list[Literal["motor", "property", "health", "life"]], msgspec.Meta(min_length=1)]
    skill: Tier
    capacity: Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)]
    role: Literal["adjuster_i", "adjuster_ii", "senior_adjuster", "claims_manager", "committee"]
    active: bool = True
    restricted: bool = False
    licensed_until: date | None = None
    conflicts: Names = []
    absence: list[AbsenceEntry] = []


class Staff(NamedTuple):
    """What the file says: the roster without loads, the role of each adjuster, where it came from."""

    roster: Roster
    roles: dict[str, str]
    path: Path


def load_roster(path: Path = SAMPLE) -> Staff:
    """Read a roster. Raises `RosterError`."""
    table = _toml(path)
    unknown = table.keys() - {"version", "adjuster"}
    if unknown:
        raise RosterError(f"{path}: unknown key {min(unknown)!r}: there are version and [[adjuster]]")
    version = table.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or not 1 <= version < 10**9:
        raise RosterError(f"{path}: version is {version!r}: expected a whole number from 1, larger with every change")
    entries = table.get("adjuster")
    if not isinstance(entries, list) or not entries:
        raise RosterError(f"{path}: there is no adjuster: write an [[adjuster]] table for each")
    staff = [_entry(path, number, entry) for number, entry in enumerate(entries, 1)]
    _no_two_alike(path, staff)
    roster = Roster(version, tuple(_adjuster(entry) for entry in staff))
    return Staff(roster, {entry.id: entry.role for entry in staff}, path)


def _toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except OSError as problem:
        raise RosterError(f"{path}: cannot read the roster: {problem.strerror or problem}") from problem
    if len(raw) > MOST_BYTES:
        raise RosterError(f"{path}: more than {MOST_BYTES // 2**20} MiB: this is no roster")
    try:
        return tomllib.loads(raw.decode())
    except UnicodeDecodeError as problem:
        raise RosterError(f"{path}: not UTF-8 at byte {problem.start}") from problem
    except tomllib.TOMLDecodeError as problem:
        raise RosterError(f"{path}: not TOML: {problem}") from problem


def _entry(path: Path, number: int, raw: object) -> AdjusterEntry:
    named = raw.get("id") if isinstance(raw, dict) else None
    where = f"{path}, adjuster {number}" + (f" ({named})" if isinstance(named, str) and named else "")
    if not isinstance(raw, dict):
        raise RosterError(f"{where}: expected an [[adjuster]] table")
    known = AdjusterEntry.__struct_fields__
    for key in raw:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known here: {', '.join(known)}"
            raise RosterError(f"{where}, field {key}: there is no such field: {hint}")
    try:
        entry = msgspec.convert(raw, AdjusterEntry)
    except msgspec.ValidationError as problem:
        raise RosterError(f"{where}, {_in_words(str(problem), raw)}") from None
    for gone in entry.absence:
        if gone.last < gone.first:
            raise RosterError(f"{where}, field absence: it ends on {gone.last}, before it begins on {gone.first}")
    return entry


def _in_words(problem: str, raw: dict[str, Any]) -> str:
    """`Expected ... - at `$.skill`` -> the field first, with the value that stands there."""
    missing = re.search(r"missing required field `(\w+)`(?: - at `\$\.?([^`]*)`)?", problem)
    if missing:
        inside = f"{missing[2]}." if missing[2] else ""
        return f"field {inside}{missing[1]}: it is missing"
    text, _, place = problem.partition(" - at `$.")
    field = place.rstrip("`") or "?"
    value = raw.get(re.split(r"[\[.]", field)[0])
    expected = _CHOICES.get(re.split(r"[\[.]", field)[0]) or _lowered(text)
    return f"field {field}: it is {value!r}: {expected}"


_CHOICES = {
    "skill": "expected one of FAST, STANDARD, COMPLEX, SPECIALIST",
    "role": "expected one of adjuster_i, adjuster_ii, senior_adjuster, claims_manager, committee",
    "lines": "expected some of motor, property, health, life",
    "jurisdictions": "expected codes such as OH or US",
    "id": "expected letters, digits, dashes and underscores, 64 at most",
}


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]


def _no_two_alike(path: Path, staff: list[AdjusterEntry]) -> None:
    first: dict[str, int] = {}
    for number, entry in enumerate(staff, 1):
        if entry.id in first:
            raise RosterError(f"{path}, adjuster {number}, field id: {entry.id} is adjuster {first[entry.id]} already")
        first[entry.id] = number


def _adjuster(entry: AdjusterEntry) -> Adjuster:
    return Adjuster(
        adjuster_id=entry.id,
        jurisdictions=frozenset(entry.jurisdictions),
        lines=frozenset(entry.lines),
        skill=entry.skill,
        capacity=entry.capacity,
        active=entry.active,
        absences=tuple(Absence(gone.first, gone.last) for gone in entry.absence),
        licensed_until=entry.licensed_until,
        conflicts=frozenset(entry.conflicts),
        restricted=entry.restricted,
    )
