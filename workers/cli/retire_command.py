"""`groups retire`: ends a group that is no longer served, so that it does not hold retention for ever."""

from __future__ import annotations

from typing import Annotated

import typer

from workers.cli.addressing import connected, store_address
from workers.cli.errors import Problem
from workers.cli.given import Given, given_of
from workers.cli.looping import run_async
from workers.cli.output import answer
from workers.cli.parked_commands import operator


def add_to(group: typer.Typer) -> None:
    """Add the command to the group of commands about groups."""
    group.command("retire")(retire)


def retire(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="The group, as `claimstream groups` shows it.")],
    reason: Annotated[str, typer.Option(help="Why; it stays in the operations stream. Needed.")] = "",
    log: Annotated[str, typer.Option(help="Name of the log.")] = "claims:events",
) -> None:
    """End a group for good: refused while a process serves it, or entries of it are parked."""
    if not reason.strip():
        raise Problem("--reason is empty: say why, it stays in the operations stream")
    given = given_of(ctx)
    stood = run_async(_retire(given, name, log, operator(), reason))
    text = f"group {name} of {log} is retired; it stood at {', '.join(stood)}"
    answer(given, {"group": name, "log": log, "stoodAt": stood, "reason": reason}, lambda: text)


async def _retire(given: Given, name: str, log: str, who: str, why: str) -> list[str]:
    from runtime.store.keys import Keyspace
    from runtime.store.reads import Reads
    from runtime.store.retention import Refused, Retention
    from workers.bootstrap import log_specs
    from workers.cli.survey import groups_of, stored_specs

    settings = given.settings()
    async with connected(settings, store_address(settings)) as client:
        reads = Reads(client)
        specs = {spec.name: spec for spec in await stored_specs(reads, log_specs(settings))}
        if log not in specs:
            raise Problem(f"there is no log {log!r} in the store; there are: {', '.join(specs) or 'none'}")
        keys = Keyspace(specs[log])
        known = [group for group, _, timed in await groups_of(reads, keys) if not timed]
        if name not in known:
            raise Problem(f"there is no group {name!r} on {log}; there are: {', '.join(known) or 'none'}")
        partitions = range(keys.spec.partitions)
        for partition in partitions:  # all of them or none: a lease anywhere means that somebody serves it
            if owner := await reads.one("GET", keys.lease(name, partition)):
                raise Problem(
                    f"group {name} of {log} is served by process {owner.decode()}: stop its actor there first, then"
                    " retire it"
                )
        try:
            return [await Retention(client, reads, keys, one).retire(name, who=who, why=why) for one in partitions]
        except Refused as problem:
            raise Problem(str(problem)) from problem
