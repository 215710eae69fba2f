"""`bench`: how many events a second this machine settles, in a few seconds and on a store of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from workers.cli.given import given_of
from workers.cli.looping import run_async
from workers.cli.output import answer, console, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from workers.self_measure import Measured


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("bench")(bench)


def bench(
    ctx: typer.Context,
    events: Annotated[int, typer.Option(min=1_000, max=10_000_000, help="How many events.")] = 100_000,
) -> None:
    """Append and settle invented events on a private store that is gone afterwards; nothing else is touched."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from workers.self_measure import measure

    given = given_of(ctx)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(stderr=True), transient=True, disable=given.quiet) as shown:
        tasks = {what: shown.add_task(what, total=events) for what in ("appended", "settled")}
        found = run_async(measure(events, lambda what, done, _of: shown.update(tasks[what], completed=done)))
    answer(given, found, lambda: _page(found))


def _page(found: Measured) -> RenderableType:
    rows = [
        ("events", f"{found.events:,}"),
        ("appended", f"{found.appended_per_second:,.0f}/s"),
        ("settled", f"{found.settled_per_second:,.0f}/s"),
        ("processor time of the worker", f"{found.cpu_us_per_event} us/event"),
        ("cores, shared with the store", str(found.cores)),
        ("store", found.server),
    ]
    return table(("what", "figure"), rows, right=("figure",))
