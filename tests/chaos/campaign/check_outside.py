"""I8 and I11: each input has exactly its declared outputs, and nothing left the house that was not meant to."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import msgspec

from domain.notices import intents
from tests.chaos.campaign.check_views import fact_of
from tests.chaos.campaign.evidence import CLAIMS, OUTBOX, REQUESTS
from tests.chaos.campaign.load import CANARY
from tests.chaos.campaign.verdict import Violation
from workers.outbox import intent_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.campaign.evidence import Evidence, Try


def requests_have_their_outcome(seen: Evidence) -> Iterator[Violation]:
    """I8: a good request became one set of facts or one dead letter; rubbish became one dead letter, no fact."""
    made: dict[tuple[str, str], list[str]] = defaultdict(list)
    for claim, rows in seen.facts().items():
        for entry in rows:
            made[claim, entry.named.get("causationId", "")].append(entry.named["eventType"])
    parked = _parked(seen)
    places = set(seen.places())
    copies: dict[tuple[str, str, str], list[Try]] = defaultdict(list)
    for one in seen.tries:
        if one.data["what"] == "raw" and one.data["good"]:
            copies[one.data["claim"], one.data["event"], one.data["type"]].append(one)
        elif one.data["what"] == "raw":
            yield from _rubbish(seen, one, parked, places)
    for (claim, event, kind), sent in copies.items():
        if seen.partition_of(claim) in {partition for partition, _ in seen.damaged}:
            continue
        facts, letters = made[claim, event], sum(parked[_name(one), entry_id] for one in sent for entry_id in _ids(one))
        confirmed = any(one.confirmed for one in sent)
        if len(facts) != len(set(facts)):
            yield Violation("I8", f"{claim} {kind} {event}: done more than once: {facts}")
        if confirmed and kind == "claim.submitted" and kind not in facts:
            yield Violation("I8", f"{claim} {event}: a good notice of loss became {facts}, dead letters {letters}")
        if confirmed and not facts and not letters:
            yield Violation("I8", f"{claim} {kind} {event}: neither a fact nor a dead letter")


def _name(one: Try) -> str:
    return str(one.data["log"])


def _ids(one: Try) -> list[str]:
    return [entry_id for answer in one.confirmed for entry_id in answer["ids"]]


def _parked(seen: Evidence) -> Counter[tuple[str, str]]:
    """How often an entry is parked by those who adopt requests, by key of the log and id."""
    return Counter(
        (seen.key(name, partition), letter.origin)
        for name, group in ((CLAIMS, "processors"), (REQUESTS, "intake"))
        for partition in range(seen.partitions)
        for letter in seen.parked(name, group, partition)
    )


def _rubbish(
    seen: Evidence, one: Try, parked: Counter[tuple[str, str]], places: set[tuple[str, int]]
) -> Iterator[Violation]:
    base, _, tag = _name(one).partition(":{p")
    if (base, int(tag.rstrip("}")) if tag else 0) not in places:
        return
    for entry_id in _ids(one):
        if parked[_name(one), entry_id] != 1:
            yield Violation(
                "I8",
                f"{one.data['type']} entry {entry_id} of {_name(one)} is parked {parked[_name(one), entry_id]} times",
            )


def intents_are_those_of_the_facts(seen: Evidence) -> Iterator[Violation]:
    """I8: the outbox holds exactly the intents of the facts that the notifier applied, each once, each of one fact."""
    for name, partition in seen.places():
        if name != CLAIMS or "notifications" not in seen.groups(name, partition):
            continue
        wanted: dict[str, str] = {}
        for entry in seen.due(CLAIMS, "notifications", partition):
            for intent in intents(fact_of(entry)):
                wanted[intent_id(entry.event, intent.recipient, intent.recipient_id, intent.template)] = entry.event
        stored = seen.log(OUTBOX, partition)
        for key, count in Counter(entry.event for entry in stored).items():
            if count > 1:
                yield Violation("I8", f"intent {key} is in the outbox {count} times")
        causes = {entry.event: entry.named.get("causationId", "") for entry in stored}
        for key in wanted.keys() - causes.keys():
            yield Violation("I8", f"intent {key} of {wanted[key]} is not in the outbox")
        for key, cause in causes.items():
            if key not in wanted:
                yield Violation("I8", f"intent {key} of {cause} is in the outbox, and no applied fact asks for it")
            elif cause != wanted[key]:
                yield Violation("I8", f"intent {key} names {cause}, it is of {wanted[key]}")


def calls_are_those_of_the_intents(seen: Evidence) -> Iterator[Violation]:
    """I11: no call without an intent in the log; each delivered intent was accepted once (the file knows its keys)."""
    places = set(seen.places())
    known = {entry.event: n for name, n in places if name == OUTBOX for entry in seen.log(name, n)}
    calls = Counter(line["key"] for line in seen.sent)
    for key, count in calls.items():
        if key not in known and not seen.damaged:
            yield Violation("I11", f"message {key} was sent, and there is no such intent")
        if count > 1:
            yield Violation("I11", f"message {key} was accepted {count} times by a provider that knows its keys")
    for name, partition in places:
        if name != OUTBOX:
            continue
        outcomes = seen.dump.hashes.get(seen.key("outbox:outcomes", partition), {})
        for entry in seen.due(OUTBOX, "dispatchers", partition):
            ended = outcomes.get(entry.event)
            if ended is None:
                yield Violation("I11", f"intent {entry.event} was taken, and nothing is known of its sending")
            elif calls[entry.event] < 1 and json.loads(ended)["state"] == "delivered":
                yield Violation("I11", f"intent {entry.event} counts as delivered, and the provider never had it")
        for key in outcomes.keys() - known.keys():
            yield Violation("I11", f"an outcome of {key} is kept, and there is no such intent")


def nothing_personal_in_clear(seen: Evidence) -> Iterator[Violation]:
    """I16, for the store and the provider: the text that every note holds is nowhere to be read."""
    for kind in seen.dump.__struct_fields__:
        values = getattr(seen.dump, kind)
        for name in values if isinstance(values, dict) else ():
            if CANARY.encode() in msgspec.json.encode(values[name]):
                yield Violation("I16", f"{name} holds what was written in a note, in clear")
    for line in seen.sent:
        if CANARY in json.dumps(line):
            yield Violation("I16", f"message {line['key']} holds what was written in a note, in clear")
