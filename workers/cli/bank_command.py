"""`bank`: the stub bank as a process over HTTP. It pays nobody; it keeps books and misbehaves when it is told to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer  # typer reads the annotations of a command when the program runs

from workers.cli.errors import Problem
from workers.cli.given import given_of
from workers.cli.looping import run_async
from workers.cli.output import note, print_json

if TYPE_CHECKING:
    from pathlib import Path

    from workers.cli.given import Given


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("bank")(bank)


def bank(
    ctx: typer.Context,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port; 0: any that is free.")] = 8600,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    file: Annotated[str | None, typer.Option(help="SQLite file of its books; in memory without one.")] = None,
) -> None:
    """Run the stub bank until SIGTERM or Ctrl-C. CLAIMSTREAM_BANK__TOKEN is what clients must show."""
    from pathlib import Path

    given = given_of(ctx)
    token = given.settings().bank.token
    secret = token.reveal() if token is not None else None
    run_async(_serve(given, host, port, Path(file) if file is not None else None, secret))


async def _serve(given: Given, host: str, port: int, file: Path | None, token: str | None) -> None:
    import asyncio
    import signal
    import sqlite3

    from workers.stub_bank.server import serving_bank

    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    try:
        async with serving_bank(host=host, port=port, file=file, token=token) as (url, _):
            if given.json:
                print_json({"url": url})
            note(given, f"stub bank at {url}; run the cluster with CLAIMSTREAM_BANK__URL={url}\nCtrl-C stops it")
            await ended.wait()
    except OSError as problem:
        why = problem.strerror or str(problem)
        raise Problem(f"cannot listen on {host} port {port}: {why}; choose another --port") from None
    except sqlite3.Error as problem:
        raise Problem(f"cannot use {file} as the books of the bank: {problem}") from None
