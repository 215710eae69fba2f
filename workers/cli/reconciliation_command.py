"""`reconciliation list`, `resolve`: what the bank says and what we know that do not fit together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

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
    from domain.bodies.deciding import FoundOut
    from workers.cli.given import Given
    from workers.reconciliation import Listed
    from workers.resolutions import Resolution

Outcome = Literal["sent", "not_sent"]


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
    sent: Annotated[bool, typer.Option("--sent", help="Of a payment in doubt: its money left.")] = False,
    not_sent: Annotated[
        bool, typer.Option("--not-sent", help="Of a payment in doubt: it did not leave; it is sent under its old key.")
    ] = False,
    reference: Annotated[str, typer.Option(metavar="REF", help="With --sent: the bank's reference.")] = "",
    who: As = SOMEBODY,
) -> None:
    """Say that somebody looked at an item, and what they found: a fact on its claim, once.

    A payment in doubt needs --sent or --not-sent, and goes on from there. Nothing else is paid or booked by it: that is
    done with `claim payment`, `claim reverse` and `claim retry`.
    """
    given = given_of(ctx)
    said = needed(reason, "to resolve an item needs a reason")
    if sent and not_sent:
        raise Problem("--sent and --not-sent: it can only be one of them")
    if reference and not sent:
        raise Problem("--reference is the bank's for money that left: it needs --sent")
    outcome: Outcome | None = "sent" if sent else "not_sent" if not_sent else None
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
    found_out = _finding(one, items, resolved, outcome, reference)
    run_async(_resolved(given, one, checked_claim_id(on), said, actor, found_out))


def _finding(
    one: Listed, items: list[Listed], resolved: dict[str, Resolution], outcome: Outcome | None, reference: str
) -> FoundOut | None:
    """What was found about a doubt; None for an item that is none. `Problem`: it has to be said, or cannot be."""
    from workers.resolutions import finding, open_before

    if not one.item.is_doubt:
        if outcome is not None:
            raise Problem(
                f"item {one.id} ({one.item.kind}) puts no payment into doubt: leave --sent and --not-sent out"
            )
        return None
    if outcome is None:
        raise Problem(
            f"item {one.id} puts payment {one.item.payment_id} into doubt: say --sent [--reference REF] or --not-sent"
        )
    if (before := open_before(one, items, resolved)) is not None:
        raise Problem(f"item {before.id} is about the same payment {one.item.payment_id} and older: resolve it first")
    return finding(one, items, outcome, reference)


def _goes_on(one: Listed, claim_id: str, found: FoundOut | None) -> str:
    """How it goes on with a payment of which somebody found out whether it left."""
    if found is None:
        return ""
    if found.outcome == "not_sent":
        if found.order_key:
            return f"its order {found.order_key} is sent again under the same key"
        return f"this message holds payment {one.item.payment_id} back no more"
    by_hand = f"`claimstream claim payment {claim_id} --reference {found.reference or 'REF'}`"
    return f"it is never sent again; the claim is paid by the bank's message, or by {by_hand}"


async def _resolved(
    given: Given, one: Listed, claim_id: str, reason: str, actor: Actor, found: FoundOut | None
) -> None:
    from domain.outcome import Refused
    from workers.claim_reading import ClaimReader
    from workers.commanding import Commander
    from workers.resolutions import override, resolutions

    command, name = override(one, reason, found)
    async with opened_application(given) as app:
        outcome = await Commander(app).issue(claim_id, command, actor, command_id=name)
        if not isinstance(outcome, Refused) and outcome.repeated:  # by us, or by somebody else at the same moment
            reads, keys = app.store.reads, app.claim_keyspace
            done = (await resolutions(reads, keys, ClaimReader(reads, keys), [one])).get(identity(one))
            if done is not None and done.found != found:
                raise Problem(f"item {one.id} was resolved by {done.by} at {done.at}, on {done.claim_id}")
    if isinstance(outcome, Refused) and outcome.code == "NOT_FOUND" and one.item.claim_id:
        raise Problem(f"{claim_id} is no claim of ours: the bank made it up; there is no claim to resolve {one.id} on")
    if isinstance(outcome, Refused):
        raise refused(claim_id, outcome)
    next_step = _goes_on(one, claim_id, found)
    told = {"item": one.id, "claimId": claim_id, "resolved": True, "found": msgspec.to_builtins(found)}
    told |= {"next": next_step} if next_step else {}
    answer(given, told, lambda: f"{one.id} is resolved, on {claim_id}: {reason}{'; ' if next_step else ''}{next_step}")


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
