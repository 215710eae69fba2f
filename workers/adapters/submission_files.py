"""A file of first notices of loss: the auto set as CSV, or JSON lines in the documented format; told by its head.

Nothing in a file ends the reading: a line that cannot be used comes out as a `BadLine` with its number.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import msgspec

from workers.adapters.auto_portfolio import is_auto_header, read_rows
from workers.adapters.auto_row import AutoRow
from workers.submissions import MAX_LINE_BYTES, BadLine, Submission, read_json_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

LOOK_BYTES: Final = 65_536
"""How much of a file is looked at to tell its kind (the header of the auto set has 600 bytes)."""


class NotSubmissions(ValueError):
    """The file is neither the auto set nor JSON lines."""


class Filed(msgspec.Struct, frozen=True):
    """A usable line: its number from 1, the submission, the row with policy and customer if any."""

    line: int
    submission: Submission
    record: AutoRow | None = None


class SubmissionFile:
    """An open file; iterate once. `read` and `size` are bytes, for a progress bar; size 0: not known."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        """Nothing is read yet."""
        self._stream = stream
        self.size = size
        self.read = 0

    def readline(self, limit: int) -> bytes:
        """The next line of at most `limit` bytes, counted."""
        line = self._stream.readline(limit)
        self.read += len(line)
        return line

    def __iter__(self) -> Iterator[Filed | BadLine]:
        """Every line that is not blank. Raises `NotSubmissions` at once when the file is something else."""
        peek = getattr(self._stream, "peek", None)
        first = (peek(LOOK_BYTES) if peek is not None else b"").removeprefix(b"\xef\xbb\xbf")
        if is_auto_header(first.partition(b"\n")[0].decode(errors="replace")):
            return self._auto_rows()
        if not first or any(line.lstrip().startswith(b"{") for line in first.splitlines()):
            return self._json_lines()
        raise NotSubmissions(
            "it is neither the auto set (a CSV with its header) nor JSON lines (no line begins with a brace)"
        )

    def _auto_rows(self) -> Iterator[Filed | BadLine]:
        for row in read_rows(self._texts()):
            yield row if isinstance(row, BadLine) else Filed(row.line, row.submission, row)

    def _json_lines(self) -> Iterator[Filed | BadLine]:
        for notice in read_json_lines(self):
            yield notice if isinstance(notice, BadLine) else Filed(notice.line, notice.submission)

    def _texts(self) -> Iterator[str]:
        """Lines for the CSV reader; of one that is too long only the beginning, which no row can be."""
        begun = False
        while line := self.readline(MAX_LINE_BYTES):
            text = line.decode(errors="replace")
            yield text if begun else text.removeprefix("\ufeff")
            begun = True
            while not line.endswith(b"\n") and len(line) == MAX_LINE_BYTES:
                line = self.readline(MAX_LINE_BYTES)


@contextmanager
def opened(path: Path) -> Iterator[SubmissionFile]:
    """Open a file. Raises `OSError`."""
    with path.open("rb") as stream:
        yield SubmissionFile(stream, path.stat().st_size if path.is_file() else 0)
