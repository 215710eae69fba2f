"""`trim`: what is older than a time goes from the logs, as far as every reader and the archive have it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from workers.cli.addressing import connected, store_address
from workers.cli.bars import bar
from workers.cli.errors import Problem
from workers.cli.given import given_of
from workers.cli.looping import run_async
from workers.cli.output import answer, table
from workers.cli.parked_commands import operator

if TYPE_CHECKING:
    from rich.console import RenderableType

    from workers.cli.bars import Bar
    from workers.cli.given import Given


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("trim")(trim)


def trim(
    ctx: typer.Context,
    before: Annotated[str, typer.Option(metavar="TIME", help="Entries that the store took before it go. Needed.")] = "",
    reason: Annotated[str, typer.Option(help="Why; it stays in the operations stream.")] = "asked by an operator",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would go, and who stands in the way.")
    ] = False,
    without_archive: Annotated[
        bool, typer.Option("--without-archive", help="Also where nothing is archived: it is then gone for good.")
    ] = False,
) -> None:
    """Trim the logs: never past a reader or the archive; says which of them stands in the way of more."""
    given = given_of(ctx)
    wanted = _wanted(before)
    who = operator()
    with bar(given, "trimmed") as shown:
        rows = run_async(_trim(given, wanted, who, reason, shown, dry_run=dry_run, bare=without_archive))
    told = {"before": before, "dryRun": dry_run, "removed": sum(row["removed"] for row in rows), "partitions": rows}
    answer(given, told, lambda: _page(told))


def _wanted(before: str) -> str:
    from datetime import datetime

    from workers.claim_reading import moment_of

    if not before:
        raise Problem("say from when on entries stay: --before TIME, a day (2025-01-20) or an ISO 8601 time")
    try:
        moment: datetime = (
            moment_of(before) if len(before) > len("2025-01-20") else datetime.fromisoformat(f"{before}T00:00Z")
        )
    except ValueError as problem:
        raise Problem(f"--before {before}: give a day (2025-01-20) or an ISO 8601 time") from problem
    return f"{max(int(moment.timestamp() * 1000), 0)}-0"


async def _trim(
    given: Given, wanted: str, who: str, why: str, shown: Bar, *, dry_run: bool, bare: bool
) -> list[dict[str, Any]]:
    from runtime.store.keys import Keyspace
    from runtime.store.reads import Reads
    from runtime.store.retention import NotArchived, Retention
    from workers.archivists import ARCHIVISTS
    from workers.bootstrap import log_specs
    from workers.cli.survey import stored_specs

    settings = given.settings()
    rows: list[dict[str, Any]] = []
    async with connected(settings, store_address(settings, user="retention")) as client:
        reads = Reads(client)
        for spec in await stored_specs(reads, [one for one in log_specs(settings) if one.name in ARCHIVISTS]):
            keys = Keyspace(spec)
            for partition in range(spec.partitions):
                retention = Retention(client, reads, keys, partition, "" if bare else ARCHIVISTS[spec.name])
                length = int(await reads.one("XLEN", keys.log(partition)))
                try:
                    limit = await retention.limit(wanted)
                    before = await _below(reads, keys.log(partition), limit.upto)
                    shown.more(before)
                    removed = before
                    if not dry_run and before:
                        done = await retention.trim(wanted, who=who, why=why, progress=shown.at)
                        limit, removed = done.limit, done.removed
                except NotArchived as problem:
                    raise Problem(f"{problem}; set archive.directory, or say --without-archive") from problem
                rows.append(
                    {
                        "log": keys.log(partition),
                        "entries": length,
                        "removed": removed,
                        "limit": limit.upto,
                        "wanted": wanted,
                        "heldBack": limit.held_back(wanted),
                        "slowest": limit.slowest,
                        "slowestAt": limit.position,
                    }
                )
    return rows


async def _below(reads: Any, log: str, upto: str) -> int:
    """How many entries lie below an id; reads them, a page at a time."""
    count = 0
    if upto == "0-0":
        return count
    start = "-"
    while True:
        rows = await reads.one("XRANGE", log, start, f"({upto}", "COUNT", 1000)
        count += len(rows)
        if len(rows) < 1000:
            return count
        start = f"({rows[-1][0].decode()}"


def _page(told: dict[str, Any]) -> RenderableType:
    from rich.console import Group

    rows = [
        (row["log"], row["entries"], row["removed"], f"{row['slowest'] or 'nobody'} at {row['slowestAt'] or '-'}")
        for row in told["partitions"]
    ]
    columns = ("log", "entries", "would go" if told["dryRun"] else "removed", "slowest reader")
    held = [
        f"{row['log']}: {row['slowest']} stands at {row['slowestAt']}: nothing from there on is removed"
        for row in told["partitions"]
        if row["heldBack"]
    ]
    if not rows:
        return "no log is there yet"
    return Group(table(columns, rows, right=columns[1:3], whole=("log",)), *held)
