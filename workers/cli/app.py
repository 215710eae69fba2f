"""The root of the command line: its global options, its commands, and how it ends.

A group of commands is a module with `add_to(app)`. Adding one is a line in `_GROUPS`.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from workers.cli import (
    adjusters_command,
    archive_commands,
    backup_command,
    bank_command,
    bench_command,
    claim,
    connection_commands,
    customer,
    dashboard_command,
    demo,
    doctor_command,
    errors,
    halt_commands,
    lab,
    monitor_command,
    parked_commands,
    payee,
    policy,
    prepare_command,
    reconciliation_command,
    replay_command,
    run_command,
    run_exporter,
    sql_command,
    status_commands,
    store_users_command,
    submit,
    trim_command,
    vault_command,
    verify_command,
    work_command,
)
from workers.cli.given import GLOBAL_OPTIONS, Given, hoisted
from workers.cli.output import buffered_output

if TYPE_CHECKING:
    from collections.abc import Sequence

_ABOUT = "Insurance claims as supervised actors on Redis Streams."
_GLOBALS = f"Global options may stand anywhere: {', '.join(sorted(GLOBAL_OPTIONS))}."

app = typer.Typer(
    name="claimstream",
    help=_ABOUT,
    epilog=_GLOBALS,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

_GROUPS = (
    demo.add_to,
    run_command.add_to,
    run_exporter.add_to,
    vault_command.add_to,
    prepare_command.add_to,
    status_commands.add_to,
    monitor_command.add_to,
    dashboard_command.add_to,
    parked_commands.add_to,
    replay_command.add_to,
    trim_command.add_to,
    archive_commands.add_to,
    halt_commands.add_to,
    doctor_command.add_to,
    connection_commands.add_to,
    claim.add_to,
    submit.add_to,
    lab.add_to,
    verify_command.add_to,
    adjusters_command.add_to,
    work_command.add_to,
    customer.add_to,
    payee.add_to,
    policy.add_to,
    bank_command.add_to,
    reconciliation_command.add_to,
    store_users_command.add_to,
    backup_command.add_to,
    bench_command.add_to,
    sql_command.add_to,
)
"""Each adds its commands."""

for _add_to in _GROUPS:
    _add_to(app)


@app.callback()
def root(
    ctx: typer.Context,
    redis_url: Annotated[
        str | None, typer.Option(help="The store: redis://, rediss:// or unix://; else settings decide.")
    ] = None,
    data_dir: Annotated[str | None, typer.Option(help="Data directory of the store that comes along.")] = None,
    profile: Annotated[str | None, typer.Option(help="local, test or production.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print data as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say only what was asked for.")] = False,
) -> None:
    """Insurance claims as supervised actors on Redis Streams."""
    ctx.obj = Given(redis_url=redis_url, data_dir=data_dir, profile=profile, json=json, quiet=quiet)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and give its exit code. Expected errors are one line on stderr."""
    buffered_output()
    words = hoisted(sys.argv[1:] if arguments is None else arguments)
    try:
        ended = typer.main.get_command(app)(words, prog_name="claimstream", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read our output has seen enough
        _forget_output()
        return 0
    except KeyboardInterrupt:
        return 130
    except Exception as problem:
        told = errors.told(problem)
        if told is None:
            raise
        errors.tell(told, as_json="--json" in words)
        return told.exit_code
    return ended if isinstance(ended, int) else 0


def _forget_output() -> None:
    """Python flushes stdout once more when it ends: let that go nowhere instead of failing."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
