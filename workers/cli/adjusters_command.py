"""`adjusters`: who may handle which claims, and how much everybody carries now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer  # noqa: TC002  # typer reads the annotations of a command when the program runs

from workers.cli.addressing import connected, store_address
from workers.cli.given import given_of
from workers.cli.looping import run_async
from workers.cli.output import answer, table

if TYPE_CHECKING:
    from rich.table import Table

    from domain.roster import Roster
    from workers.cli.given import Given


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("adjusters")(adjusters)


def adjusters(ctx: typer.Context) -> None:
    """Show the adjusters of the roster: licences, skill, role, load and capacity, absences."""
    from workers.bootstrap import staff_of

    given = given_of(ctx)
    staff = staff_of(given.settings())
    loaded = run_async(_loaded(given, staff.roster))
    rows = [_row(one, staff.roles) for one in loaded.adjusters]
    told = {"roster": str(staff.path), "version": staff.roster.version, "adjusters": rows}
    answer(given, told, lambda: _table(rows))


async def _loaded(given: Given, roster: Roster) -> Roster:
    """The roster with the loads of every partition; without any when there is no claim log yet."""
    from runtime.store.keys import Keyspace
    from runtime.store.reads import Reads
    from workers.adapters.records import LoadedRoster
    from workers.cli.survey import stored_specs
    from workers.keys import ClaimKeys, claim_log

    settings = given.settings()
    async with connected(settings, store_address(settings)) as client:
        reads = Reads(client)
        specs = await stored_specs(reads, [claim_log(settings.log.partitions)])
        if not specs:
            return roster
        keyspace = Keyspace(specs[0])
        parts = [ClaimKeys(keyspace, number) for number in range(specs[0].partitions)]
        return await LoadedRoster(roster, reads, parts).snapshot()


def _row(one: object, roles: dict[str, str]) -> dict[str, object]:
    import msgspec

    from domain.roster import Adjuster

    assert isinstance(one, Adjuster)
    told = msgspec.to_builtins(one) | {"load": one.load, "active": one.active, "role": roles[one.adjuster_id]}
    told["jurisdictions"], told["lines"] = sorted(one.jurisdictions), sorted(one.lines)
    return {key: told[key] for key in sorted(told)}


def _table(rows: list[dict[str, object]]) -> Table:
    shown = [
        (
            row["adjusterId"],
            row["role"],
            row["skill"],
            " ".join(map(str, _list(row["jurisdictions"]))),
            " ".join(map(str, _list(row["lines"]))),
            row["load"],
            row["capacity"],
            _away(row),
        )
        for row in rows
    ]
    return table(
        ("adjuster", "role", "skill", "licensed in", "lines", "load", "capacity", "away"),
        shown,
        right=("load", "capacity"),
    )


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _away(row: dict[str, object]) -> str:
    """Why somebody may not be given claims for a while."""
    if not row["active"]:
        return "inactive"
    spans = [f"{gone['first']} to {gone['last']}" for gone in _list(row.get("absences")) if isinstance(gone, dict)]
    if row.get("licensedUntil"):
        spans.append(f"licence until {row['licensedUntil']}")
    return ", ".join(spans)
