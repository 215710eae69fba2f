"""`policy`: what is known of a policy with its claims, and what happens to it: new terms, lapse, end, quarantine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from workers.cli.errors import Problem
from workers.cli.given import given_of
from workers.cli.looping import run_async
from workers.cli.opening import opened_application
from workers.cli.output import answer
from workers.cli.people import SOMEBODY, As, person

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from domain.bodies.base import Actor
    from domain.policy import Policy
    from domain.policy_events import PolicyEvent
    from workers.cli.given import Given

Number = Annotated[str, typer.Argument(metavar="NUMBER", help="Such as POL-521585.")]
From = Annotated[str, typer.Option("--from", metavar="DAY", help="From which day on. Needed.")]
Why = Annotated[str, typer.Option(help="Why.")]


def add_to(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(no_args_is_help=True, help="Ask about a policy, or record what happened to it.")
    for command in (show, endorse, lapse, cancel, reinstate, quarantine, release):
        group.command(command.__name__)(command)
    app.add_typer(group, name="policy")


def show(ctx: typer.Context, number: Number) -> None:
    """Show a policy: its versions with their days, limits and deductibles, interruptions, and its claims."""
    given = given_of(ctx)
    told = run_async(_told(given, number))
    answer(given, told, lambda: _page(told))


def endorse(
    ctx: typer.Context,
    number: Number,
    since: From = "",
    limit: Annotated[str, typer.Option(metavar="AMOUNT", help="The new limit; else as before.")] = "",
    deductible: Annotated[str, typer.Option(metavar="AMOUNT", help="The new deductible; else as before.")] = "",
    reason: Why = "",
    who: As = SOMEBODY,
) -> None:
    """Change the terms from a day on: a new version. Decisions on earlier losses keep theirs."""
    from msgspec.structs import replace

    from domain.policy import version_on
    from domain.policy_events import PolicyEndorsed

    day = _day(since)

    def wanted(policy: Policy) -> PolicyEvent:
        held = version_on(policy, day) or max(policy.versions, key=lambda version: version.version)
        terms = replace(
            held,
            version=max(version.version for version in policy.versions) + 1,
            effective=day,
            limit=_amount(limit, policy) if limit else held.limit,
            deductible=_amount(deductible, policy) if deductible else held.deductible,
        )
        return PolicyEndorsed(terms=terms, reason=reason)

    _record(ctx, number, wanted, who)


def lapse(
    ctx: typer.Context,
    number: Number,
    since: From = "",
    grace: Annotated[bool, typer.Option("--grace", help="The time to pay has not ended yet.")] = False,
    reason: Why = "",
    who: As = SOMEBODY,
) -> None:
    """Record that the premium was not paid: no cover from the day on."""
    from domain.policy_events import PolicyLapsed

    day = _day(since)
    _record(ctx, number, lambda policy: PolicyLapsed(effective=day, grace=grace, reason=reason), who)


def cancel(ctx: typer.Context, number: Number, since: From = "", reason: Why = "", who: As = SOMEBODY) -> None:
    """End the policy: no cover from the day on."""
    from domain.policy_events import PolicyCancelled

    day = _day(since)
    _record(ctx, number, lambda policy: PolicyCancelled(effective=day, reason=reason), who)


def reinstate(ctx: typer.Context, number: Number, since: From = "", reason: Why = "", who: As = SOMEBODY) -> None:
    """Give cover again from the day on."""
    from domain.policy_events import PolicyReinstated

    day = _day(since)
    _record(ctx, number, lambda policy: PolicyReinstated(effective=day, reason=reason), who)


def quarantine(ctx: typer.Context, number: Number, reason: Why = "", who: As = SOMEBODY) -> None:
    """Trust the record no more until it is released: its claims are reviewed by a person."""
    from domain.policy_events import PolicyQuarantined

    said = _said(reason)
    _record(ctx, number, lambda policy: PolicyQuarantined(reason=said), who)


def release(ctx: typer.Context, number: Number, reason: Why = "", who: As = SOMEBODY) -> None:
    """Trust the record again: somebody checked it."""
    from domain.policy_events import PolicyReleased

    said = _said(reason)
    _record(ctx, number, lambda policy: PolicyReleased(reason=said), who)


def _day(text: str) -> date:
    from datetime import date

    from domain.requests import FIRST_YEAR, LAST_YEAR

    try:
        day = date.fromisoformat(text)
    except ValueError as problem:
        raise Problem(f"--from {text[:40]!r}: give the day as 2025-01-31") from problem
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise Problem(f"--from {text}: the year is not between {FIRST_YEAR} and {LAST_YEAR}")
    return day


def _said(reason: str) -> str:
    if not reason.strip() or len(reason) > 10_000:
        raise Problem("say why: --reason TEXT")
    return reason


def _amount(text: str, policy: Policy) -> Any:
    from domain.money import MoneyError, parse_money

    try:
        return parse_money(text, policy.currency)
    except MoneyError as problem:
        raise Problem(f"the amount {text!r}: {problem}") from problem


def _record(ctx: typer.Context, number: str, event: Callable[[Policy], PolicyEvent], who: str) -> None:
    given = given_of(ctx)
    after = run_async(_recorded(given, number, event, person(given, who)))
    told = {"policyNumber": after.number, "versions": len(after.versions), "revision": after.revision}
    answer(given, told, lambda: f"{after.number}: version {len(after.versions)}, revision {after.revision}")


async def _recorded(given: Given, number: str, event: Callable[[Policy], PolicyEvent], by: Actor) -> Policy:
    from workers.recording import NoSuchRecord, PolicyHistoryError, Recorder

    async with opened_application(given) as app:
        try:
            return await Recorder(app).policy(number, event, by)
        except NoSuchRecord as problem:
            raise Problem(f"policy {number[:80]!r} not found") from problem
        except PolicyHistoryError as problem:
            raise Problem(f"policy {number}: {problem}") from problem


async def _told(given: Given, number: str) -> dict[str, Any]:
    import msgspec

    async with opened_application(given) as app:
        policy = (await app.policies.find([number])).get(number)
        if policy is None:
            raise Problem(f"policy {number[:80]!r} not found")
        rows = await app.store.reads.many([("HKEYS", keys.losses(number)) for keys in app.all_claim_keys()])
        ids = sorted(name.decode() for row in rows for name in row)
        claims = [claim for claim in await app.claims.read(ids) if claim is not None]
    told: dict[str, Any] = msgspec.to_builtins(policy)
    told["claims"] = [
        {
            "claimId": claim.claim_id,
            "lossDate": claim.notice.loss_date.isoformat(),
            "state": claim.state.value,
            "policyVersion": claim.decision.policy_version or claim.coverage.policy_version,
        }
        for claim in claims
    ]
    return told


def _page(told: dict[str, Any]) -> Any:
    from rich.console import Group

    from domain.money import Money
    from workers.cli.output import table

    head = f"{told['number']}: {told['line']} in {told['jurisdiction']}, held by {told['customerId']}"
    if told.get("quarantine"):
        head += f"; quarantined: {told['quarantine']}"
    rows = [
        (
            one["version"],
            one["effective"],
            one.get("end", ""),
            *(Money(**one[name]) for name in ("deductible", "limit")),
        )
        for one in told["versions"]
    ]
    parts: list[Any] = [head, table(("version", "from", "to", "deductible", "limit"), rows, right=("version",))]
    stops = [
        (one["kind"], one["start"], one.get("end", ""), one.get("reason", "")) for one in told.get("interruptions", ())
    ]
    if stops:
        parts.append(table(("no cover", "from", "to", "why"), stops))
    claims = [(one["claimId"], one["lossDate"], one["policyVersion"], one["state"]) for one in told["claims"]]
    parts.append(table(("claim", "loss", "version used", "state"), claims) if claims else "no claim")
    return Group(*parts)
