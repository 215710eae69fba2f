"""The people as a TOML file: adjusters with licences, lines, skill, role, capacity, absences; others with their roles;
catastrophes with their group of adjusters.

Every mistake is named by its place. Loads are not in the file: the work lists count them. The sample is the roster of
the demonstration.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, TypeVar, get_args

import msgspec

from domain.authority import Delegation
from domain.roster import Absence, Adjuster, Roster
from domain.triage import Tier
from workers.adapters.catastrophe_entries import CatastropheEntry

if TYPE_CHECKING:
    from domain.sla import Override

SAMPLE = Path(__file__).parents[1] / "samples" / "roster.toml"
"""The adjusters of the demonstration."""

MOST_BYTES = 4 * 1024 * 1024
"""Bytes that are read: some 20,000 adjusters. Each batch of the processor looks at all of them."""

Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Place = Annotated[str, msgspec.Meta(pattern=r"^[A-Z][A-Z0-9-]{1,15}$")]
Decides = Literal["adjuster_i", "adjuster_ii", "senior_adjuster", "claims_manager", "committee"]
Names = Annotated[list[str], msgspec.Meta(max_length=1000)]


EntryT = TypeVar("EntryT", bound=msgspec.Struct)

TABLES = ("adjuster", "person", "catastrophe")
"""The tables of a roster."""


class RosterError(ValueError):
    """The roster cannot be used. One line: the file, the entry, the field, what was expected."""


class AbsenceEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Out of office from `first` to `last`, both included."""

    first: date
    last: date


class DelegationEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Decides in another role from `first` to `last`, both included."""

    role: Decides
    first: date
    last: date


class AdjusterEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[[adjuster]]` table."""

    id: Name
    jurisdictions: Annotated[list[Place], msgspec.Meta(min_length=1)]
    lines: Annotated[list[Literal["motor", "property", "health", "life"]], msgspec.Meta(min_length=1)]
    skill: Tier
    capacity: Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)]
    role: Decides
    active: bool = True
    restricted: bool = False
    licensed_until: date | None = None
    conflicts: Names = []
    absence: list[AbsenceEntry] = []
    delegation: list[DelegationEntry] = []
    reports_to: Name | None = None


PersonRole = Literal[
    "adjuster_i",
    "adjuster_ii",
    "senior_adjuster",
    "claims_manager",
    "committee",
    "supervisor",
    "siu",
    "appeal_reviewer",
    "recovery",
    "legal",
    "compliance",
]
"""What somebody of the house may act as."""


class PersonEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[[person]]` table: somebody who is given no claims by rule, and may act in these roles."""

    id: Name
    roles: Annotated[list[PersonRole], msgspec.Meta(min_length=1)]


class Staff(NamedTuple):
    """What the file says: the roster without loads, the role of each adjuster, where it came from, all people's roles
    (delegated ones included), and the orders that give clocks another length in a catastrophe.
    """

    roster: Roster
    roles: dict[str, str]
    path: Path
    people: dict[str, tuple[str, ...]]
    orders: tuple[Override, ...] = ()


def load_roster(path: Path = SAMPLE) -> Staff:
    """Read a roster. Raises `RosterError`."""
    table = _toml(path)
    unknown = table.keys() - {"version", *TABLES}
    if unknown:
        there_are = ", ".join(f"[[{name}]]" for name in TABLES)
        raise RosterError(f"{path}: unknown key {min(unknown)!r}: there are version, {there_are}")
    version = table.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or not 1 <= version < 10**9:
        raise RosterError(f"{path}: version is {version!r}: expected a whole number from 1, larger with every change")
    entries = table.get("adjuster")
    if not isinstance(entries, list) or not entries:
        raise RosterError(f"{path}: there is no adjuster: write an [[adjuster]] table for each")
    staff = [_adjuster_entry(path, number, entry) for number, entry in enumerate(entries, 1)]
    people = _tables(path, table, "person", PersonEntry)
    _no_two_alike(path, staff, people)
    _check_reports(path, staff)
    catastrophes = _tables(path, table, "catastrophe", CatastropheEntry)
    for number, event in enumerate(catastrophes, 1):
        if problem := event.problem({entry.id for entry in staff}):
            raise RosterError(f"{path}, catastrophe {number} ({event.code}), {problem}")
    roster = Roster(version, tuple(map(_adjuster, staff)), tuple(event.catastrophe() for event in catastrophes))
    roles: dict[str, str] = {entry.id: entry.role for entry in staff}
    everybody: dict[str, tuple[str, ...]] = {
        entry.id: (entry.role, *(one.role for one in entry.delegation)) for entry in staff
    }
    everybody |= {entry.id: tuple(entry.roles) for entry in people}
    orders = tuple(order for event in catastrophes for order in event.orders())
    return Staff(roster, roles, path, everybody, orders)


def _tables(path: Path, table: dict[str, Any], name: str, kind: type[EntryT]) -> list[EntryT]:
    """The tables of this name, in order; none when there are none."""
    found = table.get(name, [])
    if not isinstance(found, list):
        raise RosterError(f"{path}: {name} is {found!r}: write a [[{name}]] table for each")
    return [_entry(path, f"{name} {number}", raw, kind) for number, raw in enumerate(found, 1)]


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


def _adjuster_entry(path: Path, number: int, raw: object) -> AdjusterEntry:
    entry = _entry(path, f"adjuster {number}", raw, AdjusterEntry)
    for name, spans in (("absence", entry.absence), ("delegation", entry.delegation)):
        for span in spans:
            if span.last < span.first:
                where = f"{path}, adjuster {number} ({entry.id})"
                raise RosterError(f"{where}, field {name}: it ends on {span.last}, before it begins on {span.first}")
    return entry


def _check_reports(path: Path, staff: list[AdjusterEntry]) -> None:
    """Who is reported to is another adjuster of the roster."""
    known = {entry.id for entry in staff}
    for number, entry in enumerate(staff, 1):
        if entry.reports_to is not None and entry.reports_to not in known - {entry.id}:
            where = f"{path}, adjuster {number} ({entry.id})"
            raise RosterError(f"{where}, field reports_to: {entry.reports_to} is no other adjuster of this roster")


def _entry(path: Path, place: str, raw: object, kind: type[EntryT]) -> EntryT:
    name = next((raw[key] for key in ("id", "code") if key in raw), None) if isinstance(raw, dict) else None
    where = f"{path}, {place}" + (f" ({name})" if isinstance(name, str) and name else "")
    if not isinstance(raw, dict):
        raise RosterError(f"{where}: expected a [[{place.partition(' ')[0]}]] table")
    known = kind.__struct_fields__
    for key in raw:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known here: {', '.join(known)}"
            raise RosterError(f"{where}, field {key}: there is no such field: {hint}")
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as problem:
        raise RosterError(f"{where}, {_in_words(str(problem), raw)}") from None


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
    "roles": f"expected some of {', '.join(get_args(PersonRole))}",
    "lines": "expected some of motor, property, health, life",
    "jurisdictions": "expected codes such as OH or US",
    "id": "expected letters, digits, dashes and underscores, 64 at most",
}


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]


def _no_two_alike(path: Path, staff: list[AdjusterEntry], people: list[PersonEntry]) -> None:
    first: dict[str, str] = {}
    places = [(f"adjuster {number}", entry.id) for number, entry in enumerate(staff, 1)]
    places += [(f"person {number}", entry.id) for number, entry in enumerate(people, 1)]
    for place, name in places:
        if name in first:
            raise RosterError(f"{path}, {place}, field id: {name} is {first[name]} already")
        first[name] = place


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
        role=entry.role,
        delegations=tuple(Delegation(entry.id, one.role, one.first, one.last) for one in entry.delegation),
        reports_to=entry.reports_to or "",
    )
