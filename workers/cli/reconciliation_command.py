"""`reconciliation list`, `resolve`: what the bank says and what we know that do not fit together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
import typer  # typer reads the annotations of a command when the program runs

from workers.cli.addressing import connected, store_address
from workers.cli.errors import Problem
from workers.cli.given import given_of
from workers.cli.issuing import needed, refused
from workers.cli.looping import run_async
from workers.cli.opening import checked_claim_id, opened_application
from workers.cli.output import answer, table
from workers.cli.people import SOMEBODY, As, person

if TYPE_CHECKING:
    from rich.console import RenderableType

    from domain.bodies.base import Actor
    from workers.cli.given import Given
    from workers.reconciliation import Listed
    from workers.resolutions import Resolution


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    sub = typer.Typer(no_args_is_help=True, help="What the bank says and what we know that do not fit together.")
    sub.command("list")(list_items)
    sub.command("resolve")(resolve)
    app.add_typer(sub, name="reconciliation")


def list_items(
    ctx: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Also what was resolved, by whom and why.")] = False,
) -> None:
    """Show every open item: repeated, unmatched and refused messages of the bank, and payouts in doubt."""
    given = given_of(ctx)
    items, resolved = run_async(_listed(given))
    shown = [one for one in items if everything or identity(one) not in resolved]
    told = [msgspec.to_builtins(one) | {"resolved": msgspec.to_builtins(resolved.get(identity(one)))} for one in shown]
    answer(given, {"items": told}, lambda: _page(shown, resolved, everything=everything))


def resolve(
    ctx: typer.Context,
    ident: Annotated[str, typer.Argument(metavar="ITEM", help="Its id, as the list shows it.")],
    reason: Annotated[str, typer.Option(help="What was found, and done. Needed.")] = "",
    claim: Annotated[
        str, typer.Option(metavar="CLAIM", help="The claim that it belongs to, when the item names none of ours.")
    ] = "",
    who: As = SOMEBODY,
) -> None:
    """Say that somebody looked at an item, and what they found: a fact on its claim, once.

    Nothing is paid or booked by it: that is done with `claim payment`, `claim reverse` and `claim retry`.
    """
    given = given_of(ctx)
    said = needed(reason, "to resolve an item needs a reason")
    actor = person(given, who)
    items, resolved = run_async(_listed(given))
    found = [one for one in items if one.id == ident]
    if not found:
        raise Problem(f"there is no item {ident[:60]!r}: `claimstream reconciliation list` shows those that there are")
    if len(found) > 1:
        raise Problem(
            f"{len(found)} items have the id {ident}, in different partitions: they cannot be told apart here"
        )
    (one,) = found
    if (done := resolved.get(identity(one))) is not None:
        raise Problem(f"item {ident} was resolved by {done.by} at {done.at}, on {done.claim_id}")
    if claim and one.item.claim_id and claim != one.item.claim_id:
        raise Problem(f"item {ident} is about {one.item.claim_id}, not {claim[:60]}: leave --claim out")
    on = one.item.claim_id or claim
    if not on:
        raise Problem(f"item {ident} names no claim of ours: say where it belongs, --claim CLM-...")
    run_async(_resolved(given, one, checked_claim_id(on), said, actor))


async def _resolved(given: Given, one: Listed, claim_id: str, reason: str, actor: Actor) -> None:
    from domain.outcome import Refused
    from workers.commanding import Commander
    from workers.resolutions import override

    command, name = override(one, reason)
    async with opened_application(given) as app:
        outcome = await Commander(app).issue(claim_id, command, actor, command_id=name)
    if isinstance(outcome, Refused) and outcome.code == "NOT_FOUND" and one.item.claim_id:
        raise Problem(f"{claim_id} is no claim of ours: the bank made it up; there is no claim to resolve {one.id} on")
    if isinstance(outcome, Refused):
        raise refused(claim_id, outcome)
    told = {"item": one.id, "claimId": claim_id, "resolved": True}
    answer(given, told, lambda: f"{one.id} is resolved, on {claim_id}: {reason}")


async def _listed(given: Given) -> tuple[list[Listed], dict[str, Resolution]]:
    """Every item of every partition, and what was found about those that somebody looked at."""
    from runtime.store.keys import Keyspace
    from runtime.store.reads import Reads
    from workers.bootstrap import archives_of
    from workers.claim_reading import ClaimReader
    from workers.cli.survey import stored_specs
    from workers.keys import ClaimKeys, claim_log
    from workers.reconciliation import listed
    from workers.resolutions import resolutions

    settings = given.settings()
    async with connected(settings, store_address(settings)) as client:
        reads = Reads(client)
        specs = await stored_specs(reads, [claim_log(settings.log.partitions)])
        if not specs:
            return [], {}
        keyspace = Keyspace(specs[0])
        items = await listed(reads, [ClaimKeys(keyspace, number) for number in range(specs[0].partitions)])
        reader = ClaimReader(reads, keyspace, archives_of(settings))
        return items, await resolutions(reads, keyspace, reader, items)


def _page(items: list[Listed], resolved: dict[str, Resolution], *, everything: bool) -> RenderableType:
    if not items:
        more = "" if everything or not resolved else f" ({len(resolved)} resolved: --all shows them)"
        return f"the reconciliation list is empty{more}"
    rows = [
        (
            one.id,
            one.item.kind,
            one.item.payment_id,
            one.item.says or "our order",
            f"{_amount(one)}",
            one.item.reason
            if (done := resolved.get(identity(one))) is None
            else f"resolved by {done.by} on {done.claim_id}",
        )
        for one in items
    ]
    return table(("id", "kind", "payment", "the bank says", "amount", "why"), rows, right=("amount",), whole=("id",))


def _why(one: Listed, done: Resolution | None) -> str:
    return one.item.reason if done is None else f"resolved by {done.by} on {done.claim_id}"


def _amount(one: Listed) -> str:
    from domain.money import Money, UnknownCurrency

    if one.item.amount is None:
        return ""
    try:
        return str(Money(one.item.amount, one.item.currency))
    except UnknownCurrency:
        return f"{one.item.amount} {one.item.currency}"


def identity(one: Listed) -> str:
    """What names an item in every partition."""
    from workers.resolutions import identity as named

    return named(one)
