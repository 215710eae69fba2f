"""`dashboard`: what analytics counted: claims per hour, processing times, statuses, amounts. Live on a terminal."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workers.cli.addressing import connected, place, store_address
from workers.cli.errors import Problem
from workers.cli.given import given_of
from workers.cli.looping import run_async
from workers.cli.output import console, print_json, table

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from rich.console import RenderableType

    from config.settings import Settings
    from workers.keys import ClaimKeys


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("dashboard")(dashboard)


def dashboard(
    ctx: typer.Context,
    day: Annotated[str, typer.Option(metavar="DAY", help="The UTC day, such as 2025-01-20; else today.")] = "",
    once: Annotated[bool, typer.Option("--once", help="Show one picture and end.")] = False,
    every: Annotated[float, typer.Option(min=0.2, max=60, help="Seconds between two pictures.")] = 1.0,
) -> None:
    """Show what was counted on a day, and how all claims stand."""
    given = given_of(ctx)
    try:
        wanted = date.fromisoformat(day) if day else None
    except ValueError as problem:
        raise Problem(f"--day {day}: give a day such as 2025-01-20") from problem
    settings = given.settings()
    address = store_address(settings)
    live = sys.stdout.isatty() and not once and not given.json

    async def show() -> None:
        async with connected(settings, address) as client:
            if live:
                await _live(client, settings, place(address), wanted, every)
                return
            seen = await _look(client, settings, wanted)
        if given.json:
            print_json(seen)
        else:
            console().print(_picture(place(address), seen))

    with suppress(KeyboardInterrupt):
        run_async(show())


async def _live(client: Redis, settings: Settings, where: str, day: date | None, every: float) -> None:
    from rich.live import Live

    with Live(console=console(), screen=True, auto_refresh=False) as screen:
        while True:
            screen.update(_picture(where, await _look(client, settings, day)), refresh=True)
            await asyncio.sleep(every)


async def _look(client: Redis, settings: Settings, day: date | None) -> dict[str, Any]:
    """The figures of a day over all partitions; amounts are exact, in minor units."""
    from runtime.store.keys import Keyspace
    from runtime.store.reads import Reads
    from workers.cli.survey import stored_specs
    from workers.keys import CLAIM_LOG, ClaimKeys, claim_log

    reads = Reads(client)
    specs = await stored_specs(reads, [claim_log(settings.log.partitions)])
    if not specs:
        raise Problem(f"there is no log {CLAIM_LOG} yet: `claimstream run` makes it")
    keys = [ClaimKeys(Keyspace(specs[0]), partition) for partition in range(specs[0].partitions)]
    shown = (day or datetime.now(UTC).date()).isoformat()

    async def summed(*view: str) -> dict[str, int]:
        return await _summed(reads, keys, view)

    hours = {hour: await summed("analytics:hourly", shown, str(hour)) for hour in range(24)}
    times = await summed("analytics:processing", shown)
    amounts = await summed("analytics:amounts", shown)
    return {
        "day": shown,
        "events": await summed("analytics:hourly", shown),
        "claims_per_hour": {
            str(hour): counts["claim.submitted"] for hour, counts in hours.items() if "claim.submitted" in counts
        },
        "average_processing_seconds": round(times.get("seconds", 0) / max(times.get("count", 0), 1), 1),
        "processed": times.get("count", 0),
        "claims_by_status": await summed("analytics:status"),
        "amounts_minor": {name: value for name, value in amounts.items() if ":minor:" in name},
    }


async def _summed(reads: Any, keys: list[ClaimKeys], view: tuple[str, ...]) -> dict[str, int]:
    """The whole numbers of a view, added up over the partitions; what is derived from them is left out."""
    total: dict[str, int] = {}
    for row in await reads.many([("HGETALL", one.figures(view)) for one in keys]):
        for name, value in row.items():
            if value.lstrip(b"-").isdigit():
                total[name.decode()] = total.get(name.decode(), 0) + int(value)
    return dict(sorted(total.items()))


def _picture(where: str, seen: dict[str, Any]) -> RenderableType:
    from rich.console import Group

    minutes = seen["average_processing_seconds"] / 60
    head = f"store at {where}, {seen['day']} (UTC): {seen['processed']:,} decided, on average after {minutes:,.1f} min"
    return Group(
        head,
        table(("hour", "claims"), seen["claims_per_hour"].items(), right=("hour", "claims")),
        table(("status", "claims"), seen["claims_by_status"].items(), right=("claims",)),
        table(("event", "count"), seen["events"].items(), right=("count",)),
        table(("amount", "minor units"), seen["amounts_minor"].items(), right=("minor units",)),
    )
