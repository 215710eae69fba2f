"""`archive status | accept | put-back`: what is archived, and what to do after the store was rolled back."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from workers.cli.errors import EXIT_FAILED, Problem
from workers.cli.given import given_of
from workers.cli.looping import run_async
from workers.cli.output import answer, table
from workers.cli.parked_commands import operator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from runtime.archive import ArchiveReader
    from runtime.archive.witness import Testimony
    from runtime.store.opening import OpenStore
    from workers.cli.given import Given

Reason = Annotated[str, typer.Option(help="Why; it stays in the operations stream and in the archive. Needed.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        no_args_is_help=True, help="The archive of the logs: the copy of every entry outside the store."
    )
    group.command("status")(status)
    group.command("accept")(accept)
    group.command("put-back")(put_back_entries)
    app.add_typer(group, name="archive")


def status(ctx: typer.Context) -> None:
    """Show how far each log is archived, and compare with the log (exit 1: they do not fit together)."""
    given = given_of(ctx)
    rows = run_async(_status(given))
    columns = ("log", "entries", "last", "state")
    answer(
        given,
        {"archive": rows},
        lambda: table(columns, [[row[name] for name in columns] for row in rows], whole=("log",)),
    )
    if any(row["verdict"] != "agrees" for row in rows):
        raise typer.Exit(EXIT_FAILED)


async def _status(given: Given) -> list[dict[str, Any]]:
    async with _drawers(given) as (store, drawers):
        rows = []
        for one in drawers:
            said = await one.testimony(store)
            rows.append(
                {
                    "log": one.name(store),
                    "entries": said.tail.count,
                    "last": said.tail.last or "-",
                    "head": said.tail.head.hex(),
                    "verdict": str(said.verdict),
                    "state": said.why or "ok",
                    "directory": str(one.reader.directory),
                }
            )
        return rows


def accept(ctx: typer.Context, reason: Reason = "") -> None:
    """After a rollback: put aside what the log has no more, and let the halted partitions go on."""
    if not reason.strip():
        raise Problem("--reason is empty: say why, it stays in the operations stream")
    given = given_of(ctx)
    rows = run_async(_accept(given, operator(), reason))
    lines = [
        f"{row['log']}: {row['entries']:,} entries put aside in {row['aside']}; `claimstream archive put-back"
        f" {row['aside']}` puts them back"
        if row["aside"]
        else f"{row['log']}: nothing was put aside"
        for row in rows
    ]
    answer(given, {"accepted": rows}, lambda: "\n".join(lines) or "archive and logs fit together: nothing to accept")


async def _accept(given: Given, who: str, why: str) -> list[dict[str, Any]]:
    import anyio.to_thread

    from domain.audit_chain import link
    from runtime.archive import accepting
    from runtime.archive.faults import ArchiveStuck
    from runtime.archive.witness import Verdict
    from runtime.clock import SystemClock
    from runtime.store import functions
    from runtime.store.reads import Reads
    from workers.cli.survey import groups_of

    rows: list[dict[str, Any]] = []
    async with _drawers(given) as (store, drawers):
        for one in drawers:
            said = await one.testimony(store)
            if said.verdict is Verdict.AGREES:
                continue
            keys = store.logs[one.log].keys

            def put_aside(one: _Drawer = one, said: Testimony = said) -> accepting.PutAside:
                return accepting.accept(
                    one.archive,
                    one.reader,
                    said,
                    log=one.log,
                    partition=one.partition,
                    incarnation=store.logs[one.log].incarnation(one.partition),
                    link=link,
                    options=given.settings().archive,
                    now=SystemClock().now(),
                    note=f"{who}: {why}",
                )

            try:
                aside = await anyio.to_thread.run_sync(put_aside)
            except ArchiveStuck as problem:
                raise Problem(str(problem)) from problem
            names = [keys.state(one.partition), keys.operations(one.partition)]
            groups = await groups_of(Reads(store.commands), keys)
            names += [keys.position(group, one.partition) for group, _, timed in groups if not timed]
            note = f"{why} ({said.why}; {aside.entries} entries put aside in {aside.directory})"
            await functions.call(store.commands, functions.HALT, names, [who, "", note])
            rows.append({"log": one.name(store), "entries": aside.entries, "aside": aside.directory, "why": said.why})
    return rows


def put_back_entries(
    ctx: typer.Context,
    directory: Annotated[str, typer.Argument(help="What `archive accept` put aside.")],
) -> None:
    """Put entries back that were put aside: by append, in order, each once; what moved on meanwhile is named."""
    given = given_of(ctx)
    aside = Path(directory)
    if not aside.is_dir():
        raise Problem(f"{directory} is not there: give the directory that `claimstream archive accept` named")
    told = run_async(_put_back(given, aside))
    text = (
        f"{told['appended']:,} facts put back, {told['known']:,} were there, {len(told['refused']):,} do not fit any"
        f" more, {told['requests']:,} requests are left to their senders"
    )
    answer(given, told, lambda: "\n".join([text, *told["refused"][:20]]))
    if told["refused"]:
        raise typer.Exit(EXIT_FAILED)


async def _put_back(given: Given, directory: Path) -> dict[str, Any]:
    import msgspec

    from workers.cli.opening import opened_application
    from workers.putting_back import put_back

    async with opened_application(given) as app:
        told: dict[str, Any] = msgspec.to_builtins(await put_back(app, directory))
        return told


class _Drawer(NamedTuple):
    log: str
    partition: int
    archive: Path
    reader: ArchiveReader

    def name(self, store: OpenStore) -> str:
        return store.logs[self.log].keys.log(self.partition)

    async def testimony(self, store: OpenStore) -> Testimony:
        from runtime.archive.witness import testify

        return await testify(store.reads, store.logs[self.log].keys, self.partition, self.reader)


@asynccontextmanager
async def _drawers(given: Given) -> AsyncIterator[tuple[OpenStore, list[_Drawer]]]:
    """The store, and the archive of each partition of the logs that are archived."""
    from workers.archivists import KINDS
    from workers.cli.verify_command import opened_store

    async with opened_store(given) as opened:
        directory = opened.archives.directory
        if directory is None:
            raise Problem("there is no archive for this store: set archive.directory, or name --data-dir")
        found: list[_Drawer] = []
        for kind in KINDS:
            if kind.log not in opened.store.logs:
                continue
            for partition in range(opened.store.logs[kind.log].keys.spec.partitions):
                reader = opened.archives.of(kind.log, partition)
                assert reader is not None
                found.append(_Drawer(kind.log, partition, directory, reader))
        yield opened.store, found
