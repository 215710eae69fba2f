"""Requests of foreign producers: each valid one becomes facts with our own identity, each other one is parked with why.

The command id is the request's claim and `eventId`, so that a request that its producer sends twice has one effect.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from domain.bodies.base import Actor
from domain.context import Context
from domain.deciding import decide
from domain.identity import command_id
from domain.outcome import Refused
from domain.requests import SOME_CUSTOMER, Raw, Rejected, Skipped, read_request
from runtime.effects import Append, Park
from workers.claim_log import Cause
from workers.zones import zone_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, tzinfo

    from domain.claim_record import Claim
    from domain.policy import Policy
    from domain.requests import Wish
    from domain.rules import Rules
    from runtime.entry import Entry
    from workers.claim_log import ClaimLog
    from workers.ports import ClaimViews, PolicyBook
    from workers.timing import Timing

DONE_BEFORE = frozenset({"REPEATED"})
"""Refusals that mean that the wish is fulfilled already."""

AHEAD = timedelta(days=1)
"""How far a producer's clock may be ahead of the store's: a claim that begins in the future would stay there."""

NO_CLOCK_MS = 946_684_800_000
"""Entry ids before the year 2000 were not given by a store's clock."""

UNKNOWN_JURISDICTION = "US"
"""Where a policy lives that nobody knows: the model rules apply (domain.md section 9)."""


class Adoption:
    """Reads raw requests and decides on them."""

    def __init__(
        self,
        claims: ClaimViews[Claim],
        policies: PolicyBook[Policy],
        log: ClaimLog,
        timing: Timing,
        rules: Rules,
        *,
        allowed: bool = True,
    ) -> None:
        """`allowed` False (production, on the log itself): every raw entry is parked."""
        self._claims = claims
        self._policies = policies
        self._log = log
        self._timing = timing
        self._rules = rules
        self._allowed = allowed

    async def adopt(self, requests: Sequence[Entry]) -> list[Append | Park]:
        """What becomes of these requests, in order."""
        if not self._allowed:
            reason = "raw entries are not taken here: use append or claims:requests"
            return [Park(entry.id, reason) for entry in requests]
        known = await self._claims.read([entry.entity for entry in requests])
        claims = {entry.entity: claim for entry, claim in zip(requests, known, strict=True)}
        numbers = {number for number in map(_policy_number, requests) if number}
        numbers |= {claim.notice.policy_number for claim in known if claim is not None}
        policies = await self._policies.find(sorted(numbers))
        wanted: list[Append | Park] = []
        for entry in requests:
            outcome = self._adopted(entry, claims, policies)
            if outcome is not None:
                wanted.append(outcome)
        return wanted

    def _adopted(
        self, entry: Entry, claims: dict[str, Claim | None], policies: Mapping[str, Policy]
    ) -> Append | Park | None:
        """One request; `claims` moves on with every accepted one, so that two for one claim follow each other."""
        claim = claims[entry.entity]
        policy = policies.get(claim.notice.policy_number if claim is not None else _policy_number(entry))
        jurisdiction = policy.jurisdiction if policy is not None else UNKNOWN_JURISDICTION
        data = entry.data.decode(errors="replace")
        raw = Raw(entry.type, entry.entity, entry.event_id, entry.timestamp, data, entry.version)
        zone = zone_of(claim.notice.jurisdiction if claim is not None else jurisdiction)
        wish = read_request(raw, jurisdiction=jurisdiction, zone=zone)
        if isinstance(wish, Skipped):
            return None
        if isinstance(wish, Rejected):
            return Park(entry.id, wish.message)
        if _is_ahead(wish.at, entry.added_ms):
            return Park(entry.id, f"timestamp {entry.timestamp} lies in the future")
        outcome = decide(claim, wish.command, self._context(wish, policy, claim, zone))
        if isinstance(outcome, Refused):
            return None if outcome.code in DONE_BEFORE else Park(entry.id, str(outcome))
        # With the claim: a producer that gives two claims one eventId has sent two requests, and none may get lost.
        identity = command_id("request", entry.entity, entry.event_id or entry.id)
        cause = Cause(id=entry.event_id or entry.id, correlation_id=entry.event_id or entry.id, command_id=identity)
        unit, claims[entry.entity] = self._log.append(claim, outcome, cause)
        return unit

    def _context(self, wish: Wish, policy: Policy | None, claim: Claim | None, zone: tzinfo) -> Context:
        actor: Actor = wish.actor
        if claim is not None and (actor.role, actor.id) == ("claimant", SOME_CUSTOMER):
            actor = Actor(id=claim.notice.claimant_id, role="claimant")
        return Context(
            now=self._timing.after(wish.at), actor=actor, policy=policy, lookups=2, rules=self._rules, zone=zone
        )


def _is_ahead(at: datetime, added_ms: int) -> bool:
    """Is this moment later than when the store took the entry? An id that its producer made up says nothing."""
    return added_ms > NO_CLOCK_MS and at.timestamp() * 1000 > added_ms + AHEAD.total_seconds() * 1000


def _policy_number(entry: Entry) -> str:
    """The policy that a submission names; '' when it names none. Read leniently: the request is judged later."""
    try:
        data = msgspec.json.decode(entry.data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    number = data.get("policyId") or data.get("policyNumber") if isinstance(data, dict) else ""
    return number if isinstance(number, str) and len(number) <= 128 else ""
