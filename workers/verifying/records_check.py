"""Policies and customers: records of logs of their own, each snapshot the fold of its events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from domain.customer import CUSTOMER_EVENTS, Customer, PayeeDetails, evolve_customer
from domain.policy_events import POLICY_EVENTS, evolve_policy
from workers.claim_log import SNAPSHOT_BODY
from workers.keys import CUSTOMER_LOG, POLICY_LOG
from workers.reading_ahead import one_ahead
from workers.record_log import SNAPSHOT_PAYEE
from workers.verifying.links import Links
from workers.verifying.report import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runtime.entry import Entry, EntryReader
    from runtime.store.reads import Reads
    from workers.verifying.archive_check import ArchiveCheck
    from workers.verifying.places import Place
    from workers.verifying.report import Findings
    from workers.whole_log import WholeLog


class Kind(NamedTuple):
    """A kind of record: how its events are read and folded."""

    decoders: Mapping[str, msgspec.json.Decoder[Any]]
    evolve: Callable[[Any, Any], Any]


def _kind(events: Mapping[str, Any], evolve: Callable[[Any, Any], Any]) -> Kind:
    return Kind({name: msgspec.json.Decoder(body) for name, body in events.items()}, evolve)


KINDS: Mapping[str, Kind] = {
    POLICY_LOG: _kind(POLICY_EVENTS, evolve_policy),
    CUSTOMER_LOG: _kind(CUSTOMER_EVENTS, evolve_customer),
}
"""Log -> the kind of record that it holds."""

_encode = msgspec.json.Encoder(decimal_format="number").encode

AT_ONCE = 500


class _Record(msgspec.Struct):
    value: Any = None
    ids: list[bytes] = []
    broken: bool = False


async def check_records(
    reads: Reads, place: Place, reader: EntryReader, findings: Findings, log: WholeLog, archive: ArchiveCheck
) -> int:
    """Fold one partition of a record log and compare. Returns the number of entries."""
    kind = KINDS[place.keyspace.spec.name]
    records: dict[str, _Record] = {}
    links = Links()
    count = 0
    async with one_ahead(log.pages()) as pages:
        async for rows in pages:
            if archive.waits:
                archive.page(links.after(rows))
            for row in rows:
                _take(reader.read(row), kind, place, records, findings)
            count += len(rows)
    archive.finish()
    names = list(records)
    for start in range(0, len(names), AT_ONCE):
        part = {name: records[name] for name in names[start : start + AT_ONCE]}
        await _compare(reads, place, part, findings)
    await _find_orphans(reads, place, records, findings)
    return count


def _take(entry: Entry, kind: Kind, place: Place, records: dict[str, _Record], findings: Findings) -> None:
    """Fold one entry into its record."""
    if problem := _no_event(entry, kind):
        findings["entries"].wrong(f"{entry.id} on {place.name}: {problem}")
        return
    record = records.get(entry.entity)
    if record is None:
        record = records[entry.entity] = _Record()
    record.ids.append(entry.id.encode())
    try:
        event = kind.decoders[entry.type].decode(entry.data)
        record.value = kind.evolve(record.value, event)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as fault:
        record.broken = True
        where = f"{entry.id} on {place.name}: {entry.type} of {shown(entry.entity)}"
        findings["entries"].wrong(f"{where}: {fault}")
        return
    findings["entries"].right()
    if len(record.ids) == entry.sequence:
        findings["sequence"].right()
    else:
        findings["sequence"].same(f"{entry.entity} at {entry.id}", len(record.ids), entry.sequence)


async def _find_orphans(reads: Reads, place: Place, records: Mapping[str, _Record], findings: Findings) -> None:
    """Snapshots, versions and histories of records that the log knows nothing of."""
    keys = place.keyspace
    prefix, own = f"{keys.spec.entity}:", keys.name("", place.partition)
    async for raw in reads.keys(f"{prefix}*"):
        name = raw.decode(errors="replace")
        entity = name.removeprefix(prefix).removesuffix(own)
        if entity in records or entity.rpartition(":")[0] in records:
            continue
        if keys.partition_of(entity) == place.partition:
            findings["snapshot"].wrong(f"{name}: the log holds no event of this record")


def _no_event(entry: Entry, kind: Kind) -> str:
    """Why nothing of ours wrote this entry, so that it belongs to no record; '' when it may be an event."""
    if entry.fault:
        return f"it is no event: {shown(entry.fault)}"
    if entry.is_request:
        return f"it has no sequence: {shown(entry.type)} was not appended, and nobody may ask here"
    if entry.type not in kind.decoders:
        return f"there is no event type {shown(entry.type)} on this log"
    return ""


async def _compare(reads: Reads, place: Place, records: Mapping[str, _Record], findings: Findings) -> None:
    keys = place.keyspace
    questions: list[tuple[str | int | bytes, ...]] = []
    for name in records:
        questions.append(("GET", keys.head(name)))
        questions.append(("LRANGE", keys.history(name), 0, -1))
        questions.append(("HMGET", keys.snapshot(name), SNAPSHOT_BODY, SNAPSHOT_PAYEE))
    answers = iter(await reads.many(questions))
    for name, record in records.items():
        head, history, (body, payee) = next(answers), next(answers), next(answers)
        findings["head"].same(name, str(len(record.ids)).encode(), head)
        findings["history"].same(name, record.ids, history)
        if not record.broken:
            findings["snapshot"].same(f"{name}: {SNAPSHOT_BODY}", _encode(record.value), body)
            if isinstance(record.value, Customer):
                # An older program wrote no such field: missing means that nobody has said anything else.
                kept = payee if payee is not None else _encode(PayeeDetails())
                findings["snapshot"].same(f"{name}: {SNAPSHOT_PAYEE}", _encode(record.value.payee), kept)
