"""`halt` and `resume` of a partition: operator commands that leave a line in the operations stream."""

from __future__ import annotations

from typing import Annotated

import typer

from workers.cli.addressing import connected, store_address
from workers.cli.errors import Problem
from workers.cli.given import given_of
from workers.cli.looping import run_async
from workers.cli.output import answer
from workers.cli.parked_commands import operator

Partition = Annotated[int, typer.Argument(min=0, help="Number of the partition, from 0.")]
Reason = Annotated[str, typer.Option(help="Why; it stays in the operations stream.")]
LogName = Annotated[str, typer.Option("--log", help="Name of the log.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("halt")(halt)
    app.command("resume")(resume)


def halt(ctx: typer.Context, partition: Partition, reason: Reason, log: LogName = "claims:events") -> None:
    """Halt a partition: nothing is appended to it or settled until it is resumed."""
    before = _hold(ctx, log, partition, reason, halting=True)
    told = {"log": log, "partition": partition, "halted": reason, "before": before}
    answer(given_of(ctx), told, lambda: f"partition {partition} of {log} is halted: {reason}")


def resume(ctx: typer.Context, partition: Partition, reason: Reason, log: LogName = "claims:events") -> None:
    """Let a halted partition go on, after its cause was repaired."""
    before = _hold(ctx, log, partition, reason, halting=False)
    told = {"log": log, "partition": partition, "halted": None, "before": before}
    what = f"goes on; it was halted: {before}" if before else "was not halted"
    answer(given_of(ctx), told, lambda: f"partition {partition} of {log} {what}")


def _hold(ctx: typer.Context, log: str, partition: int, reason: str, *, halting: bool) -> str:
    """Halt or resume; why it was halted before."""
    if not reason.strip():
        raise Problem("--reason is empty: say why, it stays in the operations stream")
    settings = given_of(ctx).settings()
    address = store_address(settings)
    who = operator()

    async def call() -> str:
        from runtime.store import functions
        from runtime.store.keys import Keyspace
        from runtime.store.reads import Reads
        from workers.bootstrap import log_specs
        from workers.cli.survey import groups_of, stored_specs

        async with connected(settings, address) as client:
            reads = Reads(client)
            logs = {spec.name: spec for spec in await stored_specs(reads, log_specs(settings))}
            if log not in logs:
                raise Problem(f"there is no log {log!r} in the store; there are: {', '.join(logs) or 'none'}")
            if partition >= logs[log].partitions:
                raise Problem(f"{log} has {logs[log].partitions} partitions, numbered from 0: not {partition}")
            keys = Keyspace(logs[log])
            names = [keys.state(partition), keys.operations(partition)]
            names += [keys.position(group, partition) for group, _, timed in await groups_of(reads, keys) if not timed]
            args = [who, reason, ""] if halting else [who, "", reason]
            reply = await functions.call(client, functions.HALT, names, args)
            return str(reply[1].decode())

    return run_async(call())
