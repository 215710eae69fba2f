"""What is decided on a claim: approve, reject, propose, return, take back; appeals; rules set aside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from workers.cli.errors import Problem
from workers.cli.following import Wait  # noqa: TC001  # typer reads the annotations when the program runs
from workers.cli.issuing import Ident, amount_of, issue, needed
from workers.cli.people import SOMEBODY, As

if TYPE_CHECKING:
    from domain.claim_record import Claim
    from domain.commands import Command, ItemAssessment

DENIAL_TEXT = "appeal.denial.1"
"""The text about appeal rights that a denial by a person carries."""

Codes = Annotated[
    list[str] | None, typer.Option("--reason", metavar="CODE", help="Why: a reason code; may be given again. Needed.")
]
Propose = Annotated[bool, typer.Option("--propose", help="Ask an approver where the own authority ends.")]


def add_to(group: typer.Typer) -> None:
    """Add the commands to their group."""
    group.command("approve")(approve)
    group.command("give")(give)
    group.command("reject")(reject)
    group.command("return")(return_proposal)
    group.command("rescind")(rescind)
    group.command("override")(override)
    group.command("appeal")(appeal)
    group.command("decide-appeal")(decide_appeal)


def approve(
    ctx: typer.Context,
    ident: Ident,
    amount: Annotated[
        str, typer.Argument(help="At most this, such as 2500.00; else all that the policy pays.", show_default=False)
    ] = "",
    disallow: Annotated[
        list[str] | None, typer.Option(metavar="ITEM=AMOUNT:CODE", help="Not owed, and the reason code.")
    ] = None,
    depreciate: Annotated[list[str] | None, typer.Option(metavar="ITEM=AMOUNT", help="Taken off for wear.")] = None,
    propose: Propose = False,
    who: As = SOMEBODY,
    wait: Wait = False,
) -> None:
    """Approve what the policy pays, or less; the payment follows by itself. Confirms a proposal as it is."""
    from domain.commands import ApproveClaim

    def wanted(claim: Claim | None) -> Command:
        given = amount_of(amount, claim) if amount else None
        items = _assessments(claim, disallow or [], depreciate or [])
        return ApproveClaim(amount=given, items=items, escalate=propose)

    issue(ctx, ident, wanted, who, wait=wait)


def give(
    ctx: typer.Context,
    ident: Ident,
    amount: Annotated[str, typer.Argument(help="How much, such as 500.00.")],
    reason: Annotated[str, typer.Option(help="Why it is given although it is not owed. Needed.")] = "",
    propose: Annotated[bool, typer.Option("--propose", help="Propose it: the committee confirms.")] = False,
    who: As = SOMEBODY,
    wait: Wait = False,
) -> None:
    """Give something ex gratia: after a denial, without owing it. A closed claim is reopened first."""
    from domain.commands import ApproveClaim, ProposeDecision

    why = needed(reason, "what is given without being owed needs a reason")

    def wanted(claim: Claim | None) -> Command:
        given = amount_of(amount, claim)
        if propose:
            return ProposeDecision(kind="ex_gratia", amount=given, reason=why)
        return ApproveClaim(amount=given, ex_gratia=True, reason=why)

    issue(ctx, ident, wanted, who, wait=wait)


def _assessments(claim: Claim | None, disallow: list[str], depreciate: list[str]) -> tuple[ItemAssessment, ...]:
    """What is taken off, by item. `Problem`: it cannot be read, or has no reason."""
    from domain.commands import ItemAssessment

    off: dict[str, ItemAssessment] = {}
    for text in disallow:
        item, amount, code = _taken_off(text, "--disallow")
        known = off.get(item, ItemAssessment(item_id=item))
        off[item] = ItemAssessment(
            item_id=item,
            disallowed=known.disallowed + amount_of(amount, claim).minor,
            reason_codes=(*known.reason_codes, *_checked((code,), "a deduction")),
        )
    for text in depreciate:
        item, amount, code = _taken_off(text, "--depreciate")
        if code:
            raise Problem(f"--depreciate {text}: wear needs no reason code: ITEM=AMOUNT")
        known = off.get(item, ItemAssessment(item_id=item))
        off[item] = ItemAssessment(
            item_id=item,
            disallowed=known.disallowed,
            depreciation=known.depreciation + amount_of(amount, claim).minor,
            reason_codes=known.reason_codes,
        )
    return tuple(off.values())


def _taken_off(text: str, option: str) -> tuple[str, str, str]:
    item, equals, rest = text.partition("=")
    amount, _, code = rest.partition(":")
    if not equals or not item or not amount:
        raise Problem(f"{option} {text}: say ITEM=AMOUNT, such as vehicle=250.00; `claimstream claim show` lists items")
    return item, amount, code


def reject(
    ctx: typer.Context,
    ident: Ident,
    reasons: Codes = None,
    propose: Annotated[bool, typer.Option("--propose", help="Recommend it: somebody else decides.")] = False,
    who: As = SOMEBODY,
    wait: Wait = False,
) -> None:
    """Deny the claim, with the reason, the provision that it rests on, and the text about appeals."""
    from domain.commands import ProposeDecision, RejectClaim
    from domain.reasons import PROVISIONS

    codes = _checked(reasons or (), "a denial")
    provisions = tuple(PROVISIONS[code] for code in codes)
    command: Command = RejectClaim(reason_codes=codes, provisions=provisions, appeal_text_id=DENIAL_TEXT)
    if propose:
        command = ProposeDecision(kind="deny", reason_codes=codes, provisions=provisions)
    issue(ctx, ident, command, who, wait=wait)


def _checked(codes: list[str] | tuple[str, ...], what: str) -> tuple[str, ...]:
    """Reason codes that there are. `Problem`: none, or one that there is not."""
    from domain.reasons import PROVISIONS, REASON_CODES

    if not any(codes):
        raise Problem(f"{what} needs a reason: --reason CODE, one of {', '.join(REASON_CODES)}")
    for code in codes:
        if code not in PROVISIONS:
            raise Problem(f"there is no reason code {code[:60]!r}: choose one of {', '.join(REASON_CODES)}")
    return tuple(dict.fromkeys(codes))


def return_proposal(
    ctx: typer.Context,
    ident: Ident,
    reason: Annotated[str, typer.Option(help="Why; the proposer reads it. Needed.")] = "",
    who: As = SOMEBODY,
    wait: Wait = False,
) -> None:
    """Give a proposed decision back to who proposed it."""
    from domain.commands import ReturnProposal

    issue(ctx, ident, ReturnProposal(reason=needed(reason, "to return a proposal needs a reason")), who, wait=wait)


def rescind(
    ctx: typer.Context,
    ident: Ident,
    reason: Annotated[str, typer.Option(help="Why; the claimant is told. Needed.")] = "",
    who: As = SOMEBODY,
    wait: Wait = False,
) -> None:
    """Take an approval back before (further) payment."""
    from domain.commands import RescindDecision

    issue(ctx, ident, RescindDecision(reason=needed(reason, "to rescind needs a reason")), who, wait=wait)


def override(
    ctx: typer.Context,
    ident: Ident,
    subject: Annotated[str, typer.Argument(metavar="RULE", help="Which rule is set aside.")],
    reason: Annotated[str, typer.Option(help="Why. Needed.")] = "",
    who: As = SOMEBODY,
    wait: Wait = False,
) -> None:
    """Record that a rule was set aside, and why."""
    from domain.commands import RecordOverride

    command = RecordOverride(subject=subject, reason=needed(reason, "an override needs a reason"))
    issue(ctx, ident, command, who, wait=wait)


def appeal(
    ctx: typer.Context,
    ident: Ident,
    grounds: Annotated[str, typer.Option(help="Why the claimant does not agree; kept sealed.")] = "",
    who: Annotated[str, typer.Option("--as", metavar="ROLE:ID", help="Who appeals; else the claimant.")] = "",
    wait: Wait = False,
) -> None:
    """File an appeal of the claimant, or of a representative."""
    from domain.commands import FileAppeal

    issue(ctx, ident, FileAppeal(grounds=grounds), who, wait=wait, claimant=True)


def decide_appeal(
    ctx: typer.Context,
    ident: Ident,
    outcome: Annotated[str, typer.Argument(metavar="upheld|overturned", help="Does the decision stand?")],
    reasons: Codes = None,
    who: As = SOMEBODY,
    wait: Wait = False,
) -> None:
    """Decide an appeal: upheld (the decision stands, for these reasons), or overturned."""
    from domain.commands import DecideAppeal
    from domain.reasons import PROVISIONS

    if outcome == "overturned":
        issue(ctx, ident, DecideAppeal(outcome="overturned"), who, wait=wait)
        return
    if outcome != "upheld":
        raise Problem(f"an appeal is upheld or overturned, not {outcome[:40]!r}")
    codes = _checked(reasons or (), "to uphold the decision")
    provisions = tuple(PROVISIONS[code] for code in codes)
    command = DecideAppeal(outcome="upheld", reason_codes=codes, provisions=provisions, appeal_text_id=DENIAL_TEXT)
    issue(ctx, ident, command, who, wait=wait)
