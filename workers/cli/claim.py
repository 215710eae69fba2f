"""`claim`: what people do with one claim, and what they ask about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from workers.cli import claim_questions, claim_submission
from workers.cli.errors import Problem
from workers.cli.following import Wait, entry_line, follow
from workers.cli.given import given_of
from workers.cli.looping import run_async
from workers.cli.opening import checked_claim_id, opened_application
from workers.cli.output import answer
from workers.cli.people import BANK, SOMEBODY, As, person

if TYPE_CHECKING:
    from collections.abc import Callable

    from domain.bodies.base import Actor
    from domain.claim_record import Claim
    from domain.commands import Command
    from workers.cli.given import Given

Ident = Annotated[str, typer.Argument(metavar="ID", help="The claim, CLM-...")]


def add_to(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(no_args_is_help=True, help="Act on one claim, or ask about it.")
    claim_submission.add_to(group)
    claim_questions.add_to(group)
    group.command("approve")(approve)
    group.command("reject")(reject)
    group.command("document")(document)
    group.command("investigate")(investigate)
    group.command("clear")(clear)
    group.command("payment")(payment)
    app.add_typer(group, name="claim")


def approve(
    ctx: typer.Context,
    ident: Ident,
    amount: Annotated[str, typer.Argument(help="In major units of the claim's currency, such as 2500.00.")],
    propose: Annotated[bool, typer.Option("--propose", help="Ask an approver where the own authority ends.")] = False,
    who: As = SOMEBODY,
    wait: Wait = False,
) -> None:
    """Approve an amount; the payment follows by itself."""
    from domain.commands import ApproveClaim
    from domain.money import MoneyError, parse_money

    def wanted(claim: Claim | None) -> Command:
        try:
            given = parse_money(amount, claim.currency if claim is not None else "USD")
        except MoneyError as problem:
            raise Problem(f"the amount {amount!r}: {problem}") from problem
        return ApproveClaim(amount=given, escalate=propose)

    _issue(ctx, ident, wanted, who, wait=wait)


def reject(
    ctx: typer.Context,
    ident: Ident,
    reason: Annotated[str, typer.Option(metavar="CODE", help="Why: a reason code. Needed.")] = "",
    who: As = SOMEBODY,
    wait: Wait = False,
) -> None:
    """Deny the claim, with the reason, the provision that it rests on, and the text about appeals."""
    from domain.commands import RejectClaim
    from domain.reasons import PROVISIONS, REASON_CODES

    if not reason:
        raise Problem(f"a denial needs a reason: --reason CODE, one of {', '.join(REASON_CODES)}")
    if reason not in PROVISIONS:
        raise Problem(f"there is no reason code {reason[:60]!r}: choose one of {', '.join(REASON_CODES)}")
    command = RejectClaim(reason_codes=(reason,), provisions=(PROVISIONS[reason],), appeal_text_id="appeal.denial.1")
    _issue(ctx, ident, lambda claim: command, who, wait=wait)


def document(
    ctx: typer.Context,
    ident: Ident,
    kind: Annotated[str, typer.Argument(help="What it is: invoice, police_report, photos ...")],
    document_id: Annotated[str, typer.Option("--id", help="Its id; made up when not given.")] = "",
    name: Annotated[str, typer.Option(help="The name of the file.")] = "",
    who: As = SOMEBODY,
    wait: Wait = False,
) -> None:
    """Record a document that came in; what the checklist asks for is ticked off."""
    from uuid import uuid4

    from domain.commands import UploadDocument

    if not kind.strip() or len(kind) > 128 or not kind.isprintable():
        raise Problem("the kind of a document is a word such as invoice")
    given = document_id or f"DOC-{uuid4().hex[:12].upper()}"

    def wanted(claim: Claim | None) -> Command:
        item = kind if claim is not None and kind in claim.documents else ""
        return UploadDocument(document_id=given, kind=kind, checklist_item=item, name=name)

    _issue(ctx, ident, wanted, who, wait=wait)


def investigate(
    ctx: typer.Context,
    ident: Ident,
    scope: Annotated[str, typer.Option(help="What is looked into.")] = "circumstances of the loss",
    finding: Annotated[str, typer.Option(help="Ends the investigation: consistent, inconsistent ...")] = "",
    evidence: Annotated[
        list[str] | None, typer.Option(metavar="DOCUMENT", help="With --finding: a document id.")
    ] = None,
    who: As = SOMEBODY,
    wait: Wait = False,
) -> None:
    """Start an investigation, or end it with its finding."""
    from domain.commands import CompleteInvestigation, StartInvestigation

    command: Command
    if finding:
        command = CompleteInvestigation(finding=finding, document_ids=tuple(evidence or ()))
    else:
        command = StartInvestigation(scope=scope)
    _issue(ctx, ident, lambda claim: command, who, wait=wait)


def clear(
    ctx: typer.Context,
    ident: Ident,
    reason: Annotated[str, typer.Option(help="Why it is no duplicate. Needed.")] = "",
    who: As = SOMEBODY,
    wait: Wait = False,
) -> None:
    """Clear the suspicion that the claim is a duplicate of another one."""
    from domain.commands import ClearDuplicate

    if not reason.strip():
        raise Problem("to clear a duplicate needs a reason: --reason TEXT")
    command = ClearDuplicate(reason=reason)
    _issue(ctx, ident, lambda claim: command, who, wait=wait)


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
        return ConfirmPayment(payment_id=payment_id, amount=_money(minor, currency), provider_ref=given)

    _issue(ctx, ident, wanted, who, wait=wait)


def _money(minor: int, currency: str) -> Any:
    from domain.money import Money

    return Money(minor, currency)


def _issue(ctx: typer.Context, ident: str, wanted: Callable[[Claim | None], Command], who: str, *, wait: bool) -> None:
    """Carry the command out and say what happened. `Problem`: refused, or there is no such claim."""
    given = given_of(ctx)
    run_async(_carried_out(given, checked_claim_id(ident), wanted, person(who), wait=wait))


async def _carried_out(
    given: Given, claim_id: str, wanted: Callable[[Claim | None], Command], actor: Actor, *, wait: bool
) -> None:
    from domain.outcome import Refused
    from workers.commanding import Commander

    async with opened_application(given) as app:
        outcome = await Commander(app).issue(claim_id, wanted, actor)
        if isinstance(outcome, Refused):
            if outcome.code == "REPEATED":
                answer(given, {"claimId": claim_id, "repeated": True}, lambda: "done before: nothing to do")
                return
            raise refused(claim_id, outcome)
        lines: list[str] = []
        events = list(outcome.event_types)
        if wait:

            def tell(entry: Any) -> None:
                lines.append(entry_line(entry))
                events.append(entry.type)

            await follow(app, claim_id, tell, after=outcome.claim.version)
            claim = (await app.claims.read([claim_id]))[0] or outcome.claim
        else:
            claim = outcome.claim
    told = {"claimId": claim_id, "state": claim.state.value, "events": events, "sequence": claim.version}
    done = f"{claim_id} is {claim.state.value}: {', '.join(outcome.event_types)}"
    answer(given, told, lambda: "\n".join([done, *lines]))


def refused(claim_id: str, outcome: Any) -> Problem:
    """A refusal of the domain as one line: claim, state, command, guard, why."""
    if outcome.code == "NOT_FOUND":
        return Problem(f"claim {claim_id} not found ({outcome.command}: NOT_FOUND)")
    return Problem(f"{claim_id}: {outcome}")
