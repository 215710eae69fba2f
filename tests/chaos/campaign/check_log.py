"""I1 to I5: what was confirmed is there, nothing else is, each once, chained, numbered without a hole.

Per id throughout. Only the way in which an event id follows from its cause is taken from the product.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from domain.identity import command_id, event_id
from tests.chaos.campaign.evidence import CLAIMS, REQUESTS, order
from tests.chaos.campaign.load import digest_of
from tests.chaos.campaign.verdict import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.campaign.evidence import Evidence, LogEntry, Try


def confirmed_is_there(seen: Evidence) -> Iterator[Violation]:
    """I1: each confirmed append, and each raw entry whose XADD was answered, is in the log (or was archived)."""
    places = set(seen.places())
    by_id = {(name, n, entry.id): entry for name, n in places for entry in seen.log(name, n)}
    for one in seen.tries:
        name, partition = _place(seen, one)
        if (name, partition) not in places:
            continue
        for answer in one.confirmed:
            for place, entry_id in enumerate(answer["ids"]):
                entry = by_id.get((name, partition, entry_id))
                if entry is None:
                    yield Violation(
                        "I1", f"{one.op}: confirmed as {entry_id}, and it is not in {name} partition {partition}"
                    )
                elif one.data["what"] == "append" and entry.event != one.data["events"][place]:
                    yield Violation(
                        "I1", f"{one.op}: at {entry_id} stands {entry.event}, not {one.data['events'][place]}"
                    )
                elif one.data["what"] == "raw" and digest_of(entry.fields) != one.data["digest"]:
                    yield Violation("I1", f"{one.op}: at {entry_id} stands another entry than the one that was sent")


def _place(seen: Evidence, one: Try) -> tuple[str, int]:
    """The log and the partition that an operation was meant for."""
    if one.data["what"] == "append":
        return CLAIMS, seen.partition_of(one.data["claim"])
    base, _, tag = one.data["log"].partition(":{p")
    return base, int(tag.rstrip("}") or 0) if tag else 0


def nothing_else_is_there(seen: Evidence) -> Iterator[Violation]:
    """I2: every entry was tried by somebody, or follows from an entry that is there; a refused one is not there."""
    tried = {event: one for one in seen.tries if one.data["what"] == "append" for event in one.data["events"]}
    commands = {one.data["command"] for one in seen.tries if one.data["what"] == "append"}
    sent = Counter((one.data["log"], one.data["digest"]) for one in seen.tries if one.data["what"] == "raw")
    causes = {
        entry.event or entry.id
        for name, n in seen.places()
        if name != "claims:notifications"
        for entry in seen.log(name, n)
    }
    causes |= {command_id("bank", message) for message in seen.bank_messages}
    for name, partition in seen.places():
        if name not in (CLAIMS, REQUESTS):
            continue
        raw: Counter[str] = Counter()
        for entry in seen.log(name, partition):
            if entry.sequence == 0:
                raw[digest_of(entry.fields)] += 1
            elif (one := tried.get(entry.event)) is not None:
                if one.refused:
                    yield Violation("I2", f"{one.op} was refused, and {entry.event} is in the log at {entry.id}")
            elif not _follows(entry, causes, commands):
                yield Violation(
                    "I2",
                    f"{entry.id} ({entry.named.get('eventType')}, {entry.event}): tried by nobody, of no cause",
                )
        for digest, count in raw.items():
            times = sent[seen.key(name, partition), digest]
            if count > times:
                yield Violation("I2", f"{name} partition {partition}: there {count} times, sent there {times} times")


def _follows(entry: LogEntry, causes: set[str], commands: set[str]) -> bool:
    """Is its cause an entry that is there, a timer, or a claim's own turn (overflow queue, waiting for its payee)?"""
    cause = entry.named.get("causationId", "")
    if not any(entry.event == event_id(f"{cause}|{entry.claim}", place) for place in range(1, 40)):
        return False
    if cause in causes or entry.named.get("actor", "").startswith("timekeeper:"):
        return cause not in commands
    own = {event_id(f"{turn}|{entry.claim}", at) for turn in ("overflow", "payee") for at in range(entry.sequence + 1)}
    return cause in own


def one_set_per_command(seen: Evidence) -> Iterator[Violation]:
    """I3: all events of a command or none, each once, in a row; whoever asks again is told the same."""
    facts = seen.facts()
    there: Counter[str] = Counter(entry.event for rows in facts.values() for entry in rows)
    for event, count in there.items():
        if count > 1:
            yield Violation("I3", f"event {event} is there {count} times")
    gone = {partition for partition, _ in seen.damaged}
    for one in seen.tries:
        if one.data["what"] != "append" or seen.partition_of(one.data["claim"]) in gone:
            continue
        found = [event for event in one.data["events"] if there[event]]
        if found and found != one.data["events"]:
            yield Violation("I3", f"{one.op}: of {len(one.data['events'])} events only {found} are there")
        answers = {(answer["version"], tuple(answer["ids"])) for answer in one.confirmed}
        if len(answers) > 1:
            yield Violation("I3", f"{one.op}: was told {sorted(answers)}")
    for claim, rows in facts.items():
        yield from _in_a_row(claim, rows)


def _in_a_row(claim: str, rows: list[LogEntry]) -> Iterator[Violation]:
    """What one cause did to one claim is one set: places 1 to n, one behind the other."""
    sets: dict[str, list[LogEntry]] = defaultdict(list)
    for entry in rows:
        sets[entry.named.get("causationId", "")].append(entry)
    for cause, made in sets.items():
        expected = [event_id(f"{cause}|{claim}", place) for place in range(1, len(made) + 1)]
        if [entry.event for entry in made] != expected:
            yield Violation(
                "I3", f"{claim}: what {cause} caused is not one set, once: {[entry.event for entry in made]}"
            )
        elif [entry.sequence for entry in made] != list(range(made[0].sequence, made[0].sequence + len(made))):
            yield Violation("I3", f"{claim}: others stand between what {cause} caused")


def ids_rise_and_chain(seen: Evidence) -> Iterator[Violation]:
    """I4: ids rise, and the audit chain is the one that these raw bytes give."""
    for name, partition in seen.places():
        entries = seen.log(name, partition)
        for before, after in zip(entries, entries[1:], strict=False):
            if order(before.id) >= order(after.id):
                yield Violation("I4", f"{name} partition {partition}: {after.id} stands behind {before.id}")
        if name != CLAIMS or "auditors" not in seen.groups(name, partition):
            continue
        chained = seen.due(name, "auditors", partition)
        head = bytes(32)
        for entry in chained:
            head = chain_link(head, entry)
        stored = seen.dump.hashes.get(seen.key("audit:chain", partition), {})
        wanted = {"head": head.hex(), "count": str(len(chained)), "last": chained[-1].id} if chained else {}
        if stored != wanted:
            yield Violation("I4", f"audit chain of partition {partition} is {stored}, the log gives {wanted}")


def chain_link(head: bytes, entry: LogEntry) -> bytes:
    """One link, written down here again from its description: every part with its length before it."""
    parts = [entry.id.encode("latin-1"), *(field.encode("latin-1") for field in entry.fields)]
    sized = [len(part).to_bytes(4, "big") + part for part in parts]
    sized.insert(1, len(entry.fields).to_bytes(4, "big"))
    return hashlib.sha256(head + b"".join(sized)).digest()


def numbered_without_a_hole(seen: Evidence) -> Iterator[Violation]:
    """I5: 1 to n per claim in log order, as head and history say; one winner per version."""
    for claim, rows in seen.facts().items():
        numbers = [entry.sequence for entry in rows]
        if numbers != list(range(1, len(rows) + 1)):
            yield Violation("I5", f"{claim}: its facts are numbered {numbers}")
        tag = seen.partition_of(claim)
        head = seen.dump.strings.get(seen.key(f"claim:{claim}:head", tag))
        if head != str(len(rows)):
            yield Violation("I5", f"{claim}: its version is {head} after {len(rows)} facts")
        history = seen.dump.lists.get(seen.key(f"claim:{claim}:history", tag), [])
        if history != [entry.id for entry in rows]:
            yield Violation("I5", f"{claim}: its history is not its log: {history} and {[entry.id for entry in rows]}")
    yield from _one_winner(seen)


def _one_winner(seen: Evidence) -> Iterator[Violation]:
    winners: dict[tuple[str, int], str] = {}
    for one in seen.tries:
        if one.data["what"] != "append" or not one.confirmed:
            continue
        first = one.data["expected"]
        for version in range(first + 1, first + 1 + len(one.data["events"])):
            other = winners.setdefault((one.data["claim"], version), one.op)
            if other != one.op:
                yield Violation(
                    "I5", f"{one.data['claim']}: version {version} was confirmed to {other} and to {one.op}"
                )
        if one.confirmed[0]["version"] != first + len(one.data["events"]):
            yield Violation("I5", f"{one.op}: version {one.confirmed[0]['version']} behind {first}")
