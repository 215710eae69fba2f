"""How the demonstration looks to people: bars while it runs, tables in the end. Machines get one JSON object."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import msgspec
from rich.console import Group
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from workers.cli.output import answer, console, note, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType
    from rich.progress import Task

    from workers.cli.given import Given
    from workers.demo.report import DemoReport
    from workers.demo.running import Watcher

LINE_SECONDS = 2.0
"""Seconds between two lines of progress where there is no terminal."""


class _Rate(TextColumn):
    """Claims per second."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Task) -> Text:
        """The speed of one bar."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f}/s", style="dim")


class BarsWatcher:
    """Two bars on a terminal: noticed and closed."""

    def __init__(self, progress: Progress) -> None:
        """`progress` is shown already."""
        self._progress = progress
        self._bars: dict[str, TaskID] = {}

    def submitted(self, done: int, total: int) -> None:
        """So many first notices of loss are in the log."""
        self._show("first notices of loss", done, total)

    def closed(self, done: int, total: int) -> None:
        """So many claims are closed."""
        self._show("claims at rest", done, total)

    def verifying(self) -> None:
        """Everything is being checked."""
        for bar in self._bars.values():
            self._progress.update(bar, completed=self._progress.tasks[bar].total)
        self._progress.console.print("checking every projection against the log ...", style="dim")

    def _show(self, name: str, done: int, total: int) -> None:
        if name not in self._bars:
            self._bars[name] = self._progress.add_task(name, total=total)
        self._progress.update(self._bars[name], completed=min(done, total), total=total)


class LinesWatcher:
    """A line now and then, where there is no terminal."""

    def __init__(self, given: Given) -> None:
        """Lines go to stderr; silent with --quiet."""
        self._given = given
        self._began = time.monotonic()
        self._next = self._began + LINE_SECONDS

    def submitted(self, done: int, total: int) -> None:
        """So many first notices of loss are in the log."""
        self._tell(f"first notices of loss {done:,} of {total:,}", last=done >= total)

    def closed(self, done: int, total: int) -> None:
        """So many claims are closed."""
        self._tell(f"claims at rest {done:,} of {total:,}")

    def verifying(self) -> None:
        """Everything is being checked."""
        self._tell("checking every projection against the log", last=True)

    def _tell(self, text: str, *, last: bool = False) -> None:
        now = time.monotonic()
        if last or now >= self._next:
            self._next = now + LINE_SECONDS
            note(self._given, f"{now - self._began:6.1f} s  {text}")


@contextlib.contextmanager
def watcher_for(given: Given) -> Iterator[Watcher]:
    """Bars on a terminal, lines elsewhere, nothing with --quiet."""
    screen = console(stderr=True)
    if not screen.is_terminal or given.quiet:
        yield LinesWatcher(given)
        return
    columns = (
        TextColumn("{task.description:<22}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with Progress(*columns, console=screen) as progress:
        yield BarsWatcher(progress)


def show(given: Given, report: DemoReport) -> None:
    """Print the verdict."""
    answer(given, msgspec.to_builtins(report), lambda: _tables(report))


def _tables(report: DemoReport) -> RenderableType:
    groups = table(
        ("group", "backlog", "pending", "parked"),
        [(name, group.backlog, group.pending, group.parked) for name, group in report.groups.items()],
        right=("backlog", "pending", "parked"),
    )
    odd = table(
        ("policy", "what the row holds", "ended", "approved", "what happened and why"),
        [(row.policy, row.holds, row.outcome or row.state, row.net, row.why) for row in report.odd_rows],
        right=("approved",),
        whole=("policy",),
    )
    events = table(
        ("event", "count"),
        [(name, f"{count:,}") for name, count in report.events_by_type.items()],
        right=("count",),
    )
    invariants = table(
        ("guarantee", "checked", "violations"),
        [
            (name, f"{found['checked']:,}", f"{found['violations']:,}")
            for name, found in report.verify.get("invariants", {}).items()
        ],
        right=("checked", "violations"),
    )
    return Group(events, odd, groups, invariants, _verdict(report))


def _verdict(report: DemoReport) -> Text:
    states = ", ".join(f"{count:,} {state}" for state, count in report.claims_by_status.items())
    outcomes = ", ".join(f"{count:,} {name}" for name, count in report.outcomes.items())
    good = report.ok
    head = "every claim came to rest and every guarantee held" if good else "NOT as it should be: see above"
    text = Text(f"{head}\n", style="bold green" if good else "bold red")
    text.append(
        f"{report.claims:,} claims ({states}; {outcomes}), {report.events:,} events, {report.seconds:.1f} s, "
        f"peak memory {report.peak_megabytes:.0f} MB\n",
        style="not bold default",
    )
    text.append(
        "the people, the bank and their timings are invented; the claims are the auto set's",
        style="not bold dim",
    )
    return text
