"""`prepare`: what has to be in the store before the first process of a deployment starts; may be repeated."""

from __future__ import annotations

import typer  # noqa: TC002  # typer reads the annotations of a command when the program runs

from workers.cli.given import given_of
from workers.cli.looping import run_async
from workers.cli.output import answer


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("prepare")(prepare)


def prepare(ctx: typer.Context) -> None:
    """Check the store, load the functions, make the logs and their groups: the user `deploy` may, actors may not."""
    from workers.cli.addressing import place, store_address

    given = given_of(ctx)
    settings = given.settings()
    external = settings.store.mode == "external"
    address = settings.store.address("deploy") if external else store_address(settings)

    async def make() -> dict[str, int]:
        from runtime.store.opening import open_store
        from workers.bootstrap import groups_of, log_specs
        from workers.cli.run_store import examine_store

        await examine_store(settings, address)
        opened = await open_store(address, log_specs(settings), groups_of(settings), options=settings.store.options)
        await opened.close()
        return {name: log.keys.spec.partitions for name, log in opened.logs.items()}

    logs = run_async(make())
    shown = ", ".join(f"{name} ({count})" for name, count in logs.items())
    told = {"address": place(address), "logs": logs}
    answer(given, told, lambda: f"store at {place(address)} is ready; logs and their partitions: {shown}")
