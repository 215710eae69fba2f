"""The load: clients that decide on claims and append under a version, and foreign producers of raw requests.

Several clients work on a few hot claims at once, so they race for versions. Who does not learn the outcome of an append
asks again with the same command id; some give up, and their append may then be there or not. Everything that was
tried and told goes into the history.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import TYPE_CHECKING, Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from domain.bodies.base import Actor
from domain.commands import AddNote, Command
from domain.context import Context
from domain.deciding import decide
from domain.identity import event_id
from domain.outcome import Accepted
from domain.privacy import subjects_of
from domain.requests import Raw, Wish, read_request
from runtime.errors import Halted, RuntimeFault, StoreUnavailable
from runtime.store.append import Appended, Rejected
from runtime.store.keys import Keyspace
from tests.chaos.campaign import junk
from tests.chaos.campaign.embedded_target import AWAY
from tests.chaos.topologies.raw_writer import RawWriter
from workers.claim_log import Cause
from workers.keys import claim_log, request_log
from workers.ports import KeyVaultUnavailable

if TYPE_CHECKING:
    import random

    from domain.claim_record import Claim
    from runtime.effects import Append
    from tests.chaos.campaign.history import History
    from workers.application import Application

MANAGER = Actor(id="manager-1", role="claims_manager")
CANARY = "canary-of-a-person"
"""Stands in texts that are sealed before they leave the process: nowhere may it be read in clear (I16)."""
HOT = 5
"""Claims that every client works on: the fewer, the more races."""


def digest_of(fields: list[str]) -> str:
    """What an entry is told by that carries no id: a hash of its flat fields, as texts of latin-1."""
    return hashlib.sha256("\x00".join(fields).encode("latin-1")).hexdigest()[:24]


def _flat(fields: junk.Fields) -> list[str]:
    parts = (part for pair in fields.items() for part in pair)
    return [(part.encode() if isinstance(part, str) else part).decode("latin-1") for part in parts]


def wish_for(chance: random.Random, number: int) -> tuple[str, dict[str, Any]]:
    """What somebody may want of a claim, in the lab's words; it may come too early, too late, or twice."""
    wishes: list[tuple[str, dict[str, Any]]] = [
        ("claim.approved", {"approvedAmount": 75, "approvedBy": "manager-1"}),
        ("claim.rejected", {"rejectionReason": "not covered", "rejectedBy": "manager-1"}),
        ("claim.document.uploaded", {"documentId": f"D{number}", "documentType": "photo"}),
    ]
    return chance.choice(wishes)


class Book:
    """What all clients of a seed share: the claims that there are, numbers for ids, when to end."""

    def __init__(self, chance: random.Random, history: History) -> None:
        """No claim yet."""
        self.chance = chance
        self.history = history
        self.claims: list[str] = []
        self.stopping = False
        self.allowed = asyncio.Event()
        """Cleared while nothing is to come in."""
        self.allowed.set()
        self.pause = 0.03
        """Mean seconds between two operations of a client."""
        self._number = 0

    def number(self) -> int:
        """The next number."""
        self._number += 1
        return self._number

    async def breath(self) -> None:
        """Between two operations."""
        await asyncio.sleep(self.chance.uniform(0.2, 1.8) * self.pause)

    def policy(self) -> str:
        """A motor policy of the lab's sample."""
        return f"{1 + 3 * self.chance.randrange(60):03d}"

    def notice(self) -> dict[str, Any]:
        """The lab's body of a first notice of loss."""
        number = self.policy()
        amount = self.chance.choice([80, 950, 2500, 7200, 123.45])
        return {
            "policyId": f"POL-{number}", "customerId": f"CUST-{number}", "amount": amount,
            "description": f"Collision {self._number}", "type": "auto",
        }  # fmt: skip


class Client:
    """Decides and appends, as the application does for a person."""

    def __init__(self, name: str, app: Application, book: Book) -> None:
        """`app` is open, over a connection of this client's own."""
        self.name = name
        self._app = app
        self._book = book

    async def run(self) -> None:
        """One operation after the other."""
        while not self._book.stopping:
            await self._book.allowed.wait()
            try:
                await self.operate()
            except (StoreUnavailable, KeyVaultUnavailable, *AWAY):
                await asyncio.sleep(0.1)
            except Halted:
                await asyncio.sleep(0.2)
            await self._book.breath()

    async def operate(self) -> None:
        """Submit a claim, or decide something on one."""
        chance, book = self._book.chance, self._book
        if len(book.claims) < HOT or chance.random() < 0.12:
            await self.submit(f"CLM-CAMP{book.number():06d}")
            return
        claim_id = chance.choice(book.claims[:HOT] if chance.random() < 0.6 else book.claims[-30:])
        (claim,) = await self._app.claims.read([claim_id])
        if claim is not None:
            await self.decide(claim_id, claim, *self._wish(claim_id))

    def _wish(self, claim_id: str) -> tuple[Command, Actor]:
        chance, number = self._book.chance, self._book.number()
        if chance.random() < 0.6:
            return AddNote(kind="call", note=f"{CANARY} {number}"), MANAGER
        kind, data = wish_for(chance, number)
        wish = read_request(
            Raw(kind, claim_id, f"c-{number}", "2026-01-20T10:00:00.000Z", json.dumps(data)), jurisdiction="OH"
        )
        assert isinstance(wish, Wish), wish
        return wish.command, wish.actor

    async def submit(self, claim_id: str) -> None:
        """A first notice of loss."""
        raw = Raw("claim.submitted", claim_id, claim_id, "2026-01-20T10:00:00.000Z", json.dumps(self._book.notice()))
        wish = read_request(raw, jurisdiction="OH")
        assert isinstance(wish, Wish), wish
        if await self.decide(claim_id, None, wish.command, wish.actor):
            self._book.claims.append(claim_id)

    async def decide(self, claim_id: str, claim: Claim | None, command: Command, actor: Actor) -> bool:
        """Decide, append, ask again; is it there for sure?"""
        number = claim.notice.policy_number if claim is not None else ""
        policies = await self._app.policies.find([number] if number else [])
        timing = self._app.timing
        now = timing.after(claim.updated_at) if claim is not None else timing.now()
        context = Context(now=now, actor=actor, policy=policies.get(number), lookups=2, rules=self._app.rules)
        outcome = decide(claim, command, context)
        if not isinstance(outcome, Accepted) or not outcome.facts:
            return False
        subjects = {subject for fact in outcome.facts for subject in subjects_of(fact.type, claim_id, fact.body)}
        await asyncio.to_thread(self._app.sealer.prepare, sorted(subjects))
        identity = f"{self.name}-{self._book.number()}"
        unit, _ = self._app.claim_log.append(claim, outcome, Cause(identity, identity, command_id=identity))
        return await self._append(unit, identity)

    async def _append(self, unit: Append, command: str) -> bool:
        book = self._book
        operation = f"{self.name}/{book.number()}"
        events = [event_id(f"{command}|{unit.entity}", place) for place in range(1, len(unit.events) + 1)]
        book.history.write(
            self.name, "try", op=operation, what="append", claim=unit.entity, command=command,
            expected=unit.expected_version, events=events,
        )  # fmt: skip
        patience = book.chance.choice([0, 20, 20, 20])
        sure = await self._once(unit, operation)
        for _ in range(patience):
            if sure is not None or book.stopping:
                break
            await asyncio.sleep(book.chance.uniform(0.05, 0.3))
            sure = await self._once(unit, operation)
        if sure and book.chance.random() < 0.1:  # who is told twice is told the same
            await self._once(unit, operation)
        return bool(sure)

    async def _once(self, unit: Append, operation: str) -> bool | None:
        """Send it; True: it is there, False: it is not and never will be, None: nobody knows."""
        told = self._book.history.write
        try:
            answer = await self._app.store.appender.append(unit)
        except StoreUnavailable as problem:
            told(self.name, "told", op=operation, outcome="unknown", detail=type(problem).__name__)
            return None
        except asyncio.CancelledError:
            told(self.name, "told", op=operation, outcome="unknown", detail="cancelled")
            raise
        except RuntimeFault as problem:
            told(self.name, "told", op=operation, outcome="refused", detail=str(problem)[:200])
            return False
        if isinstance(answer, Appended):
            told(
                self.name, "told", op=operation, outcome="ok", version=answer.version, ids=list(answer.ids),
                repeated=answer.repeated,
            )  # fmt: skip
            return True
        assert isinstance(answer, Rejected)
        told(self.name, "told", op=operation, outcome="conflict", version=answer.version)
        return False


class RawProducer:
    """A foreign program: raw entries on both logs, good ones, the same ones again, and rubbish."""

    def __init__(self, name: str, url: str, book: Book, partitions: int) -> None:
        """Opens nothing yet; `url` of its own proxy."""
        self.name = name
        self._book = book
        self._logs = [Keyspace(claim_log(partitions)), Keyspace(request_log(partitions))]
        self._sent: list[tuple[str, junk.Fields, dict[str, Any]]] = []
        self._client: Any = (
            RawWriter(url)
            if url.startswith("redis+")
            else Redis.from_url(url, socket_timeout=1.5, protocol=2, retry=Retry(NoBackoff(), 0))
        )

    async def run(self) -> None:
        """One request after the other."""
        while not self._book.stopping:
            await self._book.allowed.wait()
            await self.operate()
            await self._book.breath()

    async def close(self) -> None:
        """Let go of the connection."""
        await self._client.aclose()

    async def operate(self) -> None:
        """A notice, a wish on a claim, a repetition, rubbish."""
        kind = self._book.chance.random()
        if kind < 0.3 or not self._book.claims:
            claim_id = f"CLM-CRAW{self._book.number():06d}"
            if await self.submit(claim_id):
                self._book.claims.append(claim_id)
        elif kind < 0.55:
            await self._wish()
        elif kind < 0.75 and self._sent:
            log, fields, about = self._book.chance.choice(self._sent[-40:])
            await self._add(log, fields, **about)
        else:
            await self.rubbish(self._book.chance.choice(junk.KINDS))

    async def submit(self, claim_id: str) -> bool:
        """A first notice of loss."""
        return await self._request("claim.submitted", claim_id, f"s-{self._book.number()}", self._book.notice())

    async def _wish(self) -> None:
        chance, number = self._book.chance, self._book.number()
        kind, data = wish_for(chance, number)
        await self._request(kind, chance.choice(self._book.claims[-40:]), f"d-{number}", data)

    async def _request(self, kind: str, claim_id: str, event: str, data: dict[str, Any]) -> bool:
        keys = self._book.chance.choice(self._logs)
        fields: junk.Fields = {
            "eventId": event, "eventType": kind, "claimId": claim_id, "timestamp": "2026-01-20T10:00:00.000Z",
            "data": json.dumps(data), "version": "1.0",
        }  # fmt: skip
        about = {"claim": claim_id, "event": event, "type": kind, "good": True}
        log = keys.log(keys.partition_of(claim_id))
        self._sent.append((log, fields, about))
        return await self._add(log, fields, **about)

    async def rubbish(self, kind: str) -> bool:
        """What nobody can use, on either log and in any partition."""
        keys, number = self._book.chance.choice(self._logs), self._book.number()
        log = keys.log(self._book.chance.randrange(keys.spec.partitions))
        fields = junk.junk(self._book.chance, kind, number)
        return await self._add(log, fields, claim="", event=f"junk-{number}", type=kind, good=False)

    async def _add(self, log: str, fields: junk.Fields, **about: Any) -> bool:
        operation = f"{self.name}/{self._book.number()}"
        told = self._book.history.write
        told(self.name, "try", op=operation, what="raw", log=log, digest=digest_of(_flat(fields)), **about)
        try:
            entry = await self._client.xadd(log, fields)
        except AWAY as problem:
            told(self.name, "told", op=operation, outcome="unknown", detail=type(problem).__name__)
            await asyncio.sleep(0.1)
            return False
        told(self.name, "told", op=operation, outcome="ok", ids=[entry.decode()], version=0, repeated=False)
        return True
