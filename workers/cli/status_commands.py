"""`status`, `groups` and `partitions`: who serves what, and how far it is behind; straight from the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer  # typer reads the annotations of a command when the program runs

from workers.cli import retire_command
from workers.cli.addressing import connected, place, store_address
from workers.cli.given import Given, given_of
from workers.cli.looping import run_async
from workers.cli.output import answer, table

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from workers.cli.views import ClusterView, GroupView, SeatView


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("status")(status)
    group = typer.Typer(help="The consumer groups: how far they are behind; and ending one that nobody serves.")
    group.callback(invoke_without_command=True)(groups)
    retire_command.add_to(group)
    app.add_typer(group, name="groups")
    app.command("partitions")(partitions)


def status(ctx: typer.Context) -> None:
    """Show actors, owners, backlog, positions, parked entries and processes."""
    import msgspec

    from workers.cli.views import by_group

    given = given_of(ctx)
    where, seen = surveyed(given)
    joined = by_group(seen.seats)
    told = {"address": where, **msgspec.to_builtins(seen), "groups": joined}
    answer(given, told, lambda: overview(where, seen, joined))


def groups(ctx: typer.Context) -> None:
    """Show the consumer groups: computed backlog, pending, parked, settled; `retire` ends one."""
    if ctx.invoked_subcommand:
        return
    from workers.cli.views import by_group

    given = given_of(ctx)
    _, seen = surveyed(given)
    joined = by_group(tuple(seat for seat in seen.seats if not seat.timed))
    answer(given, {"groups": joined}, lambda: group_table(joined))


def partitions(ctx: typer.Context) -> None:
    """Show every partition of every group: owner, position, backlog, what it waits for."""
    given = given_of(ctx)
    _, seen = surveyed(given)
    answer(given, {"partitions": seen.seats}, lambda: seat_table(seen.seats))


def surveyed(given: Given) -> tuple[str, ClusterView]:
    """Where the store is, and what is in it."""
    settings = given.settings()
    address = store_address(settings)

    async def look() -> ClusterView:
        from workers.bootstrap import log_specs
        from workers.cli.survey import survey

        async with connected(settings, address) as client:
            return await survey(client, settings, log_specs(settings))

    return place(address), run_async(look())


def overview(where: str, seen: ClusterView, joined: list[GroupView]) -> RenderableType:
    """The whole page for people."""
    from rich.console import Group

    store = seen.store
    head = (
        f"store {store.server} {store.version} ({store.role}) at {where}, "
        f"{store.used_memory / 2**20:.1f} MiB, {store.clients} connections"
    )
    if not seen.logs:
        return f"{head}\nno log is there yet: `claimstream run` makes it"
    parts: list[RenderableType] = [head, log_table(seen), group_table(joined)]
    parts.append(process_table(seen) if seen.processes else "no process runs: start one with `claimstream run`")
    return Group(*parts)


def log_table(seen: ClusterView) -> Table:
    """The logs."""
    rows = [
        (log.name, log.partitions, log.entries, f"{log.bytes / 1024:.0f} KiB", _halted(log.halted)) for log in seen.logs
    ]
    columns = ("log", "partitions", "entries", "memory", "state")
    return table(columns, rows, right=("partitions", "entries", "memory"), whole=("log",))


def group_table(joined: list[GroupView]) -> Table:
    """The groups, a row each; their state only when it is bad somewhere."""
    columns = ["actor", "group", "served", "backlog", "pending", "oldest", "parked", "position"]
    rows = [_group_row(group) for group in joined]
    if any(group.state != "ok" for group in joined):
        columns.append("state")
        rows = [(*row, group.state) for row, group in zip(rows, joined, strict=True)]
    numbers = ("served", "backlog", "pending", "oldest", "parked")
    return table(columns, rows, right=numbers, whole=("actor", "group", "position"))


def _group_row(group: GroupView) -> tuple[object, ...]:
    served = f"{group.served}/{group.partitions}"
    if group.timed:
        return (group.actor, group.group, served, "", "", "", "", "")
    oldest = age(group.oldest_seconds) if group.backlog else ""
    return (
        *(group.actor, group.group, served),
        *(group.backlog, group.pending, oldest, group.parked, group.position),
    )


def seat_table(seats: tuple[SeatView, ...]) -> Table:
    """Every partition of every group, a row each."""
    rows = [
        (
            f"{seat.log}/{seat.group}/{seat.partition}",
            seat.owner_name or "nobody",
            *(("", "", "") if seat.timed else (seat.backlog, seat.pending, seat.parked)),
            seat.position,
            f"{seat.state}: {seat.why}" if seat.why else seat.state,
        )
        for seat in seats
    ]
    columns = ("log/group/partition", "owner", "backlog", "pending", "parked", "position", "state")
    numbers = ("backlog", "pending", "parked")
    return table(columns, rows, right=numbers, whole=("log/group/partition", "position"))


def process_table(seen: ClusterView) -> Table:
    """The processes, a row each."""
    held: dict[str, int] = {}
    for seat in seen.seats:
        held[seat.owner] = held.get(seat.owner, 0) + 1
    rows = [
        (
            process.name,
            process.incarnation,
            process.version,
            process.started,
            held.get(process.incarnation, 0),
            process.state if process.state == "alive" else f"idle for {age(process.silent_seconds)}",
        )
        for process in seen.processes
    ]
    return table(("process", "incarnation", "version", "started", "seats", "state"), rows, right=("seats",))


def age(seconds: float) -> str:
    """A span for people: 3 s, 4 min, 2 h, 5 d."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _halted(halted: dict[str, str]) -> str:
    return "; ".join(f"partition {partition} halted: {why}" for partition, why in halted.items()) or "ok"
