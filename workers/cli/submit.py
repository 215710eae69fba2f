"""`submit FILE`: first notices of loss from the auto set (CSV) or JSON lines, thousands a second, idempotent."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workers.cli.errors import EXIT_USAGE, Problem
from workers.cli.given import given_of
from workers.cli.looping import run_async
from workers.cli.opening import opened_application
from workers.cli.output import answer, console, table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from workers.adapters.auto_row import AutoRow
    from workers.adapters.submission_files import Filed, SubmissionFile
    from workers.cli.given import Given
    from workers.importing import Imported, Importer
    from workers.submissions import BadLine, Submission

MOST_BAD_LINES = 1_000
"""Bad lines that are told one by one; of more only the number."""


class _Result:
    """What became of the file so far."""

    def __init__(self) -> None:
        self.lines = 0
        self.added = 0
        self.known = 0
        self.bad = 0
        self.told: list[dict[str, Any]] = []
        self.began = time.monotonic()

    def refuse(self, line: int, reason: str) -> None:
        """A line that did not go in."""
        self.bad += 1
        if len(self.told) < MOST_BAD_LINES:
            self.told.append({"line": line, "reason": reason})

    def note(self, batch: Sequence[Filed | BadLine], imported: Imported) -> None:
        """What became of some lines: those that cannot be used, and those that went in or were refused."""
        filed, bad = _sorted(batch)
        for line in bad:
            self.refuse(line.line, line.reason)
        for place, reason in zip(imported.refused_at, imported.refused, strict=True):
            self.refuse(filed[place].line, reason)
        self.lines += len(batch)
        self.added += imported.added
        self.known += imported.known

    def data(self, path: str) -> dict[str, Any]:
        """The summary for programs."""
        seconds = time.monotonic() - self.began
        return {
            "file": path,
            "lines": self.lines,
            "added": self.added,
            "known": self.known,
            "bad": self.bad,
            "bad_lines": self.told,
            "seconds": round(seconds, 3),
            "per_second": round(self.lines / max(seconds, 1e-6)),
        }


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("submit")(submit)


def submit(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(help="CSV of the auto set, or JSON lines.")],
) -> None:
    """Submit every claim of a file. The same file again adds nothing; bad lines are told, the others go in."""
    given = given_of(ctx)
    result = run_async(_submitted(given, Path(file)))
    told = result.data(file)
    answer(given, told, lambda: _summary(told))
    if result.bad:
        raise typer.Exit(EXIT_USAGE)


async def _submitted(given: Given, path: Path) -> _Result:
    from workers.adapters.auto_portfolio import NotAutoClaims
    from workers.adapters.submission_files import NotSubmissions, opened

    try:
        async with opened_application(given) as app:
            from workers.importing import Importer

            with opened(path) as lines, _progress(given, lines, str(path)) as shown:
                return await _imported(Importer(app), lines, shown)
    except (NotSubmissions, NotAutoClaims) as problem:
        raise Problem(f"{path}: {problem}") from problem
    except OSError as problem:
        if problem.filename is None or str(problem.filename) != str(path):
            raise
        raise Problem(f"{path}: {problem.strerror}; give a file of submissions") from problem


async def _imported(importer: Importer, lines: SubmissionFile, shown: Callable[[_Result], None]) -> _Result:
    from workers.import_ahead import import_ahead
    from workers.importing import batches

    result = _Result()

    def note(batch: Sequence[Filed | BadLine], imported: Imported) -> None:
        result.note(batch, imported)
        shown(result)

    await import_ahead(importer, batches(lines), _parts, note)
    return result


def _parts(batch: Sequence[Filed | BadLine]) -> tuple[list[AutoRow], list[Submission]]:
    """What is to be registered, and what is submitted, of the usable lines."""
    filed, _ = _sorted(batch)
    return [line.record for line in filed if line.record is not None], [line.submission for line in filed]


def _sorted(batch: Sequence[Filed | BadLine]) -> tuple[list[Filed], list[BadLine]]:
    """The usable lines, and the others."""
    from workers.adapters.submission_files import Filed

    filed: list[Filed] = []
    bad: list[BadLine] = []
    for line in batch:
        if isinstance(line, Filed):
            filed.append(line)
        else:
            bad.append(line)
    return filed, bad


@contextlib.contextmanager
def _progress(given: Given, lines: SubmissionFile, title: str) -> Iterator[Callable[[_Result], None]]:
    """A bar with the rate and the time left, on a terminal only."""
    screen = console(stderr=True)
    if not screen.is_terminal or given.quiet:
        yield lambda result: None
        return
    from rich import progress

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.TaskProgressColumn(),
        progress.TextColumn("{task.fields[claims]:,} claims, {task.fields[rate]:,}/s"),
        progress.TimeRemainingColumn(compact=True),
    )
    with progress.Progress(*columns, console=screen, transient=True) as bar:
        task = bar.add_task(title, total=lines.size or None, claims=0, rate=0)

        def show(result: _Result) -> None:
            seconds = max(time.monotonic() - result.began, 1e-6)
            bar.update(task, completed=lines.read, claims=result.lines, rate=round(result.lines / seconds))

        yield show


def _summary(told: dict[str, Any]) -> Any:
    from rich.console import Group

    head = (
        f"{told['file']}: {told['added']:,} added, {told['known']:,} known before, {told['bad']:,} refused, "
        f"in {told['seconds']:.1f} s ({told['per_second']:,}/s)"
    )
    if not told["bad"]:
        return head
    rows = [(bad["line"], bad["reason"]) for bad in told["bad_lines"]]
    more = told["bad"] - len(rows)
    parts: list[Any] = [head, table(("line", "reason"), rows, right=("line",))]
    return Group(*parts, *([f"and {more:,} more"] if more else []))
