"""What commands print: JSON for programs, tables for people. Colour and progress only on a terminal."""

from __future__ import annotations

import io
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
        shown = people()
        console().print(shown, soft_wrap=isinstance(shown, str))  # a line of text is never folded


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


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    right: Iterable[str] = (),
    whole: Iterable[str] = (),
) -> Table:
    """A plain table. Columns in `right` are figures: never shortened. Those in `whole` are never folded.

    On a terminal that is too narrow the latter end in an ellipsis.
    """
    from rich import box
    from rich.table import Table

    cells = [["" if cell is None else printable(str(cell)) for cell in row] for row in rows]
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    numbers, unfolded = set(right), set(whole)
    for column in columns:
        figures = column in numbers
        made.add_column(
            column,
            justify="right" if figures else "left",
            overflow="ellipsis" if figures or column in unfolded else "fold",
            no_wrap=figures,  # the others give way first; a name has no blank to be folded at
        )
    for row in cells:
        made.add_row(*row)
    return made


def printable(text: str) -> str:
    """The text with everything escaped that a terminal would obey: what strangers wrote is shown, not done."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def buffered_output() -> None:
    """Give stdout a buffer when Python was started without one (PYTHONUNBUFFERED, usual in containers).

    Without, a long text is one write(2), and what a pipe does not take at once is lost without an error.
    """
    if isinstance(getattr(sys.stdout, "buffer", None), io.FileIO):
        sys.stdout = open(  # it lives as long as the process
            sys.stdout.fileno(),
            "w",
            encoding=sys.stdout.encoding,
            errors=sys.stdout.errors,
            buffering=1,
            closefd=False,
        )


def note(given: Given, text: str) -> None:
    """A line for people on stderr that --quiet leaves out."""
    if not given.quiet:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
