"""The `[[catastrophe]]` tables of the roster: an event with a group of adjusters of its own, and clocks made longer."""

from __future__ import annotations

from datetime import date  # msgspec reads the annotations
from typing import Annotated

import msgspec

from domain.roster import Catastrophe
from domain.sla import Override

Code = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Place = Annotated[str, msgspec.Meta(pattern=r"^[A-Z][A-Z0-9-]{1,15}$")]
Days = Annotated[int, msgspec.Meta(ge=1, le=3650)]


class OrderEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Days that an order gives to a clock; a clock that it does not name keeps its own."""

    acknowledge: Days | None = None
    contact: Days | None = None
    decide: Days | None = None
    letter: Days | None = None
    pay: Days | None = None


class CatastropheEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One table: losses from `first` to `last` there (by these perils) go to `adjusters` alone.

    `longer`: an order of the authority that gives clocks another length, in days, for what starts from `first` to
    `until` (else `last`).
    """

    code: Code
    jurisdictions: Annotated[list[Place], msgspec.Meta(min_length=1)]
    first: date
    last: date
    adjusters: Annotated[list[Code], msgspec.Meta(min_length=1, max_length=1000)]
    perils: Annotated[list[str], msgspec.Meta(max_length=1000)] = []
    until: date | None = None
    longer: OrderEntry = OrderEntry()

    def problem(self, known: set[str]) -> str:
        """What cannot be, field first; '' when nothing. `known`: the adjusters of the roster."""
        if self.last < self.first:
            return f"field last: it ends on {self.last}, before it begins on {self.first}"
        if self.until is not None and self.until < self.first:
            return f"field until: the order ends on {self.until}, before it begins on {self.first}"
        strangers = sorted(set(self.adjusters) - known)
        return f"field adjusters: {strangers[0]} is no adjuster of this roster" if strangers else ""

    def catastrophe(self) -> Catastrophe:
        """As assignment sees it."""
        return Catastrophe(
            code=self.code,
            jurisdictions=frozenset(self.jurisdictions),
            first=self.first,
            last=self.last,
            adjusters=frozenset(self.adjusters),
            perils=frozenset(self.perils),
        )

    def orders(self) -> list[Override]:
        """The lengths of clocks, one for each jurisdiction."""
        return [
            Override(jurisdiction=place, clock=clock, first=self.first, last=self.until or self.last, length=days)
            for place in self.jurisdictions
            for clock, days in msgspec.structs.asdict(self.longer).items()
            if days is not None
        ]
