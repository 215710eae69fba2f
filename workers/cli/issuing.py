"""A command of a person on one claim: asked for, carried out, and told in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from workers.cli.errors import Problem
from workers.cli.following import entry_line, follow
from workers.cli.given import given_of
from workers.cli.looping import run_async
from workers.cli.opening import checked_claim_id, no_such_claim, opened_application
from workers.cli.output import answer
from workers.cli.people import person

if TYPE_CHECKING:
    from collections.abc import Callable

    from domain.bodies.base import Actor
    from domain.claim_record import Claim
    from domain.commands import Command
    from domain.money import Money
    from workers.application import Application
    from workers.cli.given import Given

Ident = Annotated[str, typer.Argument(metavar="ID", help="The claim, CLM-...")]

MOST_TEXT = 10_000
"""Longest reason or note: a page or two. What is longer is a document."""


def issue(
    ctx: typer.Context,
    ident: str,
    wanted: Command | Callable[[Claim | None], Command],
    who: str,
    *,
    wait: bool,
    claimant: bool = False,
) -> None:
    """Carry the command out and say what happened. `Problem`: refused, or there is no such claim.

    `claimant`: when `who` is empty the claimant of the claim acts.
    """
    given = given_of(ctx)
    wish = wanted if callable(wanted) else _always(wanted)
    actor = None if claimant and not who else person(given, who)
    run_async(_carried_out(given, checked_claim_id(ident), wish, actor, wait=wait))


def _always(command: Command) -> Callable[[Claim | None], Command]:
    return lambda claim: command


def needed(text: str, what: str, option: str = "--reason TEXT") -> str:
    """A text that a command cannot do without. `Problem`: it is empty, long, or not for people's eyes."""
    if not text.strip():
        raise Problem(f"{what}: {option}")
    if len(text) > MOST_TEXT:
        raise Problem(f"{option.split()[0]}: {len(text):,} characters; {MOST_TEXT:,} at most")
    return text


def amount_of(text: str, claim: Claim | None) -> Money:
    """An amount in major units of the claim's currency, such as 2500.00. `Problem`: it is none."""
    from domain.money import MoneyError, parse_money

    try:
        return parse_money(text, claim.currency if claim is not None else "USD")
    except MoneyError as problem:
        raise Problem(f"the amount {text!r}: {problem}") from problem


async def _carried_out(
    given: Given, claim_id: str, wanted: Callable[[Claim | None], Command], actor: Actor | None, *, wait: bool
) -> None:
    from domain.outcome import Refused
    from workers.commanding import Commander

    async with opened_application(given) as app:
        actor = actor or await _claimant(app, claim_id)
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


async def _claimant(app: Application, claim_id: str) -> Actor:
    """The claimant of a claim. `Problem`: there is no such claim."""
    from domain.bodies.base import Actor

    (claim,) = await app.claims.read([claim_id])
    if claim is None:
        raise no_such_claim(claim_id)
    return Actor(id=claim.notice.claimant_id, role="claimant")


def refused(claim_id: str, outcome: Any) -> Problem:
    """A refusal of the domain as one line: claim, state, command, guard, why."""
    if outcome.code == "NOT_FOUND":
        return Problem(f"claim {claim_id} not found ({outcome.command}: NOT_FOUND)")
    return Problem(f"{claim_id}: {outcome}")
