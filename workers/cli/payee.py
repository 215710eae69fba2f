"""`payee ID`: what is found out about a customer as somebody who gets money: new bank details, checks, call-backs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from workers.cli.errors import Problem
from workers.cli.given import given_of
from workers.cli.looping import run_async
from workers.cli.opening import opened_application
from workers.cli.output import answer
from workers.cli.people import SOMEBODY, As, person

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from domain.bodies.base import Actor
    from domain.customer import Customer, CustomerEvent
    from workers.cli.given import Given


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("payee")(payee)


def payee(
    ctx: typer.Context,
    customer: Annotated[str, typer.Argument(metavar="ID", help="Such as CUST-521585.")],
    changed: Annotated[
        bool, typer.Option("--changed", help="The bank details changed: no payment for ten days.")
    ] = False,
    called_back: Annotated[
        bool, typer.Option("--called-back", help="A call to the known number confirmed the new details.")
    ] = False,
    verified: Annotated[bool | None, typer.Option("--verified/--unverified", help="The details were checked.")] = None,
    clear: Annotated[
        bool | None, typer.Option("--sanctions-clear/--sanctions-hit", help="The sanctions screen.")
    ] = None,
    who: As = SOMEBODY,
) -> None:
    """Record a change or a check of a payee; payments to them obey it from then on."""
    from domain.customer import PayeeChanged, PayeeChecked

    if changed == (called_back or verified is not None or clear is not None):
        raise Problem("say what happened: either --changed, or some of --called-back, --verified, --sanctions-clear")

    def wanted(at: datetime) -> CustomerEvent:
        if changed:
            return PayeeChanged(at=at)
        return PayeeChecked(at=at, verified=verified, sanctions_clear=clear, called_back=called_back or None)

    given = given_of(ctx)
    after = run_async(_recorded(given, customer, wanted, person(given, who)))
    known = after.payee
    told = {
        "customerId": after.customer_id,
        "verified": known.verified,
        "sanctionsClear": known.sanctions_clear,
        "calledBack": known.called_back,
        "changedAt": known.changed_at.isoformat() if known.changed_at is not None else None,
    }
    answer(given, told, lambda: ", ".join(f"{name}: {value}" for name, value in told.items()))


async def _recorded(given: Given, customer: str, wanted: Callable[[datetime], CustomerEvent], by: Actor) -> Customer:
    from workers.recording import NoSuchRecord, Recorder

    async with opened_application(given) as app:
        try:
            return await Recorder(app).customer(customer, lambda known: wanted(app.timing.now()), by)
        except NoSuchRecord as problem:
            raise Problem(f"customer {customer[:80]!r} not found") from problem
