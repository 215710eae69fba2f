"""`claim show`, `claim history`, `claim explain`: what the log says about one claim."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from workers.cli.errors import Problem
from workers.cli.given import given_of
from workers.cli.looping import run_async
from workers.cli.opening import checked_claim_id, no_such_claim, opened_reader
from workers.cli.output import answer, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from domain.claim_record import Claim
    from runtime.entry import Entry
    from workers.cli.given import Given

Ident = Annotated[str, typer.Argument(metavar="ID", help="The claim, CLM-...")]


def add_to(group: typer.Typer) -> None:
    """Add the commands to their group."""
    group.command("show")(show)
    group.command("history")(history)
    group.command("explain")(explain)


def show(
    ctx: typer.Context,
    ident: Ident,
    at: Annotated[
        str, typer.Option(metavar="TIME", help="As it stood then: a day (its end, UTC) or an ISO time.")
    ] = "",
) -> None:
    """Show a claim as it is, or as it stood at a time (folded from its facts up to then)."""
    given = given_of(ctx)
    claim_id = checked_claim_id(ident)
    claim = run_async(_claim(given, claim_id, at))
    if claim is None:
        raise Problem(f"claim {claim_id} was not submitted yet at {at}") if at else no_such_claim(claim_id)
    answer(given, _data(claim), lambda: _page(claim))


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


def history(ctx: typer.Context, ident: Ident) -> None:
    """List every entry of a claim: when, what, who, why, where it stands in the log."""
    given = given_of(ctx)
    claim_id = checked_claim_id(ident)
    entries = run_async(_entries(given, claim_id))
    if not entries:
        raise no_such_claim(claim_id)
    rows = [_told(entry) for entry in entries]
    columns = ("sequence", "time", "type", "actor", "reason", "entry")
    answer(
        given,
        {"claimId": claim_id, "entries": rows},
        lambda: table(columns, [[row[name] for name in columns] for row in rows], right=("sequence",)),
    )


async def _entries(given: Given, claim_id: str) -> list[Entry]:
    async with opened_reader(given) as reader:
        return await reader.entries(claim_id)


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


def explain(ctx: typer.Context, ident: Ident) -> None:
    """Explain the benefits item by item: claimed, disallowed, deductible, above the limit, net."""
    given = given_of(ctx)
    claim_id = checked_claim_id(ident)
    claim = run_async(_claim(given, claim_id, ""))
    if claim is None:
        raise no_such_claim(claim_id)
    answer(given, _benefits(claim), lambda: _benefit_page(claim))


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
        ("coverage", " ".join((claim.coverage.outcome, *claim.coverage.codes))),
        ("adjuster", claim.owner.adjuster_id if claim.owner is not None else claim.previous_owner),
        ("decision", " ".join((decision.kind, *decision.reason_codes)) if decision.kind != "none" else ""),
        ("approved", claim.money(claim.approved) if claim.approved else ""),
        ("paid", claim.money(claim.paid) if claim.paid else ""),
        ("reserve", claim.money(claim.reserve.total) if claim.reserve.total else ""),
        ("documents", ", ".join(_documents(claim))),
        ("clocks", ", ".join(_clocks(claim))),
        ("updated", claim.updated_at),
        ("sequence", claim.version),
    ]
    return table(("", ""), [(name, value) for name, value in facts if value not in ("", None)])


def _documents(claim: Claim) -> list[str]:
    listed = [f"{name}: {item.status}" for name, item in claim.documents.items()]
    return [*listed, f"{len(claim.document_ids)} in the file"]


def _clocks(claim: Claim) -> list[str]:
    return [
        f"{name} {clock.status} until {clock.due:%Y-%m-%d %H:%M}"
        for name, clock in claim.clocks.items()
        if clock.status in ("running", "paused")
    ]


def _benefits(claim: Claim) -> dict[str, Any]:
    """The explanation of benefits for programs; amounts in minor units with their currency."""
    import msgspec

    decision = claim.decision
    return {
        "claimId": claim.claim_id,
        "state": claim.state.value,
        "decision": decision.kind,
        "reasonCodes": decision.reason_codes,
        "policyVersion": decision.policy_version,
        "limit": decision.limit,
        "approved": claim.approved,
        "paid": claim.paid,
        "currency": claim.currency,
        "items": msgspec.to_builtins(decision.items),
    }


def _benefit_page(claim: Claim) -> RenderableType:
    from domain.money import decimal_text, total

    decision = claim.decision
    if decision.kind == "none":
        return f"{claim.claim_id} is {claim.state.value}: nothing is decided yet"
    if not decision.items:
        why = ", ".join(decision.reason_codes)
        return f"{claim.claim_id}: {decision.kind}, {why}; no item was adjudicated"
    names = ("claimed", "disallowed", "depreciation", "deductible", "over_limit", "net")
    rows: list[list[object]] = [
        [line.coverage, *(decimal_text(getattr(line, name)) for name in names), ", ".join(line.reason_codes)]
        for line in decision.items
    ]
    sums = [total((getattr(line, name) for line in decision.items), claim.currency) for name in names]
    rows.append(["total", *map(decimal_text, sums), claim.currency])
    columns = ("item", "claimed", "disallowed", "depreciation", "deductible", "over limit", "net", "why")
    return table(columns, rows, right=columns[1:-1])
