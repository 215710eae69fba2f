"""`claim submit`: one first notice of loss, in the words of the lab."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workers.cli.errors import Problem
from workers.cli.following import Wait, entry_line, follow
from workers.cli.given import given_of
from workers.cli.looping import run_async
from workers.cli.opening import opened_application
from workers.cli.output import answer
from workers.cli.people import person

if TYPE_CHECKING:
    from workers.cli.given import Given

MAX_BYTES = 262_144
"""Longest submission (256 KiB): what an entry of the log may weigh."""


def add_to(group: typer.Typer) -> None:
    """Add the command to its group."""
    group.command("submit")(submit)


def submit(
    ctx: typer.Context,
    body: Annotated[str, typer.Argument(metavar="JSON|FILE|-", help="policyId, customerId, amount ...")],
    reference: Annotated[str, typer.Option(help="Your own reference: the same one again is the same claim.")] = "",
    who: Annotated[str, typer.Option("--as", metavar="ROLE:ID", help="Who reports; else the customer.")] = "",
    wait: Wait = False,
) -> None:
    """Submit one claim and print its id.

    The JSON has policyId, customerId, amount, description and type (auto, home, life); id, priority,
    incidentDate, peril and currency may be there as well.
    """
    run_async(_submitted(given_of(ctx), _text(body), reference, who, wait=wait))


async def _submitted(given: Given, text: bytes, reference: str, who: str, *, wait: bool) -> None:
    from uuid import uuid4

    from domain.outcome import Refused
    from domain.requests import Rejected
    from workers.commanding import Commander
    from workers.lab_submission import SOURCE, NotALabBody, read_lab_body

    async with opened_application(given) as app:
        try:
            wish = await read_lab_body(app, text, reference or uuid4().hex, app.clock.now())
        except NotALabBody as problem:
            raise Problem(str(problem)) from problem
        if isinstance(wish, Rejected):
            raise Problem(wish.message)
        claim_id: str = wish.command.claim_id  # type: ignore[attr-defined]  # a submission has one
        identity = f"{SOURCE}:{reference}" if reference else ""
        actor = person(given, who) if who else wish.actor
        outcome = await Commander(app).issue(claim_id, wish.command, actor, command_id=identity)
        if isinstance(outcome, Refused) and outcome.code != "REPEATED":
            from workers.cli.issuing import refused

            raise refused(claim_id, outcome)
        repeated = isinstance(outcome, Refused) or outcome.repeated
        lines: list[str] = []
        events: list[str] = []
        if wait:

            def tell(entry: Any) -> None:
                lines.append(entry_line(entry))
                events.append(entry.type)

            await follow(app, claim_id, tell)
    told = {"claimId": claim_id, "added": not repeated, "events": events}
    answer(given, told, lambda: "\n".join([claim_id, *lines]))


def _text(body: str) -> bytes:
    """The JSON itself, a file that holds it, or stdin. `Problem`: there is no such file, or it is long."""
    if body.lstrip().startswith("{"):
        text = body.encode(errors="replace")
    elif body == "-":
        text = sys.stdin.buffer.read(MAX_BYTES + 1)
    else:
        text = _file(body)
    if len(text) > MAX_BYTES:
        raise Problem(f"the submission is longer than {MAX_BYTES:,} bytes")
    return text


def _file(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except OSError as problem:
        why = problem.strerror or type(problem).__name__
        raise Problem(f"{path[:200]}: {why}; give JSON, a file that holds it, or -") from problem
    except ValueError as problem:  # a NUL in the name
        raise Problem("give JSON, a file that holds it, or - for stdin") from problem
