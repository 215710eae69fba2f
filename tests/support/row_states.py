"""From the outcomes of tests to the state of each row. Pure: no pytest in here."""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING

import msgspec

from tests.support.rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_NAMED_BY_ROW = re.compile(r"test_([smupc]\d{1,2})(?:_|$)")


class State(enum.StrEnum):
    """What is known of a row."""

    WORKS = "works"
    FAILS = "fails"
    NOT_YET = "not yet"


class ShownTest(msgspec.Struct, frozen=True):
    """A collected test: where it is, what `pytest -k` looks at, the rows it is marked with, how it ended."""

    nodeid: str
    names: tuple[str, ...]
    marked: tuple[str, ...] = ()
    passed: bool = True

    @property
    def label(self) -> str:
        """File and function, without parameters and without the folder `tests/`."""
        return self.nodeid.partition("[")[0].removeprefix("tests/")

    def is_explicit_for(self, row: Row) -> bool:
        """Whether it is marked with the row, or named by it in `tests/seeds/`."""
        if row.id in self.marked:
            return True
        named = _NAMED_BY_ROW.match(self.names[-1]) if self.nodeid.startswith("tests/seeds/") else None
        return named is not None and named[1].upper() == row.id

    def is_found_by(self, pattern: str) -> bool:
        """Whether `pytest -k pattern` selects it."""
        return any(pattern.lower() in name.lower() for name in self.names)


class RowState(msgspec.Struct, frozen=True):
    """A row, its state, and the tests (labels) or rows (ids) that show it."""

    row: Row
    state: State
    shown_by: tuple[str, ...] = ()


def row_states(rows: Iterable[Row], tests: Iterable[ShownTest]) -> dict[str, RowState]:
    """The state of every row, in the order given. Rows that refer to other rows may stand anywhere."""
    by_id = {row.id: row for row in rows}
    tests = tuple(tests)
    known: dict[str, RowState] = {}
    for row in by_id.values():
        _state_of(row, by_id, tests, known)
    return {id_: known[id_] for id_ in by_id}


def _state_of(row: Row, by_id: Mapping[str, Row], tests: tuple[ShownTest, ...], known: dict[str, RowState]) -> RowState:
    if row.id in known:
        return known[row.id]
    known[row.id] = RowState(row, State.NOT_YET)  # a circle of references shows nothing
    explicit = [test for test in tests if test.is_explicit_for(row)]
    found = [[test for test in tests if test.is_found_by(pattern)] for pattern in row.patterns]
    # A test of its own stands for what the check says in words and for the rows that it names.
    leaned_on = () if explicit else tuple(_state_of(by_id[id_], by_id, tests, known) for id_ in row.references)

    folders = {name: [test for test in tests if test.nodeid.startswith(f"{name}/")] for name in row.folders}

    shown = list({test.nodeid: test for group in (explicit, *found) for test in group}.values())
    complete = all(found) and all(folders.values()) and (bool(explicit) or not row.needs_an_explicit_test)
    asked = [*shown, *(test for group in folders.values() for test in group)]
    states = {State.WORKS if test.passed else State.FAILS for test in asked}
    states |= {other.state for other in leaned_on}
    if State.FAILS in states:
        state = State.FAILS
    elif complete and states == {State.WORKS}:
        state = State.WORKS
    else:
        state = State.NOT_YET
    named = [test.label for test in shown] + [f"{name}/" for name in row.folders]
    labels = tuple(dict.fromkeys(named + [other.row.id for other in leaned_on]))
    known[row.id] = RowState(row, state, labels)
    return known[row.id]
