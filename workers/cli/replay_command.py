"""`replay`: a projection is rebuilt beside the live one and swapped for it, while the cluster works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from workers.cli.bars import bar
from workers.cli.errors import Problem
from workers.cli.given import given_of
from workers.cli.looping import run_async
from workers.cli.output import answer
from workers.cli.parked_commands import operator

if TYPE_CHECKING:
    from rich.console import RenderableType

    from runtime.store.opening import OpenStore
    from workers.archivists import Archives
    from workers.cli.bars import Bar
    from workers.cli.given import Given

BEGINNING = ("", "0", "0-0", "-")


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("replay")(replay)


def replay(
    ctx: typer.Context,
    group: Annotated[str, typer.Option(help="The group whose events are replayed. Needed.")] = "",
    first: Annotated[
        str, typer.Option("--from", metavar="TIME|ID", help="From where on; 0: from the beginning.")
    ] = "0",
    last: Annotated[
        str, typer.Option("--to", metavar="TIME|ID", help="Up to where; else up to the group's position.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Build and compare; swap nothing.")] = False,
    reason: Annotated[str, typer.Option(help="Why; it stays in the operations stream.")] = "asked by an operator",
) -> None:
    """Replay the log to a group: rebuild what it made, compare, and swap it. Nothing is sent, no position set back."""
    from workers.replaying import COMPARED, NOT_REPLAYED, PROJECTIONS

    given = given_of(ctx)
    known = [*PROJECTIONS, *COMPARED]
    if group in NOT_REPLAYED:
        raise Problem(f"{group} is not replayed: {NOT_REPLAYED[group]}")
    if group not in known:
        raise Problem(f"say which group: --group, one of {', '.join(known)}" + (f"; not {group!r}" if group else ""))
    part = first not in BEGINNING or last != ""
    if part and group in PROJECTIONS and not dry_run:
        raise Problem(
            f"what {group} made is the fold of all events: --from 0 without --to rebuilds it; a part of them is only"
            " looked at, with --dry-run"
        )
    span = (_entry_id(first, "--from", end=False), _entry_id(last, "--to", end=True))
    with bar(given, f"replaying {group}") as shown:
        told = run_async(_replay(given, group, span, shown, part=part, dry_run=dry_run, who=operator(), why=reason))
    answer(given, told, lambda: _page(told))


def _entry_id(text: str, option: str, *, end: bool) -> str:
    """A time or an id as an id; '' for the beginning (or the end)."""
    import re

    from workers.claim_reading import moment_of

    if text in BEGINNING:
        return ""
    if re.fullmatch(r"\d{1,20}-\d{1,20}", text):
        return text
    try:
        day = len(text) == len("2025-01-20")
        moment = moment_of(f"{text}T00:00Z" if day and not end else text)
    except ValueError as problem:
        raise Problem(f"{option} {text}: give an entry id, a day (2025-01-20) or an ISO 8601 time") from problem
    return f"{int(moment.timestamp() * 1000)}-{2**64 - 1 if end else 0}"


async def _replay(
    given: Given, group: str, span: tuple[str, str], shown: Bar, *, part: bool, dry_run: bool, who: str, why: str
) -> dict[str, Any]:
    from runtime import collector
    from workers.cli.verify_command import opened_store
    from workers.keys import CLAIM_LOG
    from workers.replaying import PROJECTIONS, Replay

    async with opened_store(given, user="rebuild") as opened:
        collector.calm()
        store, archives = opened.store, opened.archives
        if CLAIM_LOG not in store.logs:
            raise Problem(f"there is no log {CLAIM_LOG} yet: `claimstream run` makes it")
        keys = store.logs[CLAIM_LOG].keys
        told: dict[str, Any] = {"group": group, "from": span[0] or "0", "to": span[1] or "position", "dryRun": dry_run}
        if part or group not in PROJECTIONS:
            return told | await _looked_at(store, group, span, archives, shown)
        found = []
        for partition in range(keys.spec.partitions):
            added = (await store.reads.one("XINFO STREAM", keys.log(partition)))["entries-added"]
            shown.more(int(added))
            one = Replay(store, group, partition, archives, shown.at)
            found.append(await one.run(dry_run=dry_run, who=who, why=why))
        differences = [one.differences for one in found]
        return told | {
            "entries": sum(one.entries for one in found),
            "differences": None if None in differences else sum(one or 0 for one in differences),
            "swapped": all(one.swapped for one in found),
            "first": [text for one in found for text in one.first],
            "partitions": found,
        }


async def _looked_at(
    store: OpenStore, group: str, span: tuple[str, str], archives: Archives, shown: Bar
) -> dict[str, Any]:
    """What the events of a span come to, without any effect."""
    from collections import Counter

    from workers.keys import CLAIM_LOG
    from workers.replay_intents import IntentCheck
    from workers.replaying import COMPARED, entries_between

    log = store.logs[CLAIM_LOG]
    kinds: Counter[str] = Counter()
    differences: list[str] = []
    done = 0
    for partition in range(log.keys.spec.partitions):
        check = IntentCheck(store.reads, log, partition) if group in COMPARED else None
        if check is not None:
            await check.begin()
        async for page in entries_between(store.reads, log, partition, archives, *span):
            shown.more(len(page))
            facts = [one for one in page if one.sequence > 0 and not one.fault]
            kinds.update(one.type for one in facts)
            done += len(page)
            if check is not None:
                await check.page(facts)
        if check is not None:
            check.finish()
            differences += check.differences
    told: dict[str, Any] = {"entries": done, "events": dict(sorted(kinds.items())), "swapped": False, "sent": 0}
    if group in COMPARED:
        told |= {"differences": len(differences), "first": differences[:20], "why": COMPARED[group]}
    return told


def _page(told: dict[str, Any]) -> RenderableType:
    from rich.console import Group

    lines = [f"{told['group']}: {told['entries']:,} entries replayed"]
    if "differences" in told:
        count = told["differences"]
        lines.append("not compared: the live group never stood still" if count is None else f"{count:,} differences")
    lines += [f"    {text}" for text in told.get("first", ())]
    if "events" in told:
        lines += [f"    {name}: {count:,}" for name, count in told["events"].items()]
    if "why" in told:
        lines.append(told["why"])
    elif told["swapped"]:
        lines.append("the rebuilt figures have taken the place of the live ones, at the position where both stood")
    else:
        lines.append("nothing was swapped")
    return Group(*lines)
