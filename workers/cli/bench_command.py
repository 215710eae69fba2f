"""`bench`: how many events a second this machine settles, in a few seconds and on a store of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from workers.cli.given import given_of
from workers.cli.looping import run_async
from workers.cli.output import answer, console, table

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType

    from workers.self_measure import Measured, Told


class Found(msgspec.Struct, frozen=True):
    """What came out of both measurements: facts appended and settled, and claims submitted over one connection."""

    events: int
    appended_per_second: float
    settled_per_second: float
    cpu_us_per_event: float
    submissions: int
    submitted_per_second: float
    cores: int
    server: str


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("bench")(bench)


def bench(
    ctx: typer.Context,
    events: Annotated[int, typer.Option(min=1_000, max=10_000_000, help="How many events.")] = 100_000,
    claims: Annotated[int, typer.Option(min=100, max=1_000_000, help="How many claims to submit.")] = 2_000,
) -> None:
    """Settle invented events and submit claims on private stores that are gone afterwards; nothing else is touched."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    given = given_of(ctx)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(stderr=True), transient=True, disable=given.quiet) as shown:
        totals = {"appended": events, "settled": events, "submitted": claims}
        tasks = {what: shown.add_task(what, total=total) for what, total in totals.items()}
        found = run_async(_measured(events, claims, lambda what, done, _of: shown.update(tasks[what], completed=done)))
    answer(given, found, lambda: _page(found))


async def _measured(events: int, claims: int, told: Told) -> Found:
    from workers.self_measure import measure

    measured: Measured = await measure(events, told)
    submitted = await _submitted(claims, lambda done: told("submitted", done, claims))
    return Found(**msgspec.structs.asdict(measured), submissions=claims, submitted_per_second=round(submitted))


async def _submitted(claims: int, told: Callable[[int], None]) -> float:
    """Claims per second over one connection to a store of its own, keys in a vault of its own."""
    from tempfile import TemporaryDirectory

    from config.loading import load
    from runtime.embedded.server import running_server
    from runtime.store.address import StoreAddress
    from workers.bootstrap import open_application
    from workers.self_submit import submitted_per_second

    with TemporaryDirectory(prefix="claimstream-bench-") as home:
        chosen = {"embedded.data_dir": f"{home}/store", "store.options.clients.max_connections": 1}
        settings = load("local", environment={}, overrides=chosen)
        async with running_server() as server:
            app = await open_application(settings, StoreAddress.parse(server.url))
            try:
                return await submitted_per_second(app, claims, told)
            finally:
                await app.close()


def _page(found: Found) -> RenderableType:
    rows = [
        ("events", f"{found.events:,}"),
        ("appended", f"{found.appended_per_second:,.0f}/s"),
        ("settled", f"{found.settled_per_second:,.0f}/s"),
        ("processor time of the worker", f"{found.cpu_us_per_event} us/event"),
        (f"claims submitted over one connection ({found.submissions:,})", f"{found.submitted_per_second:,.0f}/s"),
        ("cores, shared with the store", str(found.cores)),
        ("store", found.server),
    ]
    return table(("what", "figure"), rows, right=("figure",))
