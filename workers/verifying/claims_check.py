"""Claims: numbered without a hole, indexed, versioned, and snapshots and timers as their facts fold to.

A claim is folded while its facts pass by and compared as soon as its last one has passed, so that only claims
in the making are in memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from domain.claim import ImpossibleFact, decode_claim, encode_claim, evolve
from domain.process import waits_for_payee
from domain.sla import timers
from domain.snapshot import snapshot_fields
from workers.claim_log import SNAPSHOT_BODY, timer_member

if TYPE_CHECKING:
    from collections.abc import Mapping

    from domain.claim_record import Claim
    from domain.events import Fact
    from runtime.entry import Entry
    from runtime.store.reads import Reads
    from workers.keys import ClaimKeys
    from workers.verifying.places import Page, Place
    from workers.verifying.report import Findings

_BODY = SNAPSHOT_BODY.encode()


@dataclass(slots=True)
class Passing:
    """A claim whose facts are passing by."""

    head: int
    claim: Claim | None = None
    ids: list[bytes] = field(default_factory=list)
    broken: bool = False


class ClaimsCheck:
    """Checks the claims of one partition."""

    def __init__(self, reads: Reads, place: Place, keys: ClaimKeys, findings: Findings) -> None:
        """`keys` of the partition."""
        self._reads = reads
        self._keyspace = place.keyspace
        self._keys = keys
        self._findings = findings
        self._passing: dict[str, Passing] = {}
        self._timers: dict[bytes, int] = {}
        self.finished: dict[str, int] = {}
        self.paying: set[str] = set()

    async def page(self, page: Page) -> None:
        """Take one page of the log."""
        await self._meet(page)
        complete: dict[str, Passing] = {}
        for entry, fact in zip(page.entries, page.facts, strict=True):
            if fact is None:
                if entry.sequence > 0 and entry.entity in self._passing:
                    self._passing[entry.entity].broken = True
                continue
            one = self._passing.get(fact.claim_id)
            if one is None:
                self._findings["head"].wrong(
                    f"{fact.claim_id}: its version is {self.finished[fact.claim_id]},"
                    f" but the log goes on with {entry.id}"
                )
                continue
            self._take(one, entry, fact)
            if len(one.ids) == one.head:
                complete[fact.claim_id] = self._passing.pop(fact.claim_id)
                self.finished[fact.claim_id] = one.head
        await self._compare(complete)

    async def finish(self) -> None:
        """Claims of which the log has less than their version says; timers that nobody wants."""
        for claim_id, one in self._passing.items():
            self._findings["head"].wrong(
                f"{claim_id}: its version is {one.head}, the log holds {len(one.ids)} facts of it"
            )
            self.finished[claim_id] = len(one.ids)
        await self._compare(self._passing, unfinished=True)
        self._passing = {}
        await self._compare_timers()

    async def _meet(self, page: Page) -> None:
        """Ask for the versions of claims that are seen for the first time."""
        names = sorted({fact.claim_id for _, fact in page.stated} - self._passing.keys() - self.finished.keys())
        heads = await self._reads.many([("GET", self._keyspace.head(name)) for name in names])
        for name, head in zip(names, heads, strict=True):
            self._passing[name] = Passing(int(head) if head and head.isdigit() else -1)

    def _take(self, one: Passing, entry: Entry, fact: Fact) -> None:
        expected = len(one.ids) + 1
        one.ids.append(entry.id.encode())
        if fact.sequence != expected:
            one.broken = True
            self._findings["sequence"].wrong(
                f"{fact.claim_id}: fact number {fact.sequence} stands at {entry.id}, expected was {expected}"
            )
            return
        self._findings["sequence"].right()
        if one.broken:
            return
        try:
            one.claim = evolve(one.claim, fact)
        except (ImpossibleFact, ValueError) as problem:
            one.broken = True
            self._findings["snapshot"].wrong(f"{entry.id}: {problem}")

    async def _compare(self, claims: Mapping[str, Passing], *, unfinished: bool = False) -> None:
        """Hold what the store keeps of these claims against their facts."""
        questions: list[tuple[str | int | bytes, ...]] = []
        for name in claims:
            questions.append(("HGETALL", self._keyspace.snapshot(name)))
            questions.append(("LRANGE", self._keyspace.history(name), 0, -1))
        answers = await self._reads.many(questions)
        for place, (name, one) in enumerate(claims.items()):
            snapshot, history = answers[2 * place], answers[2 * place + 1]
            if not unfinished:
                self._findings["head"].right()
            self._compare_history(name, one.ids, history)
            if one.claim is not None and not one.broken:
                self._compare_snapshot(one.claim, snapshot)
                if waits_for_payee(one.claim):
                    self.paying.add(name)
                for timer in timers(one.claim):
                    member = timer_member(name, timer.id).encode()
                    self._timers[member] = int(timer.due.timestamp() * 1000)

    def _compare_history(self, name: str, ids: list[bytes], history: list[bytes]) -> None:
        if ids == history:
            self._findings["history"].right()
            return
        at = next((n for n, pair in enumerate(zip(ids, history, strict=False)) if pair[0] != pair[1]), None)
        at = min(len(ids), len(history)) if at is None else at
        expected = ids[at] if at < len(ids) else None
        found = history[at] if at < len(history) else None
        self._findings["history"].same(f"{name}: entry {at + 1} of its history", expected, found)

    def _compare_snapshot(self, claim: Claim, stored: Mapping[bytes, bytes]) -> None:
        found = self._findings["snapshot"]
        expected = {name.encode(): value.encode() for name, value in snapshot_fields(claim).items()}
        expected[_BODY] = encode_claim(claim)
        if expected == stored:
            found.right(len(expected))
            return
        for name in (*expected, *(stored.keys() - expected.keys())):
            if name == _BODY and stored.get(name) != expected[name]:
                self._compare_body(claim, stored.get(name))
            else:
                found.same(f"{claim.claim_id}: {name.decode(errors='replace')}", expected.get(name), stored.get(name))

    def _compare_body(self, claim: Claim, body: bytes | None) -> None:
        """Other bytes may mean the same claim; if not, name the fields."""
        found = self._findings["snapshot"]
        try:
            stored = decode_claim(body or b"")
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            found.wrong(f"{claim.claim_id}: {SNAPSHOT_BODY} is not a claim: {problem}")
            return
        for name in claim.__struct_fields__:
            one: Any = getattr(claim, name)
            found.same(f"{claim.claim_id}: {SNAPSHOT_BODY}.{name}", one, getattr(stored, name))

    async def _compare_timers(self) -> None:
        found = self._findings["timers"]
        rows = await self._reads.one("ZRANGE", self._keys.timers, 0, -1, "WITHSCORES")
        stored = {member: int(float(score)) for member, score in scored(rows)}
        for member in self._timers.keys() | stored.keys():
            found.same(f"timer {member.decode(errors='replace')}", self._timers.get(member), stored.get(member))


def scored(rows: Any) -> list[tuple[bytes, Any]]:
    """Members with scores of a ZRANGE, whichever shape the protocol gave them."""
    if rows and isinstance(rows[0], (list, tuple)):
        return [(member, score) for member, score in rows]
    return list(zip(rows[::2], rows[1::2], strict=True))
