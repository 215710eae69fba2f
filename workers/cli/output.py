"""What commands print: JSON for programs, tables for people. Colour and progress only on a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rich.console import Console, RenderableType
    from rich.table import Table

    from workers.cli.given import Given

PLAIN_WIDTH = 100
"""Columns of a table that goes into a file or a pipe."""


def answer(given: Given, data: Any, people: Callable[[], RenderableType]) -> None:
    """Print `data` (anything that JSON can carry, structs too) with --json, else what `people` makes."""
    if given.json:
        print_json(data)
    else:
        console().print(people())


def print_json(data: Any) -> None:
    """One JSON document on stdout, over several lines on a terminal."""
    import msgspec

    text = msgspec.json.encode(data, enc_hook=str)
    if sys.stdout.isatty():
        text = msgspec.json.format(text, indent=2)
    sys.stdout.write(text.decode() + "\n")
    sys.stdout.flush()


def console(*, stderr: bool = False) -> Console:
    """A console without markup surprises: colour on a terminal only, 100 columns elsewhere."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else PLAIN_WIDTH
    return Console(stderr=stderr, width=width, markup=False, highlight=False, soft_wrap=False)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Iterable[str] = ()) -> Table:
    """A plain table; columns named in `right` are aligned to the right."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    numbers = set(right)
    for column in columns:
        made.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    for row in rows:
        made.add_row(*("" if cell is None else str(cell) for cell in row))
    return made


def note(given: Given, text: str) -> None:
    """A line for people on stderr that --quiet leaves out."""
    if not given.quiet:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
