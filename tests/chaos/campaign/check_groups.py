"""I6, I9, I10: each group applied the prefix of its log, each entry once and in order; at rest nothing is left over."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tests.chaos.campaign import poison
from tests.chaos.campaign.evidence import CLAIMS, NEVER_PARKS, TAKES_ALL, order
from tests.chaos.campaign.verdict import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.campaign.evidence import Evidence, LogEntry, Parked

MOST_IDLE = 50
"""In sound seeds there are none or a few: a consumer died with the tail of a log in its hands."""


def applied_once_in_order(seen: Evidence) -> Iterator[Violation]:
    """I6: the ids that a group's settles wrote down are the prefix of its log, id by id."""
    for name, partition in seen.places():
        for group in seen.groups(name, partition):
            applied = [entry_id for batch in seen.batches(name, group, partition) for entry_id in batch]
            due = [entry.id for entry in seen.due(name, group, partition)]
            where = f"{group} on {name} partition {partition}"
            if applied == due:
                continue
            times, wanted = Counter(applied), set(due)
            for entry_id, count in times.items():
                if count > 1:
                    yield Violation("I6", f"{where}: {entry_id} was applied {count} times")
                if entry_id not in wanted:
                    yield Violation(
                        "I6", f"{where}: {entry_id} was applied, and it is parked, not in the log, or not for it"
                    )
            for entry_id in due:
                if not times[entry_id]:
                    yield Violation("I6", f"{where}: {entry_id} was never applied, and the position is behind it")
            if sorted(applied, key=order) != applied:
                at = next(n for n in range(1, len(applied)) if order(applied[n - 1]) >= order(applied[n]))
                yield Violation("I6", f"{where}: {applied[at]} was applied after {applied[at - 1]}")


def settles_make_a_chain(seen: Evidence) -> Iterator[Violation]:
    """I10: each settle goes on where the one before it ended; no two of them share an entry."""
    for name, partition in seen.places():
        for group in seen.groups(name, partition):
            end = (0, 0)
            for batch in seen.batches(name, group, partition):
                if not batch:
                    continue
                if order(batch[0]) <= end:
                    yield Violation(
                        "I10",
                        f"{group} on {name} partition {partition}: a settle from {batch[0]} behind {end}",
                    )
                end = max(end, order(batch[-1]))


def at_rest_nothing_is_left(seen: Evidence) -> Iterator[Violation]:
    """I9: position == last id, pending == 0, settled == added, no retry waits, dead letters as injected."""
    for name, partition in seen.places():
        key = seen.key(name, partition)
        entries = seen.log(name, partition)
        last, added = entries[-1].id if entries else "0-0", seen.dump.entries_added.get(key, 0)
        groups = {group.name: group for group in seen.dump.groups.get(key, [])}
        for group in seen.groups(name, partition):
            where, record = f"{group} on {key}", seen.record(name, group, partition)
            if record.get("id") != last:
                yield Violation("I9", f"{where}: its position is {record.get('id')}, the log ends at {last}")
            if record.get("settled") != str(added):
                yield Violation("I9", f"{where}: {record.get('settled')} settled of {added} added")
            if marks := {"torn", "halted"} & record.keys():
                yield Violation("I9", f"{where}: it is {marks}")
            there = groups.get(group)
            if there is None:
                yield Violation("I9", f"{where}: the group is gone")
            elif there.pending or there.last_delivered != last:
                yield Violation("I9", f"{where}: {there.pending} pending, cursor {there.last_delivered}, end {last}")
            yield from _dead_letters(seen, name, group, partition)
        if halted := seen.dump.hashes.get(seen.key(f"{name}:state", partition), {}).get("halted"):
            yield Violation("I9", f"{key}: halted: {halted}")
    for partition in range(seen.partitions):
        if waiting := seen.dump.scored.get(seen.key("outbox:retries", partition)):
            yield Violation(
                "I9",
                f"{len(waiting)} messages of partition {partition} still wait for another try: {sorted(waiting)[:3]}",
            )


def groups_need_no_putting_back(seen: Evidence) -> Iterator[Violation]:
    """I9 on the way: entries that nobody acknowledges are put right by the idle check, which must not be the rule."""
    idle = seen.answers.get("resync:idle", 0)
    if idle > MOST_IDLE:
        yield Violation("I9", f"the idle check had to put groups back {idle} times: entries are left pending as a rule")


def _dead_letters(seen: Evidence, name: str, group: str, partition: int) -> Iterator[Violation]:
    """Only what was injected is parked, each once; and what it held back, in order behind it."""
    letters = seen.parked(name, group, partition)
    where = f"{group} on {name} partition {partition}"
    entries = {entry.id: entry for entry in seen.log(name, partition)}
    for origin, count in Counter(letter.origin for letter in letters).items():
        if count > 1:
            yield Violation("I9", f"{where}: {origin} is parked {count} times")
    for letter in letters:
        entry = entries.get(letter.origin)
        if entry is None:
            yield Violation("I9", f"{where}: {letter.origin} is parked and not in the log")
        elif group in NEVER_PARKS or not _may_be_parked(entry, group):
            yield Violation(
                "I9", f"{where}: {letter.origin} of {entry.claim} is parked ({letter.reason}), and it is no poison"
            )
    held = Counter(letter.entity for letter in letters)
    stored = seen.dump.hashes.get(seen.key(f"{name}:held:{group}", partition), {})
    if {entity: str(count) for entity, count in held.items()} != stored:
        yield Violation("I9", f"{where}: held are {stored}, the dead letters say {dict(held)}")
    if name == CLAIMS and group not in TAKES_ALL:
        yield from _held_back(seen, letters, group, partition)


def _may_be_parked(entry: LogEntry, group: str) -> bool:
    """Requests, by whoever adopts them; facts of a claim that is poison for this group."""
    if entry.sequence == 0:
        return group in TAKES_ALL
    return poison.poisons(entry.claim)[1] == group


def _held_back(seen: Evidence, letters: list[Parked], group: str, partition: int) -> Iterator[Violation]:
    """Of a claim that is poison for this group everything is parked, in order: its first event held the others."""
    by_claim: dict[str, list[Parked]] = {}
    for letter in letters:
        by_claim.setdefault(letter.entity, []).append(letter)
    for entry in seen.log(CLAIMS, partition):
        if entry.sequence and poison.poisons(entry.claim)[1] == group:
            by_claim.setdefault(entry.claim, [])
    for claim, parked in by_claim.items():
        due = [entry.id for entry in seen.log(CLAIMS, partition) if entry.claim == claim and entry.sequence]
        if [letter.origin for letter in parked] != due:
            yield Violation("I6", f"{group}: of {claim} are parked {[one.origin for one in parked]}, in the log {due}")
        if any(letter.held != (n > 0) for n, letter in enumerate(parked)):
            yield Violation("I6", f"{group}: of {claim} not all but the first are held back")
