"""`prepare`: what has to be there before the first process of a deployment starts; each step may be repeated."""

from __future__ import annotations

import typer

from workers.cli.addressing import place, store_address
from workers.cli.errors import Problem
from workers.cli.given import given_of
from workers.cli.looping import run_async
from workers.cli.output import answer


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    prepare = typer.Typer(help="Make ready what a deployment stands on.", no_args_is_help=True)
    prepare.command("store")(store)
    prepare.command("vault")(vault)
    app.add_typer(prepare, name="prepare")


def store(ctx: typer.Context) -> None:
    """Check the store, load the functions, make the logs and their groups. For a user who may do that."""
    given = given_of(ctx)
    settings = given.settings()
    address = store_address(settings)

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
    answer(given, told, lambda: f"store at {place(address)} is ready; logs and partitions: {shown}")


def vault(ctx: typer.Context) -> None:
    """Make the key vault, once: an empty one beside a log that has sealed entries could open none of them."""
    import os

    import msgspec

    from workers.adapters.key_vault import SqliteKeyVault
    from workers.adapters.master_key import ENVIRONMENT
    from workers.bootstrap import vault_options

    given = given_of(ctx)
    options = vault_options(given.settings())
    if not options.create and not options.master_key_file.exists() and not os.environ.get(ENVIRONMENT):
        raise Problem(
            f"no master key: {options.master_key_file} does not exist and {ENVIRONMENT} is not set; give one (32 "
            "random bytes in base64), and keep it: without it nothing that is sealed can be read"
        )
    fresh = not options.path.exists()
    options.path.parent.mkdir(parents=True, exist_ok=True)
    with SqliteKeyVault(msgspec.structs.replace(options, create=True), environment=os.environ):
        pass
    told = {"vault": str(options.path), "made": fresh}
    answer(given, told, lambda: f"{options.path} {'was made' if fresh else 'was there already, and opens'}")
