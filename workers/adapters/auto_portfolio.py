"""The 1,000 motor claims that ship with the package, or another file of the same set, read row by row.

A row that cannot be used is reported with its line and the column, and the others go in. `auto_row` says what
becomes of a row and which columns are never read.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Final

from workers.adapters.auto_row import USED_COLUMNS, AutoRow, auto_row
from workers.submissions import BadLine

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SAMPLE: Final = Path(__file__).parents[1] / "samples" / "auto_claims" / "insurance_claims.csv"
"""The copy that ships with the package."""


class NotAutoClaims(ValueError):
    """The file's header is not that of the auto set."""


def is_auto_header(first_line: str) -> bool:
    """Whether a file that begins with this line is the auto set (columns in any order, others allowed)."""
    return set(USED_COLUMNS) <= {name.strip() for name in first_line.lstrip("\ufeff").split(",")}


def read_auto_claims(path: Path = SAMPLE, *, seed: int = 1, copy: int = 1) -> Iterator[AutoRow | BadLine]:
    """Every row of the file, usable or not, in order.

    `copy` 2, 3 ... gives the same losses under further policy numbers, for portfolios beyond the set.
    Raises `NotAutoClaims` when the header is another.
    """
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as stream:
        yield from read_rows(stream, seed=seed, copy=copy)


def read_rows(lines: Iterable[str], *, seed: int = 1, copy: int = 1) -> Iterator[AutoRow | BadLine]:
    """`read_auto_claims` over lines of text, the header first."""
    reader = csv.reader(lines)
    header = next(reader, [])
    missing = [name for name in USED_COLUMNS if name not in header]
    if missing:
        raise NotAutoClaims(f"this is not the auto claims set: the column {missing[0]} is missing")
    columns = [(name, header.index(name)) for name in USED_COLUMNS]
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield BadLine(reader.line_num, f"no CSV: {error}")
            continue
        if cells:
            yield _read(reader.line_num, cells, columns, seed, copy)


def portfolio(count: int = 1_000, *, seed: int = 1, path: Path = SAMPLE) -> Iterator[AutoRow]:
    """The first `count` usable rows; beyond the set its losses come again under further policy numbers."""
    copy = 1
    while count > 0:
        before = count
        for row in read_auto_claims(path, seed=seed, copy=copy):
            if isinstance(row, AutoRow):
                yield row
                count -= 1
                if count == 0:
                    return
        if count == before:
            raise NotAutoClaims(f"{path} holds no usable row")
        copy += 1


def _read(line: int, cells: list[str], columns: list[tuple[str, int]], seed: int, copy: int) -> AutoRow | BadLine:
    try:
        row = {name: cells[index].strip() for name, index in columns}
    except IndexError:
        return BadLine(line, f"the row has {len(cells)} cells, fewer than the header")
    try:
        return auto_row(line, row, seed, copy)
    except ValueError as error:
        return BadLine(line, str(error))
