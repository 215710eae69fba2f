"""`doctor`: everything that can be wrong around a cluster, what was seen, and what to do. Changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from workers.cli.addressing import connected, place, store_address
from workers.cli.errors import EXIT_FAILED
from workers.cli.given import given_of
from workers.cli.looping import run_async
from workers.cli.output import answer, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from runtime.store.checks import Finding


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(ctx: typer.Context) -> None:
    """Look at store, log, leases, functions and key vault; exit 1 when something fails."""
    given = given_of(ctx)
    settings = given.settings()
    address = store_address(settings)

    async def look() -> list[Finding]:
        from workers.cli.diagnosis import diagnose

        async with connected(settings, address, allow_replica=True) as client:
            return await diagnose(client, settings, address)

    findings = run_async(look())
    failed = [finding for finding in findings if finding.level == "fail"]
    told = {"address": place(address), "ok": not failed, "findings": findings}
    answer(given, told, lambda: _page(place(address), findings))
    if failed:
        raise typer.Exit(EXIT_FAILED)


def _page(where: str, findings: list[Finding]) -> RenderableType:
    from rich.console import Group

    rows = [(finding.level, finding.name, finding.seen, finding.advice) for finding in findings]
    counts = {level: sum(finding.level == level for finding in findings) for level in ("fail", "warn")}
    verdict = ", ".join(f"{count} {level}" for level, count in counts.items() if count) or "all is well"
    return Group(f"store at {where}: {verdict}", table(("", "what", "seen", "what to do"), rows))
