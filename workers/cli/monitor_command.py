"""`monitor`: a live view of the cluster and of its log; on a terminal until Ctrl-C, else once."""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workers.cli.addressing import connected, place, store_address
from workers.cli.given import Given, given_of
from workers.cli.looping import run_async
from workers.cli.output import console, print_json, table
from workers.cli.status_commands import group_table, process_table

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from rich.console import RenderableType

    from config.settings import Settings
    from runtime.store.address import StoreAddress
    from workers.cli.recent import Recent
    from workers.cli.views import ClusterView


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("monitor")(monitor)


def monitor(
    ctx: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="Show one picture and end.")] = False,
    every: Annotated[float, typer.Option(min=0.2, max=60, help="Seconds between two pictures.")] = 1.0,
    events: Annotated[int, typer.Option(min=0, max=50, help="Recent events to show.")] = 8,
) -> None:
    """Watch groups, processes and the newest events."""
    given = given_of(ctx)
    settings = given.settings()
    address = store_address(settings)
    live = sys.stdout.isatty() and not once and not given.json
    with suppress(KeyboardInterrupt):
        run_async(_watch(given, settings, address, every, events, live=live))


async def _watch(
    given: Given, settings: Settings, address: StoreAddress, every: float, events: int, *, live: bool
) -> None:
    async with connected(settings, address) as client:
        if not live:
            seen, recent = await _look(client, settings, events)
            if given.json:
                print_json(_told(address, seen, recent))
            else:
                console().print(_picture(address, seen, recent, None))
            return
        await _live(client, settings, address, every, events)


async def _live(client: Redis, settings: Settings, address: StoreAddress, every: float, events: int) -> None:
    from rich.live import Live

    before: tuple[float, int] | None = None
    with Live(console=console(), screen=True, auto_refresh=False) as screen:
        while True:
            seen, recent = await _look(client, settings, events)
            now, settled = time.monotonic(), sum(seat.settled for seat in seen.seats)
            rate = (settled - before[1]) / (now - before[0]) if before else None
            before = (now, settled)
            screen.update(_picture(address, seen, recent, rate), refresh=True)
            await asyncio.sleep(every)


async def _look(client: Redis, settings: Settings, events: int) -> tuple[ClusterView, list[Recent]]:
    from workers.bootstrap import log_specs
    from workers.cli.recent import recent_events
    from workers.cli.survey import survey

    specs = log_specs(settings)
    return await survey(client, settings, specs), await recent_events(client, specs, events)


def _told(address: StoreAddress, seen: ClusterView, recent: list[Recent]) -> dict[str, Any]:
    import msgspec

    return {"address": place(address), **msgspec.to_builtins(seen), "recent": recent}


def _picture(address: StoreAddress, seen: ClusterView, recent: list[Recent], rate: float | None) -> RenderableType:
    from rich.console import Group

    from workers.cli.views import by_group

    backlog = sum(seat.backlog for seat in seen.seats)
    speed = "" if rate is None else f", {rate:,.0f} settled/s"
    head = f"store at {place(address)}, {len(seen.processes)} processes, backlog {backlog}{speed}"
    rows = [(one.at, one.type, one.entity, one.sequence, one.actor) for one in recent]
    return Group(
        head,
        group_table(by_group(seen.seats)),
        process_table(seen),
        table(("time", "event", "claim", "seq", "by"), rows, right=("seq",)),
    )
