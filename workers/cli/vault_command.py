"""`vault`: the key vault of a deployment, made once before the first process starts."""

from __future__ import annotations

import os

import typer

from workers.cli.errors import Problem
from workers.cli.given import given_of
from workers.cli.output import answer


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="The key vault: the keys of what is sealed.")
    group.callback()(_group)
    group.command("prepare")(prepare)
    app.add_typer(group, name="vault")


def _group() -> None:
    """The key vault: the keys of what is sealed."""


def prepare(ctx: typer.Context) -> None:
    """Make the key vault, once: an empty one beside a log that has sealed entries could open none of them."""
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
