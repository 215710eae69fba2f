"""The index of losses: every loss and insured of the facts is in it and nothing else, and who handles what is open.

A loss is asked for as its first notice passes by, so that only claims without one, and those in somebody's hands, are
in memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from domain.bodies.base import SYSTEM
from domain.bodies.handling import ClaimAssigned, ClaimReassigned
from domain.claim import decode_claim
from domain.events import EVENTS
from domain.portrait import trace
from workers.claim_log import SNAPSHOT_BODY
from workers.claims_processor import ClaimsProcessor
from workers.loss_index import NO_LOSS, Loss, ties_of
from workers.verifying.report import shown
from workers.work_lists import ENDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.claim_record import Claim
    from domain.events import Fact
    from runtime.entry import Entry
    from runtime.store.reads import Reads
    from workers.keys import ClaimKeys
    from workers.verifying.names import Names
    from workers.verifying.places import Page, Place
    from workers.verifying.report import Findings

FAMILIES = ("losses", "insured", "handlers")

HANDS_OVER = frozenset({ClaimAssigned, ClaimReassigned, *(EVENTS[name] for name in (ENDS | NO_LOSS))})
"""Bodies that give a claim to somebody, or end it: they change who handles what."""

_encode = msgspec.json.Encoder().encode


class IndexCheck:
    """`losses:*`, `insured:*` and `handlers:*` of one partition."""

    def __init__(self, reads: Reads, place: Place, keys: ClaimKeys, findings: Findings, names: Names) -> None:
        """`keys` of the partition."""
        self._reads = reads
        self._place = place
        self._keys = keys
        self._names = names
        self._losses = findings["losses"]
        self._found = findings["handlers"]
        self._missing: dict[str, str] = {}
        self._kept = 0
        self._insured = 0
        self._ties: dict[str, tuple[str, ...]] = {}
        self._handlers: dict[str, dict[str, str]] = {}

    async def page(self, page: Page) -> None:
        """Fold one page; what it says of losses is asked for at once."""
        await self._check_notices(page)
        facts = [(entry, fact) for entry, fact in page.stated if type(fact.body) in HANDS_OVER]
        await self._find_ties([fact.claim_id for _, fact in facts if fact.type not in ENDS])
        for entry, fact in facts:
            self._hand(entry, fact)
            if fact.type in NO_LOSS and self._place.applied(ClaimsProcessor.group, entry):
                await self._check_no_loss(fact)
        self._forget({fact.claim_id for _, fact in facts if fact.type in ENDS})

    async def finish(self) -> None:
        """Losses that are missing for no reason, and whatever no fact explains."""
        for where in self._missing.values():
            self._losses.wrong(f"{where} is missing")
        await self._find_strangers("losses", "HKEYS", "HLEN", self._kept)
        await self._find_strangers("insured", "SMEMBERS", "SCARD", self._insured)
        await self._compare_handlers()

    async def _check_notices(self, page: Page) -> None:
        """The losses of the notices, and who is insured, as they have to stand."""
        questions: list[tuple[str, ...]] = []
        wanted: list[tuple[Claim, str, str, bytes]] = []
        for entry, fact in self._place.settled(ClaimsProcessor.group, page):
            claim = page.begun.get(entry.id)
            if claim is None:
                continue
            self._ties[fact.claim_id] = ties_of(claim)
            losses = self._keys.losses(claim.notice.policy_number)
            insured = self._keys.insured(claim.notice.insured_id or claim.notice.claimant_id)
            questions += [("HGET", losses, fact.claim_id), ("SISMEMBER", insured, fact.claim_id)]
            wanted.append((claim, losses, insured, _encode(Loss(trace(claim), entry.id))))
        answers = iter(await self._reads.many(questions))
        for claim, losses, insured, loss in wanted:
            stored, member = next(answers), next(answers)
            if stored is None:
                self._missing[claim.claim_id] = f"{losses}: {claim.claim_id}"
            else:
                self._kept += 1
                self._losses.same(f"{losses}: {claim.claim_id}", loss, stored)
            if member:
                self._insured += 1
                self._losses.right()
            else:
                self._losses.wrong(f"{insured}: {claim.claim_id} is missing")

    async def _check_no_loss(self, fact: Fact) -> None:
        """It turned out to be no loss of its own: then there is none under its policy."""
        if self._missing.pop(fact.claim_id, None) is not None:
            self._losses.right()
            return
        key = self._keys.losses(fact.body.policy_number)
        if await self._reads.one("HGET", key, fact.claim_id) is not None:
            self._losses.wrong(f"{key}: {fact.claim_id} is there, though {fact.type} took it away")

    async def _find_strangers(self, family: str, members: str, size: str, known: int) -> None:
        """Members beyond those that were asked for; only when there are any, each of them is looked at."""
        names = await self._names.of(family, self._keys)
        there = await self._reads.many([(size, name) for name in names])
        surplus = sum(there) - known
        if surplus <= 0:
            return
        for name in names:
            claim_ids = [raw.decode(errors="replace") for raw in await self._reads.one(members, name)]
            for claim_id in claim_ids:
                if await self._belongs(family, claim_id) != name:
                    self._losses.wrong(f"{name}: {shown(claim_id)} is there, and no fact puts it there")

    async def _belongs(self, family: str, claim_id: str) -> str:
        """The key of the family that the claim belongs under; '' when there is no such claim here."""
        body = await self._reads.one("HGET", self._place.keyspace.snapshot(claim_id), SNAPSHOT_BODY)
        if body is None or self._place.keyspace.partition_of(claim_id) != self._place.partition:
            return ""
        notice = decode_claim(body).notice
        if family == "losses":
            return self._keys.losses(notice.policy_number)
        return self._keys.insured(notice.insured_id or notice.claimant_id)

    def _hand(self, entry: Entry, fact: Fact) -> None:
        """Who has it: a decision of the processor counts with its append, as loads do."""
        applied = self._place.applied(ClaimsProcessor.group, entry)
        if isinstance(fact.body, ClaimAssigned | ClaimReassigned) and (applied or fact.actor == SYSTEM):
            for tie in self._ties.get(fact.claim_id, ()):
                self._handlers.setdefault(tie, {})[fact.claim_id] = fact.body.adjuster_id
        elif fact.type in ENDS and applied:
            for tie in self._ties.get(fact.claim_id, ()):
                held = self._handlers.get(tie, {})
                held.pop(fact.claim_id, None)
                if not held:
                    self._handlers.pop(tie, None)

    def _forget(self, ended: set[str]) -> None:
        """What tied claims to others that nobody works on any more."""
        for claim_id in ended:
            if not any(claim_id in self._handlers.get(tie, ()) for tie in self._ties.get(claim_id, ())):
                self._ties.pop(claim_id, None)

    async def _find_ties(self, claim_ids: Sequence[str]) -> None:
        """What ties claims to others that had ended, and are given to somebody again."""
        wanted = [claim_id for claim_id in dict.fromkeys(claim_ids) if claim_id not in self._ties]
        commands = [("HGET", self._place.keyspace.snapshot(name), SNAPSHOT_BODY) for name in wanted]
        for claim_id, body in zip(wanted, await self._reads.many(commands), strict=True):
            if body is not None:
                self._ties[claim_id] = ties_of(decode_claim(body))

    async def _compare_handlers(self) -> None:
        expected = {self._keys.handlers(tie): by_claim for tie, by_claim in self._handlers.items()}
        names = sorted({*expected, *await self._names.of("handlers", self._keys)})
        rows = await self._reads.many([("HGETALL", name) for name in names])
        for name, row in zip(names, rows, strict=True):
            stored = {claim.decode(errors="replace"): who.decode(errors="replace") for claim, who in row.items()}
            known = expected.get(name, {})
            for claim_id in {**known, **stored}:
                self._found.same(f"{name}: {claim_id}", known.get(claim_id), stored.get(claim_id))
