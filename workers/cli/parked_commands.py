"""`parked list | show | retry | drop`: what could not be handled, over all logs and groups."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from workers.cli.addressing import connected, store_address
from workers.cli.errors import Problem
from workers.cli.given import Given, given_of
from workers.cli.looping import run_async
from workers.cli.output import answer, printable, table

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from rich.console import RenderableType

    from workers.cli.parked_letters import Letter, Letters

T = TypeVar("T")

Ident = Annotated[str, typer.Argument(help="Id as `parked list` shows it.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="Entries that could not be handled: look, retry, give up.")
    group.command("list")(listed)
    group.command("show")(show)
    group.command("retry")(retry)
    group.command("drop")(drop)
    app.add_typer(group, name="parked")


def listed(ctx: typer.Context) -> None:
    """List what is parked, with the reason."""
    given = given_of(ctx)
    found = _with_letters(given, lambda letters: letters.all())
    answer(given, {"parked": found, "count": len(found)}, lambda: _list(found))


def show(ctx: typer.Context, ident: Ident) -> None:
    """Show one parked entry: where it comes from, why it is here, its fields as they were."""
    given = given_of(ctx)
    one = _with_letters(given, lambda letters: letters.one(ident))
    answer(given, one, lambda: _page(one))


def retry(
    ctx: typer.Context,
    ident: Annotated[str | None, typer.Argument(help="Id as `parked list` shows it.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything that is parked.")] = False,
    reason: Annotated[str, typer.Option(help="Why; it stays in the operations stream.")] = "asked by an operator",
) -> None:
    """Have the actor try again what is parked of a claim, in order."""
    if (ident is None) == (not everything):
        raise Problem("say which: `claimstream parked retry ID`, or --all for everything")
    given = given_of(ctx)
    who = operator()

    async def ask(letters: Letters) -> int:
        chosen = await letters.all() if ident is None else [await letters.one(ident)]
        return await letters.retry(chosen, who=who, why=reason)

    asked = _with_letters(given, ask)
    text = f"asked for another try of {asked} claim{'' if asked == 1 else 's'}; the actor takes them in order"
    answer(given, {"asked": asked}, lambda: text if asked else "nothing is parked")


def drop(
    ctx: typer.Context,
    ident: Ident,
    reason: Annotated[str, typer.Option(help="Why; it stays in the operations stream.")],
) -> None:
    """Give one parked entry up for good."""
    if not reason.strip():
        raise Problem("--reason is empty: say why, it stays in the operations stream")
    given = given_of(ctx)
    who = operator()

    async def give_up(letters: Letters) -> Letter:
        one = await letters.one(ident)
        await letters.drop(one, who=who, why=reason)
        return one

    gone = _with_letters(given, give_up)
    answer(given, {"dropped": gone.id, "reason": reason, "who": who}, lambda: f"dropped {gone.id}")


def operator() -> str:
    """Who does this: the user of the operating system."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without a user database
        import os

        return f"uid {os.getuid()}"


def _with_letters(given: Given, work: Callable[[Letters], Awaitable[T]]) -> T:
    settings = given.settings()
    address = store_address(settings)

    async def go() -> T:
        from workers.bootstrap import log_specs
        from workers.cli.parked_letters import open_letters

        async with connected(settings, address) as client:
            return await work(await open_letters(client, log_specs(settings)))

    return run_async(go())


def _list(found: list[Letter]) -> RenderableType:
    """A line for each, and its reason below."""
    if not found:
        return "nothing is parked"
    lines: list[str] = []
    for one in found:
        tries = "held behind another" if one.held else f"{one.attempts} tries"
        words = (one.parked_id, one.group, _claim(one), one.event_type or "no type", tries, f"from {one.origin_id}")
        lines += [printable("  ".join(words)), f"    {printable(one.reason)}"]
    return "\n".join(lines)


def _claim(one: Letter) -> str:
    """The claim that is held back; an entry that nobody could read stands for itself."""
    return "no claim" if one.entity.startswith("entry:") else one.entity or "no claim"


def _page(one: Letter) -> RenderableType:
    from rich.console import Group

    about = [
        ("id", one.id),
        ("log, group", f"{one.log}, {one.group} (partition {one.partition})"),
        ("claim", _claim(one)),
        ("event", one.event_type or "unknown"),
        ("reason", one.reason),
        ("attempts", str(one.attempts)),
        ("first failed", one.first_failed),
        ("last failed", one.last_failed),
        ("origin", one.origin_id),
        ("held", "yes: an earlier entry of the same claim is parked" if one.held else "no"),
    ]
    return Group(table(("what", "value"), about), "the entry as it was:", table(("field", "value"), one.fields.items()))
