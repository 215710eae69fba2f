"""`run`: one process of the cluster, or a parent that runs several and answers for them on one port."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Annotated

import typer

from workers.cli.errors import Problem
from workers.cli.given import Given, given_of
from workers.cli.looping import run_async
from workers.cli.status_port import see_that_it_is_free

DEFAULT_REDIS_PORT = 6379
"""Where redis-cli and Redis Insight look for a server."""


@dataclass(frozen=True)
class RunOrder:
    """What `run` was asked to do. Ports: None leaves them to the settings."""

    actors: tuple[str, ...]
    processes: int
    port: int | None
    redis_port: int | None
    log_level: str | None


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run")(run)


def run(
    ctx: typer.Context,
    actors: Annotated[
        list[str] | None,
        typer.Argument(help="Actors to run; all of them when none is named.", show_default=False),
    ] = None,
    processes: Annotated[int, typer.Option(min=1, max=256, help="Worker processes.")] = 1,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Port of the status page; 0: any that is free.")
    ] = None,
    redis_port: Annotated[
        int | None,
        typer.Option(min=1, max=65_535, help="First port to try for the store that comes along [6379]."),
    ] = None,
    log_level: Annotated[
        str | None, typer.Option(help="DEBUG, INFO, WARNING or ERROR [INFO; WARNING on a terminal].")
    ] = None,
) -> None:
    """Run actors until SIGTERM or Ctrl-C, then drain. Starts a store when none is configured."""
    given = given_of(ctx)
    bank = bool(actors) and given.settings().bank.url is not None
    archive = bool(actors) and _archives(given)
    names = _known(actors or [], bank=bank, archive=archive)
    order = RunOrder(names, processes, port, redis_port, _level(given, log_level))
    raise typer.Exit(run_async(_run(given, order)))


async def _run(given: Given, order: RunOrder) -> int:
    from runtime.fleet import take_parent_link

    link = take_parent_link()
    if link is None:
        see_that_it_is_free(given, order.port)
    if order.processes > 1 and link is None:
        from workers.cli.run_parent import run_parent

        return await run_parent(given, order)
    from workers.cli.run_process import run_process

    return await run_process(given, order, link)


def _archives(given: Given) -> bool:
    from workers.bootstrap import archive_directory

    return archive_directory(given.settings()) is not None


def _known(actors: list[str], *, bank: bool, archive: bool) -> tuple[str, ...]:
    """The names of actors. `Problem`: there is no such actor, or what it needs is not configured."""
    from workers.routing import routes

    names = [route.actor for route in routes(simulation=False, bank=bank, archive=archive)]
    for actor in actors:
        if actor not in names:
            if actor == "payments":
                raise Problem("payments needs a bank: set bank.url, or CLAIMSTREAM_BANK__URL")
            if actor.endswith("archivist"):
                raise Problem(f"{actor} needs a directory: set archive.directory, or CLAIMSTREAM_ARCHIVE__DIRECTORY")
            close = difflib.get_close_matches(actor, names, n=1, cutoff=0.5)
            hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(names)}"
            raise Problem(f"there is no actor {actor!r}: {hint}")
    return tuple(dict.fromkeys(actors))


def _level(given: Given, level: str | None) -> str | None:
    levels = ("DEBUG", "INFO", "WARNING", "ERROR")
    if level is not None and level.upper() not in levels:
        raise Problem(f"there is no log level {level!r}: choose one of {', '.join(levels)}")
    return level.upper() if level else "WARNING" if given.quiet else None
