"""Puts archived facts back into a store that was rolled back: by append, in order, guarded by the versions.

The expected version makes it safe to run twice, and beside people who work: a fact whose claim has moved on is named
and left out, with everything behind it. A unit carries the command id that it had, where the log still tells it.
"""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING, Any

import msgspec

from domain.bodies.base import SYSTEM
from domain.bodies.handling import ClaimAssigned, ClaimReassigned
from domain.claim import decode_claim, fold
from domain.events import EVENTS, NewFact, decode_body
from runtime.archive import ArchiveReader
from runtime.codec import OpenCodec
from runtime.entry import EntryReader
from runtime.store.append import Appended
from workers.archivists import KINDS
from workers.claim_log import SNAPSHOT_BODY, EventCodec, fact_of
from workers.keys import CLAIM_LOG
from workers.loss_index import LossIndex
from workers.record_log import put_back_record
from workers.work_lists import WorkLists

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from domain.claim_record import Claim
    from domain.events import Fact
    from runtime.effects import Append, Effect
    from runtime.entry import Entry
    from workers.application import Application

AT_ONCE = 200
SECONDS = 60.0


class PutBack(msgspec.Struct):
    """How it went: facts appended, facts that were there, why units did not fit, raw requests that are not facts."""

    appended: int = 0
    known: int = 0
    requests: int = 0
    refused: list[str] = []


async def put_back(app: Application, directory: Path) -> PutBack:
    """Put back everything below a directory that `archive accept` made."""
    done = PutBack()
    for log in reversed([kind.log for kind in KINDS]):  # customers and policies before the claims that need them
        keys = app.keyspace(log)
        for partition in range(keys.spec.partitions):
            archive = ArchiveReader(directory, log, partition)
            codec: Any = EventCodec(tuple(EVENTS), decode_body) if log == CLAIM_LOG else OpenCodec()
            reader = EntryReader(keys.spec.entity_field, codec)
            entries = [reader.read((one.id.encode(), one.fields)) for one in archive.entries()]
            done.requests += sum(entry.sequence < 1 for entry in entries)
            await _log(app, log, [entry for entry in entries if entry.sequence > 0], done)
    return done


async def _log(app: Application, log: str, entries: Sequence[Entry], done: PutBack) -> None:
    keys = app.keyspace(log)
    told = Counter((entry.entity, entry.causation_id) for entry, *_ in _units(entries))
    stuck: set[str] = set()
    for unit in _units(entries):
        entity, first = unit[0].entity, unit[0].sequence
        head, body = await app.store.reads.many(
            [("GET", keys.head(entity)), ("HGET", keys.snapshot(entity), SNAPSHOT_BODY)]
        )
        version = int(head or 0)
        if version >= unit[-1].sequence and entity not in stuck:
            done.known += len(unit)
            continue
        if entity in stuck or version != first - 1:
            stuck.add(entity)
            done.refused.append(f"{entity}: facts {first} to {unit[-1].sequence} do not follow its version {version}")
            continue
        own = unit[0].causation_id
        command = own if own and told[entity, own] == 1 else f"put-back:{unit[0].event_id}"
        wanted = await _append(app, log, unit, body, command)
        (answer,) = await app.store.appender.append_surely([wanted], seconds=SECONDS)
        if isinstance(answer, Appended) and not answer.repeated:
            done.appended += len(unit)
        elif isinstance(answer, Appended):
            done.known += len(unit)
        else:
            stuck.add(entity)
            done.refused.append(f"{entity}: somebody was first with fact {first}")


def _units(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """What was appended together: consecutive facts of one entity with one cause."""
    for _, unit in groupby(entries, key=lambda entry: (entry.entity, entry.causation_id, entry.actor)):
        yield list(unit)


async def _append(app: Application, log: str, unit: Sequence[Entry], body: bytes | None, command: str) -> Append:
    events = tuple(tuple(entry.fields) for entry in unit)
    if log != CLAIM_LOG:
        return put_back_record(log, unit, body, events, command)
    before = decode_claim(body) if body else None
    facts = [fact_of(entry) for entry in unit]
    after = fold(facts, before)
    assert after is not None, "there is a fact"
    return app.claim_log.put_back(before, facts, events, command, await _settled_with(app, facts, after))


async def _settled_with(app: Application, facts: Sequence[Fact], claim: Claim) -> list[Effect]:
    """What the processor counted in the settle that decided these facts: it counts nothing of its own twice."""
    own = [fact for fact in facts if fact.actor == SYSTEM and isinstance(fact.body, ClaimAssigned | ClaimReassigned)]
    if not own:
        return []
    partition = app.claim_keyspace.partition_of(claim.claim_id)
    decided = [NewFact(fact.type, fact.at, fact.body, fact.actor) for fact in own]
    effects, _ = WorkLists(app.claim_keys(partition)).taken(decided, await app.roster.snapshot())
    index = LossIndex(app.store.reads, app.claim_keyspace, partition)
    return [*effects, *index.taken(claim, decided, await index.about([claim]))]
