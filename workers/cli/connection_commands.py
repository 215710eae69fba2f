"""`ping` and `version`: does the store answer, and which program is this."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer  # noqa: TC002  # typer reads the annotations of a command when the program runs

from workers.cli.addressing import connected, place, store_address
from workers.cli.errors import EXIT_FAILED
from workers.cli.given import Given, given_of
from workers.cli.looping import run_async
from workers.cli.output import answer

if TYPE_CHECKING:
    from runtime.store.address import StoreAddress


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("ping")(ping)
    app.command("version")(version)


def ping(ctx: typer.Context) -> None:
    """Say whether the store answers (exit 1 when not)."""
    given = given_of(ctx)
    settings = given.settings()
    address = store_address(settings, exit_code=EXIT_FAILED)

    async def ask() -> tuple[str, str]:
        from runtime.store.checks import server_identity
        from runtime.store.facts import look

        async with connected(settings, address, exit_code=EXIT_FAILED, connections=1) as client:
            facts = await look(client)
            return server_identity(facts.info) if facts.info is not None else ("unknown", "")

    name, release = run_async(ask())
    _say_connected(given, address, name, release)


def _say_connected(given: Given, address: StoreAddress, name: str, release: str) -> None:
    told = {"connected": True, "address": place(address), "server": name, "version": release}
    answer(given, told, lambda: f"Connected to Redis at {place(address)} ({name} {release})")


def version(ctx: typer.Context) -> None:
    """Print the version of this program."""
    import platform

    from workers.version import VERSION

    told = {"version": VERSION, "python": platform.python_version()}
    answer(given_of(ctx), told, lambda: f"claimstream {VERSION}")
