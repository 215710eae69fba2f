"""The rows of `tests/seeds/rows.toml`: what claimstream has to do, a check each, and what shows that it does.

A row is shown by tests of three kinds:

* a test in `tests/seeds/` named by its id, `test_s7_...`, or any test marked `@row("S7")`: *explicit*;
* for each `T pattern` in its check, every test that `pytest -k pattern` finds;
* for each folder in its check (`pytest tests/domain`), every test of the run that is in it;
* for a check that is nothing but other rows (`S44, S46`), those rows.
"""

from __future__ import annotations

import functools
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

ROWS_FILE = Path(__file__).parents[1] / "seeds" / "rows.toml"

_CODE = re.compile(r"`([^`]*)`")
_ROW_ID = re.compile(r"\b[SMUPC]\d{1,2}\b")


class Row(msgspec.Struct, frozen=True):
    """One row: its id (letter of the seed, number), what the seed says, what is here, the row's own check."""

    id: str
    title: str
    check: str
    here: str = ""

    @property
    def is_failure(self) -> bool:
        """True for the rows C: a failure that must not happen here."""
        return self.id.startswith("C")

    @property
    def patterns(self) -> tuple[str, ...]:
        """The `T pattern`s of the check: what `pytest -k` has to find, green."""
        return tuple(code[2:] for code in _CODE.findall(self.check) if code.startswith("T "))

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders of tests that the check wants to be green as a whole: `pytest tests/domain ...`."""
        commands = (code for code in _CODE.findall(self.check) if code.startswith("pytest tests/"))
        return tuple(word for code in commands for word in code.split()[1:])

    @property
    def references(self) -> tuple[str, ...]:
        """Ids of the other rows that the check names."""
        return tuple(_ROW_ID.findall(_CODE.sub("", self.check)))

    @property
    def needs_an_explicit_test(self) -> bool:
        """False when the check is made of patterns and other rows alone: they can show it."""
        if any(not code.startswith(("T ", "pytest tests/")) for code in _CODE.findall(self.check)):
            return True
        only_rows = not re.sub(r"[\s,;]", "", _ROW_ID.sub("", self.check))
        return not self.patterns and not self.folders and not only_rows


class Rows(msgspec.Struct, frozen=True):
    """All rows in order, the title of each letter, the ids promised by the version in the making."""

    row: tuple[Row, ...]
    seeds: dict[str, str]
    promised: tuple[str, ...]

    @property
    def by_id(self) -> Mapping[str, Row]:
        """Every row under its id."""
        return {row.id: row for row in self.row}


@functools.cache
def load_rows() -> Rows:
    """Read the checked-in rows."""
    return msgspec.convert(tomllib.loads(ROWS_FILE.read_text(encoding="utf-8")), Rows)


def row(*ids: str) -> pytest.MarkDecorator:
    """Mark a test, wherever it stands, as (part of) the check of these rows: `@row("S19", "C4")`."""
    unknown = [id_ for id_ in ids if id_ not in load_rows().by_id]
    if unknown or not ids:
        raise ValueError(f"no such row in {ROWS_FILE.name}: {', '.join(unknown) or '(none given)'}")
    return pytest.mark.row(*ids)
