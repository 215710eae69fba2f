"""`claim show`, `history`, `explain`, `clocks`, `payments`: what the log says about one claim.

Who looks decides what is seen: the claimant's side gets what letters say, people of the house everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from workers.cli.errors import Problem
from workers.cli.given import given_of
from workers.cli.looping import run_async
from workers.cli.opening import checked_claim_id, no_such_claim, opened_reader
from workers.cli.output import answer, table
from workers.cli.people import SOMEBODY, person
from workers.cli.reading_trail import HANDLING, For, leave_trail, purpose_of

if TYPE_CHECKING:
    from rich.console import RenderableType

    from domain.bodies.base import Actor
    from domain.claim_record import Claim
    from domain.facets import Clock, Payment
    from runtime.entry import Entry
    from workers.cli.given import Given

Ident = Annotated[str, typer.Argument(metavar="ID", help="The claim, CLM-...")]

Looks = Annotated[
    str, typer.Option("--as", metavar="ROLE:ID", help="Who looks: a claimant sees what letters say, no more.")
]


def add_to(group: typer.Typer) -> None:
    """Add the commands to their group."""
    group.command("show")(show)
    group.command("history")(history)
    group.command("explain")(explain)
    group.command("clocks")(clocks)
    group.command("payments")(payments)


def show(
    ctx: typer.Context,
    ident: Ident,
    at: Annotated[
        str, typer.Option(metavar="TIME", help="As it stood then: a day (its end, UTC) or an ISO time.")
    ] = "",
    who: Looks = SOMEBODY,
    purpose: For = HANDLING,
) -> None:
    """Show a claim as it is, or as it stood at a time (folded from its facts up to then)."""
    given = given_of(ctx)
    claim_id = checked_claim_id(ident)
    actor, why = person(given, who), purpose_of(purpose)
    claim = run_async(_claim(given, claim_id, at))
    if claim is None:
        raise Problem(f"claim {claim_id} was not submitted yet at {at}") if at else no_such_claim(claim_id)
    if _from_outside(actor, claim):
        from workers.claimant_view import claimant_view

        told = claimant_view(claim)
        answer(given, told, lambda: _told_page(told))
        return
    run_async(leave_trail(given, actor, (claim,), "claim show", why))
    answer(given, _data(claim), lambda: _page(claim))


def _from_outside(actor: Actor, claim: Claim) -> bool:
    """Does the claimant's side look? `Problem`: at somebody else's claim, which for them does not exist."""
    from workers.claimant_view import is_outside, may_look

    if not may_look(actor, claim):
        raise no_such_claim(claim.claim_id)
    return is_outside(actor)


def _told_page(told: dict[str, Any]) -> RenderableType:
    def shown(value: object) -> object:
        return ", ".join(map(str, value)) if isinstance(value, list) else value

    return table(("", ""), [(name, shown(value)) for name, value in told.items() if value not in ("", [], None)])


async def _claim(given: Given, claim_id: str, at: str) -> Claim | None:
    from workers.claim_reading import moment_of

    try:
        moment = moment_of(at) if at else None
    except ValueError as problem:
        raise Problem(f"--at {at}: give a day (2025-01-20) or an ISO 8601 time") from problem
    async with opened_reader(given) as reader:
        if moment is None:
            return await reader.claim(claim_id)
        if await reader.claim(claim_id) is None:
            raise no_such_claim(claim_id)
        return await reader.at(claim_id, moment)


def history(ctx: typer.Context, ident: Ident, who: Looks = SOMEBODY, purpose: For = HANDLING) -> None:
    """List every entry of a claim: when, what, who, why, where it stands in the log."""
    given = given_of(ctx)
    claim_id = checked_claim_id(ident)
    actor, why = person(given, who), purpose_of(purpose)
    claim, entries = run_async(_with_entries(given, claim_id))
    if claim is None or not entries:
        raise no_such_claim(claim_id)
    if _from_outside(actor, claim):
        _tell_letters(given, claim_id, entries)
        return
    run_async(leave_trail(given, actor, (claim,), "claim history", why))
    rows = [_told(entry) for entry in entries]
    columns = ("sequence", "time", "type", "actor", "reason", "entry")
    answer(
        given,
        {"claimId": claim_id, "entries": rows},
        lambda: table(columns, [[row[name] for name in columns] for row in rows], right=("sequence",)),
    )


async def _with_entries(given: Given, claim_id: str) -> tuple[Claim | None, list[Entry]]:
    async with opened_reader(given) as reader:
        return await reader.claim(claim_id), await reader.entries(claim_id)


def _tell_letters(given: Given, claim_id: str, entries: list[Entry]) -> None:
    """What the claimant's side was told, and nothing else."""
    from workers.claim_log import fact_of
    from workers.claimant_view import claimant_history

    rows = claimant_history(map(fact_of, entries))
    answer(given, {"claimId": claim_id, "letters": rows}, lambda: _letters(rows))


def _letters(rows: list[dict[str, Any]]) -> RenderableType:
    import msgspec

    def said(row: dict[str, Any]) -> str:
        plain = msgspec.to_builtins(row["says"], enc_hook=str)
        return ", ".join(f"{name} {value}" for name, value in plain.items() if isinstance(value, str | int | bool))

    return table(("time", "letter", "says"), [(row["time"], row["letter"], said(row)) for row in rows])


def _told(entry: Entry) -> dict[str, Any]:
    from workers.claim_reading import reason_of

    return {
        "sequence": entry.sequence,
        "time": entry.timestamp,
        "type": entry.type,
        "actor": entry.actor,
        "reason": reason_of(entry.body),
        "entry": entry.id,
        "eventId": entry.event_id,
        "causationId": entry.causation_id,
    }


def explain(ctx: typer.Context, ident: Ident, who: Looks = SOMEBODY, purpose: For = HANDLING) -> None:
    """Explain the benefits: claimed, taken off and why, paid, the right to appeal. The claimant's copy: --as."""
    from workers.benefits import benefits
    from workers.claim_log import fact_of
    from workers.cli.benefit_page import benefit_page

    given = given_of(ctx)
    claim_id = checked_claim_id(ident)
    actor, why = person(given, who), purpose_of(purpose)
    claim, entries = run_async(_with_entries(given, claim_id))
    if claim is None:
        raise no_such_claim(claim_id)
    found = benefits(claim, [fact_of(entry) for entry in entries])
    if _from_outside(actor, claim):
        found = found.for_claimant()
    else:
        run_async(leave_trail(given, actor, (claim,), "claim explain", why))
    answer(given, found, lambda: benefit_page(found))


def clocks(ctx: typer.Context, ident: Ident) -> None:
    """List the clocks of a claim: which runs until when, which was paused, stopped or ran out."""
    given = given_of(ctx)
    claim_id = checked_claim_id(ident)
    claim = run_async(_claim(given, claim_id, ""))
    if claim is None:
        raise no_such_claim(claim_id)
    rows = [_clock(name, clock) for name, clock in claim.clocks.items()]
    columns = ("clock", "cycle", "status", "started", "due", "warned", "breached")
    answer(
        given,
        {"claimId": claim_id, "clocks": rows},
        lambda: table(columns, [[row[name] for name in columns] for row in rows], right=("cycle", "warned")),
    )


def _clock(name: str, clock: Clock) -> dict[str, Any]:
    return {
        "clock": name,
        "cycle": clock.cycle,
        "status": clock.status,
        "started": f"{clock.started:%Y-%m-%dT%H:%MZ}",
        "due": f"{clock.due:%Y-%m-%dT%H:%MZ}",
        "warned": clock.warned,
        "breached": "yes" if clock.breached else "",
    }


def payments(ctx: typer.Context, ident: Ident) -> None:
    """List the payments of a claim: amount, kind, status, attempts; what is still owed."""
    given = given_of(ctx)
    claim_id = checked_claim_id(ident)
    claim = run_async(_claim(given, claim_id, ""))
    if claim is None:
        raise no_such_claim(claim_id)
    rows = [_payment(one, claim) for one in claim.payments]
    told = {"claimId": claim_id, "payments": rows, "balance": claim.money(claim.balance), "hold": claim.payment_hold}
    columns = ("payment", "kind", "amount", "status", "attempt", "initiated", "reference")
    hold = f"; held: {claim.payment_hold}" if claim.payment_hold else ""

    def page() -> RenderableType:
        from rich.console import Group

        listed = table(columns, [[row[name] for name in columns] for row in rows], right=("amount", "attempt"))
        return Group(listed, f"still owed: {claim.money(claim.balance)}{hold}")

    answer(given, told, page)


def _payment(one: Payment, claim: Claim) -> dict[str, Any]:
    back = f" ({claim.money(one.reversed_amount)} came back)" if one.reversed_amount else ""
    return {
        "payment": one.id,
        "kind": one.kind,
        "amount": str(claim.money(one.amount)),
        "status": one.status + back,
        "attempt": one.attempt,
        "initiated": f"{one.initiated_at:%Y-%m-%dT%H:%MZ}" if one.initiated_at is not None else "",
        "reference": one.provider_ref,
    }


def _data(claim: Claim) -> dict[str, Any]:
    """The claim for programs: the lab's words and all of ours."""
    import msgspec

    from domain.snapshot import platform_word, status_word

    return {
        "status": status_word(claim),
        "platformStatus": platform_word(claim),
        **msgspec.to_builtins(claim, enc_hook=str),
    }


def _page(claim: Claim) -> RenderableType:
    from domain.snapshot import status_word

    notice, decision = claim.notice, claim.decision
    facts: list[tuple[str, object]] = [
        ("claim", claim.claim_id),
        ("state", f"{claim.state.value} ({status_word(claim)})"),
        ("outcome", claim.closed_outcome),
        ("policy", notice.policy_number),
        ("claimant", notice.claimant_id),
        ("line, peril", ", ".join(word for word in (notice.line, notice.peril) if word)),
        ("loss date", notice.loss_date),
        ("submitted", claim.submitted_at),
        ("claimed", notice.claimed),
        ("items", ", ".join(f"{item.item_id} {item.claimed}" for item in notice.items)),
        ("coverage", " ".join((claim.coverage.outcome, *claim.coverage.codes))),
        ("policy version", claim.coverage.policy_version),
        ("duplicate", _duplicate(claim)),
        ("special investigation", claim.siu.status if claim.siu.status != "none" else ""),
        ("red flags", " ".join((*claim.red_flags.codes, str(claim.red_flags.score))) if claim.red_flags.codes else ""),
        ("adjuster", claim.owner.adjuster_id if claim.owner is not None else claim.previous_owner),
        ("decision", " ".join((decision.kind, *decision.reason_codes)) if decision.kind != "none" else ""),
        ("proposed", _proposed(claim)),
        ("approved", claim.money(claim.approved) if claim.approved else ""),
        ("paid", claim.money(claim.paid) if claim.paid else ""),
        ("reserve", claim.money(claim.reserve.total) if claim.reserve.total else ""),
        ("documents", ", ".join(_documents(claim))),
        ("recovery", _recovery(claim)),
        ("appeal", claim.appeal.status if claim.appeal is not None else ""),
        ("legal holds", ", ".join(claim.legal_holds)),
        ("clocks", ", ".join(_clocks(claim))),
        ("updated", claim.updated_at),
        ("sequence", claim.version),
    ]
    return table(("", ""), [(name, value) for name, value in facts if value not in ("", None)])


def _duplicate(claim: Claim) -> str:
    of = f" of {claim.duplicate.surviving}" if claim.duplicate.surviving else ""
    score = f" (score {claim.duplicate.score})" if claim.duplicate.score else ""
    return f"{claim.duplicate.status}{of}{score}" if claim.duplicate.status != "none" else ""


def _proposed(claim: Claim) -> str:
    proposal = claim.proposal
    return f"{proposal.kind} {claim.money(proposal.net)} by {proposal.proposer_id}" if proposal is not None else ""


def _recovery(claim: Claim) -> str:
    back = claim.recovery
    if back.status == "none":
        return ""
    return f"{back.kind} {back.status}, demanded {claim.money(back.demanded)}, received {claim.money(back.received)}"


def _documents(claim: Claim) -> list[str]:
    listed = [f"{name}: {item.status}" for name, item in claim.documents.items()]
    return [*listed, f"{len(claim.document_ids)} in the file"]


def _clocks(claim: Claim) -> list[str]:
    return [
        f"{name} {clock.status} until {clock.due:%Y-%m-%d %H:%M}"
        for name, clock in claim.clocks.items()
        if clock.status in ("running", "paused")
    ]
