"""`backup` and `restore`: everything that cannot be made anew, to files and back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workers.cli.bars import bar
from workers.cli.errors import Problem
from workers.cli.given import given_of
from workers.cli.looping import run_async
from workers.cli.output import answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.backup.files import Manifest
    from workers.backup.restoring import Restored
    from workers.cli.given import Given


NEXT = (
    "not finished yet: `claimstream run` builds figures, chains and floors from them; when `claimstream status`"
    " shows no backlog, `claimstream verify` has to find no difference (before that it does)"
)
"""What a person has to do after a restore."""


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(name="backup")(backup)
    app.command(name="restore")(restore)


def backup(
    ctx: typer.Context,
    directory: Annotated[str, typer.Argument(help="A directory that is not there yet, or empty.")],
) -> None:
    """Back up the logs and what no log says, while the cluster works. The key vault is backed up apart."""
    given = given_of(ctx)
    with bar(given, "entries") as shown:
        made = run_async(_backup(given, Path(directory), _growing(shown.more, shown.at)))
    entries = sum(sum(log.entries) for log in made.logs.values())
    size = sum(file.size for file in made.files.values())
    data = {"directory": directory, "made": made.made, "entries": entries, "bytes": size, "files": len(made.files)}
    answer(given, data, lambda: f"{directory}: {entries:,} entries, {size / 1e6:,.1f} MB, each file with its checksum")


def restore(
    ctx: typer.Context,
    directory: Annotated[str, typer.Argument(help="A backup.")],
    until: Annotated[
        str, typer.Option(help="Leave out what came later: ISO 8601 with a zone, 2026-01-31T12:00:00Z.")
    ] = "",
) -> None:
    """Restore a backup into an empty store. The next `claimstream run` builds figures and lists from it."""
    given = given_of(ctx)
    until_ms = _milliseconds(until) if until else None
    with bar(given, "entries") as shown:
        done = run_async(_restore(given, Path(directory), until_ms, _growing(shown.more, shown.at)))
    left = f", {done.left_out:,} left out" if until else ""
    sent = f"; {done.sent:,} messages had left already for what is left out" if done.sent else ""
    text = f"{done.entries:,} entries of {done.logs} logs are restored{left}{sent}\n{NEXT}"
    answer(given, {**done._asdict(), "next": NEXT}, lambda: text)


async def _backup(given: Given, directory: Path, told: Callable[[int, int], None]) -> Manifest:
    from runtime.store.keys import Keyspace
    from runtime.store.reads import Reads
    from workers.backup.files import BackupDamaged
    from workers.backup.taking import Backup
    from workers.bootstrap import archives_of, log_specs
    from workers.cli.addressing import connected, place, store_address
    from workers.cli.survey import stored_specs
    from workers.whole_log import Trimmed

    settings = given.settings()
    address = store_address(settings, user="backup")
    async with connected(settings, address) as client:
        reads = Reads(client)
        info = await reads.one("INFO", "cluster")
        if info.get("cluster_enabled"):
            raise Problem(
                f"{place(address)} is a Redis Cluster: a backup of one moment needs one server; use the archive"
            )
        specs = await stored_specs(reads, log_specs(settings))
        if not specs:
            raise Problem(f"there is no log at {place(address)}: nothing to back up")
        try:
            spaces = [Keyspace(spec) for spec in specs]
            return await Backup(client, reads, spaces, archives_of(settings), told=told).take(directory)
        except (BackupDamaged, Trimmed) as problem:
            raise Problem(str(problem)) from problem
        except OSError as problem:
            raise Problem(f"{problem.filename or directory}: {problem.strerror}") from problem


async def _restore(given: Given, directory: Path, until_ms: int | None, told: Callable[[int, int], None]) -> Restored:
    from runtime.errors import Halted
    from workers.backup.files import BackupDamaged
    from workers.backup.restoring import Restore
    from workers.bootstrap import log_specs
    from workers.cli.addressing import connected, store_address

    settings = given.settings()
    address = store_address(settings, user="restore")
    async with connected(settings, address) as client:
        work = Restore(client, directory, log_specs(settings), until_ms=until_ms, told=told)
        try:
            return await work.run()
        except (BackupDamaged, Halted) as problem:
            raise Problem(str(problem)) from problem


def _growing(more: Callable[[int], None], at: Callable[[int], None]) -> Callable[[int, int], None]:
    """A bar whose total may grow: entries come from an archive as well."""
    known = 0

    def told(done: int, total: int) -> None:
        nonlocal known
        if not known:
            known = total
            more(total)
        at(done)

    return told


def _milliseconds(text: str) -> int:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as problem:
        raise Problem(f"--until {text!r} is no time: give ISO 8601 with a zone, 2026-01-31T12:00:00Z") from problem
    if at.tzinfo is None:
        raise Problem(f"--until {text!r} names no zone: say 2026-01-31T12:00:00Z for UTC")
    return int(at.astimezone(UTC).timestamp() * 1000)
