"""Where documents and contacts were seen: the data of the red flags DOCUMENT_REUSED and SHARED_CONTACT.

Owned by the settle of the processors: a contact is noted with the first notice that names it, a document when it comes
in. Hashes and blind indexes only, nothing that can be read. Each partition writes its own part; a look reads all parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from domain.bodies.handling import DocumentUploaded
from domain.bodies.intake import ClaimSubmitted
from runtime.effects import HashSet
from workers.keys import ClaimKeys
from workers.loss_index import household_tie

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from domain.claim_record import Claim
    from domain.events import Fact
    from runtime.effects import Effect
    from runtime.store.keys import Keyspace
    from runtime.store.reads import Reads

DOCUMENT, PHONE, ACCOUNT = "document", "phone", "account"


class Sighting(NamedTuple):
    """Something that was seen on a claim; `value` is a hash or a blind index, `kept` what is noted with the claim."""

    kind: str
    value: str
    claim_id: str
    kept: str

    @property
    def thing(self) -> str:
        """What was seen, as keys name it."""
        return f"{self.kind}:{self.value}"


def contacts_of(claim: Claim) -> tuple[Sighting, ...]:
    """The contacts of a notice; with each the household, whose claims are related."""
    notice = claim.notice
    if not notice.phone_key and not notice.account_key:
        return ()
    named = ((PHONE, notice.phone_key), (ACCOUNT, notice.account_key))
    return tuple(Sighting(kind, value, claim.claim_id, household_tie(claim)) for kind, value in named if value)


def document_of(fact: Fact) -> Sighting | None:
    """The document that a fact brings, when its hash is known."""
    body = fact.body
    if not isinstance(body, DocumentUploaded) or not body.hash:
        return None
    return Sighting(DOCUMENT, body.hash, fact.claim_id, "1")


class Seen:
    """What is known of some documents and contacts; grows while a batch is decided."""

    def __init__(self, known: dict[str, dict[str, str]]) -> None:
        """`known`: thing -> claim -> what was kept with it."""
        self._known = known

    def shares_contact(self, claim: Claim) -> bool:
        """Does an unrelated claim name the same phone or account? Related are the claims of a household."""
        return any(
            name != claim.claim_id and household != own.kept
            for own in contacts_of(claim)
            for name, household in self._known.get(own.thing, {}).items()
        )

    def elsewhere(self, document: Sighting) -> bool:
        """Was this document seen on another claim?"""
        return any(name != document.claim_id for name in self._known.get(document.thing, {}))

    def note(self, sightings: Iterable[Sighting]) -> None:
        """Of the batch at hand: what is decided after it sees it."""
        for one in sightings:
            self._known.setdefault(one.thing, {})[one.claim_id] = one.kept


class Sightings:
    """The index as one partition writes it and reads it."""

    def __init__(self, reads: Reads, keyspace: Keyspace, partition: int) -> None:
        """`keyspace` of the claim log: its other partitions are read, never written."""
        self._reads = reads
        self._parts = [ClaimKeys(keyspace, number) for number in range(keyspace.spec.partitions)]
        self._own = self._parts[partition]

    async def of(self, sightings: Iterable[Sighting]) -> Seen:
        """Where these were seen, in one round trip; none at all when there is nothing to ask for."""
        wanted = sorted({one.thing for one in sightings})
        rows = iter(await self._reads.many([("HGETALL", keys.seen(name)) for name in wanted for keys in self._parts]))
        return Seen({name: _joined([next(rows) for _ in self._parts]) for name in wanted})

    def follow(self, facts: Sequence[Fact], claims: Mapping[str, Claim]) -> list[Effect]:
        """What these facts note."""
        return [
            HashSet(self._own.seen(one.thing), {one.claim_id: one.kept})
            for fact in facts
            for one in sightings_of(fact, claims.get(fact.claim_id))
        ]


def sightings_of(fact: Fact, claim: Claim | None) -> tuple[Sighting, ...]:
    """Everything that a fact shows; of the claim only what never changes is looked at."""
    if isinstance(fact.body, ClaimSubmitted):
        return contacts_of(claim) if claim is not None else ()
    document = document_of(fact)
    return (document,) if document is not None else ()


def _joined(rows: Iterable[Mapping[bytes, bytes]]) -> dict[str, str]:
    return {name.decode(): kept.decode() for row in rows for name, kept in row.items()}
