"""What append wrote beside the entries, folded from them again: versions, snapshots, histories, timers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from domain.claim import ImpossibleFact, encode_claim, evolve
from domain.events import EVENTS, decode_body
from domain.sla import timers
from domain.snapshot import snapshot_fields
from runtime.codec import OpenCodec
from runtime.effects import Effect, HashSet, ListPush, Put, SortedSetAdd
from runtime.entry import EntryReader
from runtime.merging import merge
from workers.claim_log import SNAPSHOT_BODY, EventCodec, timer_member
from workers.keys import CLAIM_LOG, CUSTOMER_LOG, POLICY_LOG, ClaimKeys
from workers.record_log import record_snapshot
from workers.verifying.places import read_page
from workers.verifying.records_check import KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.claim_record import Claim
    from runtime.entry import RawEntry
    from runtime.store.keys import Keyspace
    from workers.backup.lists import Lists


class Fold:
    """Follows the entries of one partition; in the end says what has to stand beside them."""

    def __init__(self, keys: Keyspace, partition: int, lists: Lists | None = None) -> None:
        """Of a log whose entries append wrote; of the others there is nothing to fold. `lists`: of the processor."""
        self._lists = lists
        self._listed: list[Effect] = []
        self._keys = keys
        self._partition = partition
        codec = EventCodec(tuple(EVENTS), decode_body) if keys.spec.name == CLAIM_LOG else OpenCodec()
        self._reader = EntryReader(keys.spec.entity_field, codec, sequenced=keys.spec.sequenced)
        self._ids: dict[str, list[str]] = {}
        self._claims: dict[str, Claim] = {}
        self._records: dict[str, Any] = {}

    def follow(self, rows: Sequence[RawEntry]) -> None:
        """The next entries. One that no append can have written (no next sequence, no fit) is passed over."""
        if self._keys.spec.name == CLAIM_LOG:
            self._follow_claims(rows)
        elif self._keys.spec.name in (POLICY_LOG, CUSTOMER_LOG):
            self._follow_records(rows)

    def _follow_claims(self, rows: Sequence[RawEntry]) -> None:
        page, _ = read_page(self._reader, rows)
        for entry, fact in zip(page.entries, page.facts, strict=True):
            if fact is None or fact.sequence != len(self._ids.get(fact.claim_id, ())) + 1:
                continue
            try:
                self._claims[fact.claim_id] = claim = evolve(self._claims.get(fact.claim_id), fact)
            except (ImpossibleFact, ValueError):
                continue
            if self._lists is not None:
                self._listed += self._lists.follow(fact, entry.id, claim)
            self._ids.setdefault(fact.claim_id, []).append(entry.id)

    def _follow_records(self, rows: Sequence[RawEntry]) -> None:
        kind = KINDS[self._keys.spec.name]
        for row in rows:
            entry = self._reader.read(row)
            decoder = kind.decoders.get(entry.type)
            if entry.fault or decoder is None or entry.sequence != len(self._ids.get(entry.entity, ())) + 1:
                continue
            try:
                self._records[entry.entity] = kind.evolve(self._records.get(entry.entity), decoder.decode(entry.data))
            except (msgspec.DecodeError, UnicodeDecodeError, ValueError):
                continue
            self._ids.setdefault(entry.entity, []).append(entry.id)

    def listed(self) -> list[Effect]:
        """What the entries since the last asking have changed on the lists of the processor."""
        listed, self._listed = self._listed, []
        return list(merge(listed))

    def effects(self) -> list[Effect]:
        """Everything, entity by entity."""
        keys = self._keys
        found: list[Effect] = []
        due: dict[str, int] = {}
        for entity, ids in self._ids.items():
            found.append(Put(keys.head(entity), str(len(ids))))
            found += [ListPush(keys.history(entity), tuple(ids[n : n + 1000])) for n in range(0, len(ids), 1000)]
            found.append(HashSet(keys.snapshot(entity), self._snapshot(entity)))
            for timer in timers(self._claims[entity]) if entity in self._claims else ():
                due[timer_member(entity, timer.id)] = int(timer.due.timestamp() * 1000)
        name = ClaimKeys(keys, self._partition).timers if keys.spec.name == CLAIM_LOG else ""
        members = list(due.items())
        found += [SortedSetAdd(name, dict(members[n : n + 1000])) for n in range(0, len(members), 1000)]
        return found

    def _snapshot(self, entity: str) -> dict[str, str]:
        claim = self._claims.get(entity)
        if claim is not None:
            return {**snapshot_fields(claim), SNAPSHOT_BODY: encode_claim(claim).decode()}
        return record_snapshot(self._records[entity])
