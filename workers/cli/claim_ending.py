"""How a claim ends, and begins again: withdrawn, closed, reopened."""

from __future__ import annotations

from typing import Annotated

import typer

from workers.cli.errors import Problem
from workers.cli.following import Wait  # noqa: TC001  # typer reads the annotations when the program runs
from workers.cli.issuing import Ident, issue, needed
from workers.cli.people import SOMEBODY, As

OUTCOMES = ("withdrawn", "paid", "paid_partial")


def add_to(group: typer.Typer) -> None:
    """Add the commands to their group."""
    group.command("withdraw")(withdraw)
    group.command("close")(close)
    group.command("reopen")(reopen)


def withdraw(
    ctx: typer.Context,
    ident: Ident,
    reason: Annotated[str, typer.Option(help="Why. Needed.")] = "",
    outcome: Annotated[
        str, typer.Option(help="withdrawn; once something was paid: paid or paid_partial.")
    ] = "withdrawn",
    who: Annotated[str, typer.Option("--as", metavar="ROLE:ID", help="Who withdraws; else the claimant.")] = "",
    wait: Wait = False,
) -> None:
    """Take the claim back, as the claimant or in the claimant's name."""
    from domain.commands import WithdrawClaim

    if outcome not in OUTCOMES:
        raise Problem(f"--outcome {outcome[:40]}: choose one of {', '.join(OUTCOMES)}")
    said = needed(reason, "a withdrawal needs a reason")
    command = WithdrawClaim(reason=said, outcome=outcome)  # type: ignore[arg-type]  # one of OUTCOMES
    issue(ctx, ident, command, who, wait=wait, claimant=True)


def close(
    ctx: typer.Context,
    ident: Ident,
    reason: Annotated[str, typer.Option(help="A word for the file.")] = "",
    who: As = SOMEBODY,
    wait: Wait = False,
) -> None:
    """Close the claim; the outcome follows from what was decided and paid."""
    from domain.commands import CloseClaim

    issue(ctx, ident, CloseClaim(reason=reason), who, wait=wait)


def reopen(
    ctx: typer.Context,
    ident: Ident,
    code: Annotated[str, typer.Option(help="NEW_FACTS, or another code of yours.")] = "NEW_FACTS",
    reason: Annotated[str, typer.Option(help="What is new. Needed.")] = "",
    who: As = SOMEBODY,
    wait: Wait = False,
) -> None:
    """Open a closed claim again: the same loss with new facts."""
    from domain.commands import ReopenClaim

    command = ReopenClaim(reason_code=code, reason=needed(reason, "to reopen needs a reason"))
    issue(ctx, ident, command, who, wait=wait)
