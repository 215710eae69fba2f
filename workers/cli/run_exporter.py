"""`exporter`: one process that only samples how far every group is behind, for whoever scales workers from zero."""

from __future__ import annotations

from typing import Annotated

import typer

from workers.cli.given import given_of
from workers.cli.looping import run_async


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("exporter")(exporter)


def exporter(
    ctx: typer.Context,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Port of the status page; 0: any that is free.")
    ] = None,
) -> None:
    """Tell the backlog of every group on /metrics until SIGTERM. Runs no actor, takes no lease, writes nothing."""
    from workers.cli.run_exporter_process import run_exporter_process

    raise typer.Exit(run_async(run_exporter_process(given_of(ctx), port)))
