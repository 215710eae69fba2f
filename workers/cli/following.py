"""What follows a command: the entries of the claim as they come, until somebody outside has to move."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from domain.claim_record import Claim
    from runtime.entry import Entry
    from workers.application import Application

Wait = Annotated[bool, typer.Option("--wait", help="Show what follows, until somebody else must move.")]

PATIENCE_SECONDS = 10.0
"""How long nothing may follow although something should, before we say so."""

LOOK_SECONDS = 0.02

MOVING = frozenset({"SUBMITTED", "VALIDATED", "APPROVED", "REJECTED", "PAID"})
"""States in which the claims processor moves next by itself."""


async def follow(app: Application, claim_id: str, told: Callable[[Entry], None], *, after: int = 0) -> bool:
    """Tell each entry of the claim with a sequence above `after`. False: nothing followed in time.

    A claim that waits in a moving state for something outside (a payee, an adjuster) ends in False as well.
    """
    from workers.claim_reading import ClaimReader

    reader = ClaimReader(app.store.reads, app.claim_keyspace)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        for entry in await reader.entries(claim_id, after=after):
            told(entry)
            after, deadline = entry.sequence, time.monotonic() + PATIENCE_SECONDS
        claim = await reader.claim(claim_id)
        if claim is not None and claim.version == after and not _moves_by_itself(claim):
            return True
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(LOOK_SECONDS)


def _moves_by_itself(claim: Claim) -> bool:
    """Does the claims processor have the next move? Also when everything that was asked for has come in."""
    if claim.state.value == "AWAITING_INFORMATION" and claim.request is not None:
        return not claim.request.outstanding
    return claim.state.value in MOVING


def entry_line(entry: Entry) -> str:
    """One entry for people, on one line."""
    return f"{entry.timestamp}  {entry.entity}  {entry.sequence:>3}  {entry.type:<32} {entry.actor}"
