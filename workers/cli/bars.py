"""A bar for long work: how far, how fast, how long still. On a terminal only; machines get the answer alone."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress, TaskID

    from workers.cli.given import Given


class Bar:
    """Counts things towards a total that may grow."""

    def __init__(self, progress: Progress | None, name: str) -> None:
        """None: nobody looks."""
        self._progress = progress
        self._task: TaskID | None = progress.add_task(name, total=0) if progress is not None else None
        self._total = 0
        self._before = 0

    def more(self, count: int) -> None:
        """There are so many more to do; what `at` says counts from here."""
        self._before = self._total
        self._total += count
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, total=self._total)

    def at(self, done: int) -> None:
        """So many of the last `more` are done."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=self._before + done)


@contextmanager
def bar(given: Given, name: str) -> Iterator[Bar]:
    """Show a bar on stderr while the block runs."""
    if given.json or given.quiet or not sys.stderr.isatty():
        yield Bar(None, name)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from workers.cli.output import console

    rate = TextColumn("{task.speed:,.0f}/s")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as progress:
        yield Bar(progress, name)
