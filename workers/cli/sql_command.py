"""`sql`: a SELECT over the claims and their events, from a SQLite file that follows the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from workers.cli.bars import bar
from workers.cli.errors import Problem
from workers.cli.given import given_of
from workers.cli.looping import run_async
from workers.cli.opening import opened_reader
from workers.cli.output import answer, note, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from workers.cli.bars import Bar
    from workers.cli.given import Given
    from workers.sql_archive import Rows, SqlArchive

FILE = "claims_service.sqlite"


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("sql")(sql)


def sql(
    ctx: typer.Context,
    query: Annotated[str, typer.Argument(help="A SELECT over claims_service.claims and claims_service.events.")],
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="Rows that are shown.")] = 1_000,
    seconds: Annotated[float, typer.Option(min=0.1, max=3_600, help="How long the question may take.")] = 30.0,
) -> None:
    """Ask in SQL. What is new in the log is taken in first; what is personal stays sealed; nothing can be changed."""
    from workers.sql_archive import Refused

    given = given_of(ctx)
    with bar(given, "taken in") as shown:
        archive = run_async(_followed(given, shown))
    try:
        found = archive.ask(query, limit=limit, seconds=seconds)
    except Refused as problem:
        raise Problem(f"{problem}; there are claims_service.claims and claims_service.events") from problem
    answer(given, _data(found), lambda: _page(found))
    if found.more:
        note(given, f"only the first {limit:,} rows; --limit shows more")


async def _followed(given: Given, shown: Bar) -> SqlArchive:
    """The file, up to the end of the log."""
    import sqlite3

    from workers.bootstrap import beside_data
    from workers.sql_archive import SqlArchive

    path = beside_data(given.settings(), FILE)
    archive = SqlArchive(path)
    async with opened_reader(given) as reader:
        try:
            await reader.told_to(archive, shown.at)
        except sqlite3.Error as problem:
            raise Problem(f"{path}: {problem}; it can be removed, the next question builds it again") from problem
    return archive


def _data(found: Rows) -> dict[str, Any]:
    return {"columns": found.columns, "rows": found.rows, "more": found.more}


def _page(found: Rows) -> RenderableType:
    return table(found.columns, [[str(cell) for cell in row] for row in found.rows])
