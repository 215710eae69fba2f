"""`reconciliation list`: what the bank says and what we know that do not fit together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer  # typer reads the annotations of a command when the program runs

from workers.cli.addressing import connected, store_address
from workers.cli.given import given_of
from workers.cli.looping import run_async
from workers.cli.output import answer, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from workers.cli.given import Given
    from workers.reconciliation import Listed


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    sub = typer.Typer(no_args_is_help=True, help="What the bank says and what we know that do not fit together.")
    sub.command("list")(list_items)
    app.add_typer(sub, name="reconciliation")


def list_items(ctx: typer.Context) -> None:
    """Show every item: repeated, unmatched and refused messages of the bank, and payouts in doubt."""
    given = given_of(ctx)
    items = run_async(_listed(given))
    answer(given, {"items": items}, lambda: _page(items))


async def _listed(given: Given) -> list[Listed]:
    from runtime.store.keys import Keyspace
    from runtime.store.reads import Reads
    from workers.cli.survey import stored_specs
    from workers.keys import ClaimKeys, claim_log
    from workers.reconciliation import listed

    settings = given.settings()
    async with connected(settings, store_address(settings)) as client:
        reads = Reads(client)
        specs = await stored_specs(reads, [claim_log(settings.log.partitions)])
        if not specs:
            return []
        keyspace = Keyspace(specs[0])
        return await listed(reads, [ClaimKeys(keyspace, number) for number in range(specs[0].partitions)])


def _page(items: list[Listed]) -> RenderableType:
    if not items:
        return "the reconciliation list is empty"
    rows = [
        (
            one.id,
            one.item.kind,
            one.item.payment_id,
            one.item.says or "our order",
            f"{_amount(one)}",
            one.item.reason,
        )
        for one in items
    ]
    return table(("id", "kind", "payment", "the bank says", "amount", "why"), rows, right=("amount",))


def _amount(one: Listed) -> str:
    from domain.money import Money, UnknownCurrency

    if one.item.amount is None:
        return ""
    try:
        return str(Money(one.item.amount, one.item.currency))
    except UnknownCurrency:
        return f"{one.item.amount} {one.item.currency}"
