"""How many claims this machine takes in over one connection, read, sealed, decided and appended as `submit` does it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from workers.adapters.auto_portfolio import portfolio
from workers.import_ahead import import_ahead
from workers.importing import Importer, batches
from workers.submissions import BadLine, Notice, Submission, encode, read_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from workers.application import Application
    from workers.importing import Imported


async def submitted_per_second(app: Application, claims: int, told: Callable[[int], None]) -> float:
    """Submit so many first notices of loss, from lines of JSON; `told` hears how many are in.

    `app` says over how many connections. Raises `RuntimeError` when not every one of them was added.
    """
    lines = [encode(row.submission) for row in portfolio(claims)]
    added = 0

    def note(_batch: Sequence[Submission], imported: Imported) -> None:
        nonlocal added
        added += imported.added
        told(added)

    began = time.perf_counter()
    await import_ahead(Importer(app), batches(_read(lines)), lambda some: ((), some), note)
    seconds = time.perf_counter() - began
    if added != claims:
        raise RuntimeError(f"{added:,} of {claims:,} submissions were added")
    return claims / seconds


def _read(lines: Sequence[bytes]) -> Iterator[Submission]:
    """Every line, decoded and checked as one of a file."""
    for number, line in enumerate(lines, 1):
        match read_line(number, line):
            case Notice(submission=submission):
                yield submission
            case BadLine(reason=reason):
                raise RuntimeError(f"line {number}: {reason}")
