"""The money of a claim: reserve, payments and what became of them, money back from others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from workers.cli.errors import Problem
from workers.cli.following import Wait  # noqa: TC001  # typer reads the annotations when the program runs
from workers.cli.issuing import Ident, amount_of, issue, needed
from workers.cli.people import BANK, SOMEBODY, As

if TYPE_CHECKING:
    from domain.claim_record import Claim
    from domain.commands import Command

KINDS = ("indemnity", "expense", "interest")
RECOVERIES = ("subrogation", "salvage")
STAGES = ("demanded", "received", "closed")

Reason = Annotated[str, typer.Option(help="Why. Needed.")]


def add_to(group: typer.Typer) -> None:
    """Add the commands to their group."""
    group.command("reserve")(reserve)
    group.command("pay")(pay)
    group.command("retry")(retry)
    group.command("payment")(payment)
    group.command("reverse")(reverse)
    group.command("recovery")(recovery)


def reserve(
    ctx: typer.Context,
    ident: Ident,
    indemnity: Annotated[str, typer.Option(metavar="AMOUNT", help="Set aside for what the claimant gets.")] = "",
    expense: Annotated[str, typer.Option(metavar="AMOUNT", help="Set aside for experts and others.")] = "",
    reason: Reason = "",
    who: As = SOMEBODY,
    wait: Wait = False,
) -> None:
    """Set the outstanding reserve; what is not named stays as it is."""
    from domain.commands import SetReserve

    if not indemnity and not expense:
        raise Problem("say which reserve: --indemnity AMOUNT, --expense AMOUNT, or both")
    said = needed(reason, "a reserve needs a reason")

    def wanted(claim: Claim | None) -> Command:
        return SetReserve(
            reason=said,
            indemnity=amount_of(indemnity, claim) if indemnity else None,
            expense=amount_of(expense, claim) if expense else None,
        )

    issue(ctx, ident, wanted, who, wait=wait)


def pay(
    ctx: typer.Context,
    ident: Ident,
    amount: Annotated[str, typer.Argument(help="Else all that is owed.", show_default=False)] = "",
    kind: Annotated[str, typer.Option(help="indemnity, expense or interest.")] = "",
    who: As = SOMEBODY,
    wait: Wait = False,
) -> None:
    """Start a payment by hand: a part of what is owed, or an expense. The rest is paid by itself."""
    from domain.commands import InitiatePayment

    if kind and kind not in KINDS:
        raise Problem(f"--kind {kind[:40]}: choose one of {', '.join(KINDS)}")

    def wanted(claim: Claim | None) -> Command:
        given = amount_of(amount, claim) if amount else None
        return InitiatePayment(amount=given, kind=kind or None)  # type: ignore[arg-type]  # one of KINDS

    issue(ctx, ident, wanted, who, wait=wait)


def retry(ctx: typer.Context, ident: Ident, who: As = SOMEBODY, wait: Wait = False) -> None:
    """Try a failed payment again."""
    from domain.commands import RetryPayment

    issue(ctx, ident, RetryPayment(), who, wait=wait)


def payment(
    ctx: typer.Context,
    ident: Ident,
    reference: Annotated[str, typer.Option(help="The bank's reference of the transfer.")] = "",
    failed: Annotated[str, typer.Option(metavar="REASON", help="The transfer failed, and why.")] = "",
    final: Annotated[bool, typer.Option("--final", help="With --failed: trying again is no use.")] = False,
    who: As = BANK,
    wait: Wait = False,
) -> None:
    """Bring the bank's answer on the payment that is under way."""
    from uuid import uuid4

    from domain.commands import ConfirmPayment, FailPayment
    from domain.money import Money

    given = reference or f"CLI-{uuid4().hex[:12].upper()}"

    def wanted(claim: Claim | None) -> Command:
        under_way = claim.pending if claim is not None else None
        if claim is not None and under_way is None:
            raise Problem(f"claim {ident} is {claim.state.value}: no payment is under way")
        payment_id = under_way.id if under_way is not None else ""
        if failed:
            return FailPayment(payment_id=payment_id, reason=failed, retryable=not final)
        minor = under_way.amount if under_way is not None else 0
        currency = claim.currency if claim is not None else "USD"
        return ConfirmPayment(payment_id=payment_id, amount=Money(minor, currency), provider_ref=given)

    issue(ctx, ident, wanted, who, wait=wait)


def reverse(
    ctx: typer.Context,
    ident: Ident,
    payment_id: Annotated[
        str, typer.Argument(metavar="PAYMENT", help="Its id, PAY-...; else the last that was completed.")
    ] = "",
    amount: Annotated[str, typer.Option(help="A part of it; else all.")] = "",
    reason: Reason = "",
    who: As = SOMEBODY,
    wait: Wait = False,
) -> None:
    """Record that a completed payment came back: the amount is owed again."""
    from domain.commands import ReversePayment

    said = needed(reason, "a reversal needs a reason")

    def wanted(claim: Claim | None) -> Command:
        name = payment_id or _last_completed(ident, claim)
        given = amount_of(amount, claim) if amount else None
        return ReversePayment(payment_id=name, reason=said, amount=given)

    issue(ctx, ident, wanted, who, wait=wait)


def _last_completed(ident: str, claim: Claim | None) -> str:
    done = [one.id for one in claim.payments if one.status == "completed"] if claim is not None else [""]
    if not done:
        raise Problem(f"claim {ident} has no completed payment")
    return done[-1]


def recovery(
    ctx: typer.Context,
    ident: Ident,
    kind: Annotated[str, typer.Argument(metavar="subrogation|salvage", help="From whoever caused it, or the wreck.")],
    stage: Annotated[str, typer.Argument(metavar="demanded|received|closed")],
    amount: Annotated[str, typer.Argument(help="In major units of the claim's currency.")],
    source: Annotated[str, typer.Option("--from", help="From whom.")] = "",
    who: As = SOMEBODY,
    wait: Wait = False,
) -> None:
    """Record a step of getting money back from others. It never reopens the claim."""
    from domain.commands import RecordRecovery

    if kind not in RECOVERIES:
        raise Problem(f"a recovery is {' or '.join(RECOVERIES)}, not {kind[:40]!r}")
    if stage not in STAGES:
        raise Problem(f"a step of a recovery is {', '.join(STAGES)}, not {stage[:40]!r}")

    def wanted(claim: Claim | None) -> Command:
        money = amount_of(amount, claim)
        return RecordRecovery(kind=kind, stage=stage, amount=money, source=source)  # type: ignore[arg-type]  # checked

    issue(ctx, ident, wanted, who, wait=wait)
