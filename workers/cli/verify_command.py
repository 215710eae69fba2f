"""`verify`, `rebuild --check`, `audit verify`: what the log says, against everything that was made of it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workers.cli.addressing import greet, place, store_address
from workers.cli.bars import bar
from workers.cli.errors import EXIT_FAILED, Problem
from workers.cli.given import given_of
from workers.cli.looping import run_async
from workers.cli.output import answer, table

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from rich.console import RenderableType

    from runtime.store.opening import OpenStore
    from workers.archivists import Archives
    from workers.cli.bars import Bar
    from workers.cli.given import Given
    from workers.verifying import Progress, Report

REBUILT = (
    "snapshot", "head", "history", "timers", "analytics", "summaries", "work_lists", "loads", "losses", "handlers",
    "floors",
)  # fmt: skip
"""The invariants about what can be rebuilt from the log."""

AUDITED = ("audit_chain", "checkpoints", "archive", "entries", "sequence", "history", "snapshot")
"""The invariants that an entry breaks which was changed, taken out or put in."""


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("verify")(verify_all)
    app.command("rebuild")(rebuild)
    group = typer.Typer(no_args_is_help=True, help="The hash chain over the log.")
    group.command("verify")(audit_verify)
    group.command("export")(audit_export)
    app.add_typer(group, name="audit")


def verify_all(ctx: typer.Context) -> None:
    """Rebuild every projection from the log and compare field by field (exit 1: something differs)."""
    _verdict(given_of(ctx), ())


def rebuild(
    ctx: typer.Context,
    check: Annotated[bool, typer.Option("--check", help="Rebuild in memory and compare.")] = False,
) -> None:
    """Rebuild snapshots and views from the log and compare them with the store's (exit 1: they differ)."""
    if not check:
        raise Problem("say --check: rebuilding into new keys is not there yet, comparing is")
    _verdict(given_of(ctx), REBUILT)


def audit_verify(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(help="An exported log; else the log of the store.")] = "",
) -> None:
    """Check the hash chain, of a file without any cluster (exit 1: the first wrong thing is named)."""
    given = given_of(ctx)
    if not file:
        _verdict(given, AUDITED)
        return
    from workers.verifying.offline import verify_file

    try:
        found = verify_file(Path(file))
    except OSError as problem:
        raise Problem(f"{file}: {problem.strerror}; give a file of `claimstream audit export`") from problem
    heads = ", ".join(f"{partition}: {head[:16]}..." for partition, head in found.heads.items())
    ok = f"ok: {found.entries:,} entries, {found.checkpoints} checkpoints, heads {heads}"
    answer(given, found, lambda: ok if found.ok else f"not ok: {found.first_bad}")
    if not found.ok:
        raise typer.Exit(EXIT_FAILED)


def audit_export(ctx: typer.Context, file: Annotated[str, typer.Argument(help="Where to write.")]) -> None:
    """Write the log with its chain to a file that `audit verify FILE` checks without a cluster."""
    given = given_of(ctx)

    async def write() -> Any:
        from workers.verifying.export import export_log

        async with opened_store(given) as opened:
            return await export_log(opened, Path(file), opened.archives)

    try:
        found = run_async(write())
    except OSError as problem:
        if problem.filename is None:
            raise
        raise Problem(f"{problem.filename}: {problem.strerror}") from problem
    answer(given, found, lambda: f"wrote {found.entries:,} entries and {found.checkpoints} checkpoints")


def _verdict(given: Given, names: Sequence[str]) -> None:
    """Verify, show the named invariants (all when none is named), exit 1 when one of them is broken."""
    report = run_async(_verified(given))
    shown = {name: found for name, found in report.invariants.items() if not names or name in names}
    differences = sum(found.violations for found in shown.values())
    data = {
        "ok": not differences,
        "differences": differences,
        "moving": report.moving,
        "entries": report.entries,
        "claims": report.claims,
        "seconds": report.seconds,
        "invariants": shown,
    }
    answer(given, data, lambda: _page(data, report))
    if differences:
        raise typer.Exit(EXIT_FAILED)


async def _verified(given: Given) -> Report:
    from runtime import collector
    from workers.verifying import verify

    async with opened_store(given) as opened:
        collector.calm()  # a page is thousands of objects that die together: a tenth of the time went into looking
        with bar(given, "verifying") as shown:
            return await verify(opened, progress=_shower(shown), archives=opened.archives)


def _shower(shown: Bar) -> Callable[[Progress], None]:
    """Moves a bar as the verification comes on; how many entries there are is known from the first page on."""
    total = 0

    def show(progress: Progress) -> None:
        nonlocal total
        if not total:
            total = progress.total
            shown.more(total)
        shown.at(progress.done)

    return show


def _page(data: dict[str, Any], report: Report) -> RenderableType:
    from rich.console import Group

    rows = [(name, f"{one.checked:,}", f"{one.violations:,}") for name, one in data["invariants"].items()]
    first = [f"{name}: {text}" for name, one in data["invariants"].items() for text in one.first]
    size = f"{report.entries:,} entries of {report.claims:,} claims in {report.seconds:.1f} s"
    if data["ok"]:
        verdict = f"ok: 0 differences in {size}"
    else:
        verdict = f"not ok: {data['differences']:,} differences in {size}"
    moving = ["the cluster was at work meanwhile: a difference may be none"] if data["moving"] else []
    return Group(
        table(("guarantee", "checked", "violations"), rows, right=("checked", "violations")),
        *first,
        *(moving if not data["ok"] else []),
        verdict,
    )


@dataclass(frozen=True)
class Opened:
    """What a verification needs; without the key vault, because nothing is opened."""

    store: OpenStore
    archives: Archives


@asynccontextmanager
async def opened_store(given: Given, *, user: str = "operator") -> AsyncIterator[Opened]:
    """The store with every log that is in it, cut as it was made; no group is made. `user`: see `store_address`."""
    from runtime.store.clients import open_commands
    from runtime.store.opening import open_store
    from runtime.store.reads import Reads
    from workers.bootstrap import archives_of, log_specs
    from workers.cli.survey import stored_specs

    settings = given.settings()
    address = store_address(settings, user=user)
    await greet(settings, address)
    client = open_commands(address, max_connections=1)
    try:
        specs = await stored_specs(Reads(client), log_specs(settings))
    finally:
        await client.aclose()
    if not specs:
        raise Problem(f"there is no log at {place(address)} yet: `claimstream run` makes it")
    store = await open_store(address, specs, {}, options=settings.store.options)
    try:
        yield Opened(store, archives_of(settings))
    finally:
        await store.close()
