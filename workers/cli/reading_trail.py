"""Who of the house reads a restricted claim leaves a trail on it: written first, shown then; no trail, no look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from workers.cli.errors import Problem
from workers.cli.issuing import refused
from workers.cli.opening import opened_application

if TYPE_CHECKING:
    from collections.abc import Iterable

    from domain.bodies.base import Actor
    from domain.claim_record import Claim
    from domain.restricted import Purpose
    from workers.cli.given import Given

For = Annotated[
    str,
    typer.Option(
        "--purpose",
        metavar="WHY",
        help="Why you look, where the claim is restricted: handling, investigation, review, audit, complaint or "
        "litigation. It is kept on the claim.",
    ),
]
"""The option of every command that shows a restricted claim."""

HANDLING = "handling"


def purpose_of(text: str) -> Purpose:
    """The code. `Problem`: it is none."""
    from domain.restricted import PURPOSES

    for known in PURPOSES:
        if known == text:
            return known
    raise Problem(f"--purpose {text[:40]}: choose one of {', '.join(PURPOSES)}")


async def leave_trail(given: Given, actor: Actor, claims: Iterable[Claim], view: str, purpose: Purpose) -> None:
    """Record on each of these claims that is restricted that `actor` reads it in `view` (the name of the command).

    `Problem`: it could not be recorded. Writes nothing for claims that are not restricted.
    """
    from domain.commands import RecordAccess
    from domain.outcome import Refused
    from domain.restricted import restricted
    from workers.commanding import Commander

    found = [claim.claim_id for claim in claims if restricted(claim)]
    if not found:
        return
    async with opened_application(given) as app:
        for claim_id in found:
            outcome = await Commander(app).issue(claim_id, RecordAccess(view=view, purpose=purpose), actor)
            if isinstance(outcome, Refused):
                raise refused(claim_id, outcome)
