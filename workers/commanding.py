"""A command of a person, carried out: load the claim, decide, append under the version that the decision saw.

Two people who decide at once get one winner: the other's command is decided again on the claim as it is
then, and is carried out or refused on that. A reply that was lost is asked for again with the same command
id, never done twice.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

import msgspec

from domain.claim_record import Claim
from domain.commands import MarkDuplicate
from domain.context import Context, History, Ties
from domain.deciding import decide
from domain.decisions.intake import cannot_survive
from domain.outcome import Accepted, Refused
from domain.privacy import subjects_of
from domain.roster import superiors
from runtime.errors import Conflict
from runtime.store.append import Appended
from workers.claim_log import Cause
from workers.zones import zone_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from domain.bodies.base import Actor
    from domain.commands import Command
    from workers.application import Application

MOST_CONFLICTS = 50
"""Decisions on one command before it is given up: each lost one means that somebody else wrote in between."""

PATIENCE_SECONDS = 10.0
"""How long a command asks again while the store is away or its answer was lost; people wait for it."""


class Issued(msgspec.Struct, frozen=True):
    """A command that was carried out: the claim after it, its facts by type, where they stand in the log.

    `repeated`: it had been carried out before (the same command id), as the entries that are named.
    """

    claim: Claim
    event_types: tuple[str, ...]
    entry_ids: tuple[str, ...]
    repeated: bool = False


class Commander:
    """Carries out commands on the claims of one application."""

    def __init__(self, app: Application) -> None:
        """`app` is open."""
        self._app = app

    async def issue(
        self,
        claim_id: str,
        wanted: Command | Callable[[Claim | None], Command],
        actor: Actor,
        *,
        command_id: str = "",
    ) -> Issued | Refused:
        """Carry out one command. `wanted` may depend on the claim: then it is made anew for every decision.

        Raises store faults when the store stays away, `Conflict` when others win `MOST_CONFLICTS` times.
        """
        identity = command_id or uuid4().hex
        for _ in range(MOST_CONFLICTS):
            claim = (await self._app.claims.read([claim_id]))[0]
            command = wanted(claim) if callable(wanted) else wanted
            outcome = decide(claim, command, await self._context(claim, command, actor))
            if isinstance(outcome, Refused):
                return outcome
            if not outcome.facts:
                return Issued(outcome.claim, (), ())
            if claim is not None and isinstance(command, MarkDuplicate):
                unfit = await self._unfit_survivor(claim, command.surviving_claim_id)
                if unfit is not None:
                    return unfit
            await self._prepare_keys(claim_id, outcome)
            unit, after = self._app.claim_log.append(claim, outcome, Cause(identity, identity, command_id=identity))
            (answer,) = await self._app.store.appender.append_surely([unit], seconds=PATIENCE_SECONDS)
            if isinstance(answer, Appended):
                if answer.repeated:  # what was decided just now was not written: the claim is as it was found
                    return Issued(claim or after, (), answer.ids, repeated=True)
                return Issued(after, tuple(fact.type for fact in outcome.facts), answer.ids)
        raise Conflict(f"{claim_id} was changed by others {MOST_CONFLICTS} times in a row: try again")

    async def _context(self, claim: Claim | None, command: Command, actor: Actor) -> Context:
        """What the decision may know: policy and payee of the claim (or of the notice), other losses, adjusters."""
        notice = claim.notice if claim is not None else command
        number, claimant = getattr(notice, "policy_number", ""), getattr(notice, "claimant_id", "")
        policies = await self._app.policies.find([number] if number else [])
        payees = await self._app.payees.find([claimant] if claimant else [])
        timing = self._app.timing
        if claim is None:
            history, ties, roster = History(), Ties(), None
        else:
            losses = await self._app.losses.about([claim])
            history, ties, roster = losses.history(claim), losses.ties(claim), await self._app.roster.snapshot()
        return Context(
            now=timing.after(claim.updated_at if claim is not None else _reported(command)),
            actor=actor,
            policy=policies.get(number),
            lookups=2,  # the book is the record itself: there is no view that could be stale
            payee=payees.get(claimant),
            roster=roster,
            history=history,
            ties=ties,
            superiors=superiors(roster, actor.id) if roster is not None else (),
            rules=self._app.rules,
            zone=zone_of(getattr(notice, "jurisdiction", "")),
        )

    async def _unfit_survivor(self, claim: Claim, name: str) -> Refused | None:
        """A refusal when the claim that is to stay is not there, or was closed as a duplicate itself."""
        why = cannot_survive((await self._app.claims.read([name]))[0], name)
        if not why:
            return None
        return Refused(code="INVALID", message=why, command="MarkDuplicate", state=claim.state.value)

    async def _prepare_keys(self, claim_id: str, accepted: Accepted) -> None:
        """Fetch or make the keys of the subjects at once, off the loop: sealing then waits for nothing."""
        subjects = {subject for fact in accepted.facts for subject in subjects_of(fact.type, claim_id, fact.body)}
        if subjects:
            await asyncio.to_thread(self._app.sealer.prepare, sorted(subjects))


def _reported(command: Command) -> datetime:
    """When a notice was reported; the beginning of time for a command on a claim that is not there."""
    return getattr(command, "reported_at", datetime.min.replace(tzinfo=UTC))
