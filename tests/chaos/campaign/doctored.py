"""What a run left, spoiled on purpose: one way per invariant, each of which has to turn the judge red.

A spoiler takes the history's rows, the dump and the provider's lines of a run that passed, all of them copies, and
changes the least that makes its invariant wrong. What a run leaves is never the same twice, so a spoiler looks for a
victim of which the judge has to notice, and says what it was looking for when there is none.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from tests.chaos.campaign import poison
from tests.chaos.campaign.dump import Dump
from tests.chaos.campaign.evidence import CLAIMS, OUTBOX, Evidence, LogEntry, log_entry, order
from tests.chaos.campaign.history import Row, of_kind
from tests.chaos.campaign.load import CANARY, digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Victim = TypeVar("Victim")


def some(found: Iterable[Victim], what: str) -> Victim:
    """The first of them; an error that says what the run did not leave when there is none."""
    for one in found:
        return one
    raise AssertionError(f"the run left no {what}: nothing can be spoiled")


class Left(msgspec.Struct):
    """A run's evidence, to be spoiled."""

    rows: list[Row]
    dump: Dump
    sent: list[dict[str, Any]]
    answers: dict[str, int]

    def evidence(self) -> Evidence:
        """For the judge."""
        return Evidence(self.rows, self.dump, self.sent, self.answers)

    def copy(self) -> Left:
        """All of it anew."""
        return msgspec.json.decode(msgspec.json.encode(self), type=Left)

    def told(self, what: str = "append") -> tuple[Row, Row]:
        """An operation and the first answer that confirmed it."""
        tries = {row.data["op"]: row for row in self.rows if row.kind == "try" and row.data["what"] == what}
        for row in self.rows:
            if row.kind == "told" and row.data["outcome"] == "ok" and row.data["op"] in tries:
                if what == "append" or tries[row.data["op"]].data["good"]:
                    return tries[row.data["op"]], row
        raise AssertionError(f"nothing of the kind {what} was confirmed")

    def logs(self, base: str = CLAIMS) -> list[tuple[str, list[tuple[str, list[str]]]]]:
        """The partitions of a log by key, the fullest first."""
        found = [(name, rows) for name, rows in self.dump.streams.items() if _is(name, base)]
        return sorted(found, key=lambda one: len(one[1]), reverse=True)

    def log(self, base: str = CLAIMS) -> list[tuple[str, list[str]]]:
        """The fullest partition of a log."""
        return self.logs(base)[0][1]

    def append(self, fields: list[str], base: str = CLAIMS) -> None:
        """One more entry behind all others of the fullest partition."""
        log = self.log(base)
        log.append((f"{order(log[-1][0])[0] + 1}-0", list(fields)))

    def fact(self) -> list[str]:
        """The flat fields of some fact, to be changed where they stand."""
        facts = (fields for entry_id, fields in self.log() if log_entry(entry_id, fields).sequence)
        return some(facts, "fact in the fullest partition")

    def key_of_a_claim(self, base: str, there: Iterable[str]) -> str:
        """The key of that name (of `{}`, the claim) of some claim that has facts."""
        seen = self.evidence()
        keys = (seen.key(base.format(claim), seen.partition_of(claim)) for claim in seen.facts())
        return some((key for key in keys if key in there), f"claim with a key {base}")

    def seen(self, group: str = "analytics", least: int = 1) -> list[str]:
        """What a group's settles wrote down, of the partition with most of them; at least so many."""
        lists = [rows for name, rows in self.dump.lists.items() if _is(name, f"campaign:seen:{group}")]
        return some((rows for rows in [max(lists, key=len)] if len(rows) >= least), f"{least} settles of {group}")

    def hashed(self, base: str) -> dict[str, str]:
        """The fullest hash of that name."""
        return max((fields for name, fields in self.dump.hashes.items() if _is(name, base)), key=len)

    def add(self, kind: str, **data: Any) -> None:
        """One more row, after all others."""
        self.rows.append(Row(self.rows[-1].at + 1, "doctor", kind, data))


def _is(name: str, base: str) -> bool:
    return name == base or name.startswith(f"{base}:{{p")


def _facts(rows: Iterable[tuple[str, list[str]]]) -> Iterator[LogEntry]:
    """Those that the judge takes for facts: rubbish may call one of its fields `sequence`, too."""
    return (entry for entry in (log_entry(entry_id, fields) for entry_id, fields in rows) if entry.sequence)


def _set(fields: list[str], name: str, value: str) -> None:
    fields[fields.index(name) + 1] = value


def lost(left: Left) -> None:
    """I1."""
    _, answer = left.told()
    for rows in left.dump.streams.values():
        rows[:] = [row for row in rows if row[0] != answer.data["ids"][0]]


def another_raw_entry(left: Left) -> None:
    """I1."""
    _, answer = left.told("raw")
    for rows in left.dump.streams.values():
        for entry_id, fields in rows:
            if entry_id == answer.data["ids"][0]:
                fields[-1] += "x"


def of_nobody(left: Left) -> None:
    """I2."""
    fresh = list(left.fact())
    _set(fresh, "eventId", "nobody")
    left.append(fresh)


def refused_and_there(left: Left) -> None:
    """I2."""
    operation, _ = left.told()
    for row in left.rows:
        if row.kind == "told" and row.data["op"] == operation.data["op"]:
            row.data["outcome"] = "conflict"


def raw_entry_too_often(left: Left) -> None:
    """I2. It may have been sent twice and be there once, when a reply was lost: then one more is not yet too often."""
    key, rows = left.logs()[0]
    entries = [log_entry(entry_id, fields) for entry_id, fields in rows]
    raw = some((entry.fields for entry in entries if not entry.sequence), "raw entry in the fullest partition")
    tries = [row.data for row in of_kind(left.rows, "try") if row.data["what"] == "raw" and row.data["log"] == key]
    sent = sum(one["digest"] == digest_of(raw) for one in tries)
    for _ in range(sent + 1 - sum(entry.fields == raw for entry in entries)):
        left.append(raw)


def event_twice(left: Left) -> None:
    """I3."""
    left.append(left.fact())


def told_otherwise(left: Left) -> None:
    """I3."""
    _, answer = left.told()
    left.add("told", **(answer.data | {"version": answer.data["version"] + 7}))


def out_of_order(left: Left) -> None:
    """I4."""
    log = left.log()
    log[0], log[1] = log[1], log[0]


def tampered(left: Left) -> None:
    """I4."""
    fields = left.fact()
    _set(fields, "actor", "claims_manager:somebody-else")


def hole(left: Left) -> None:
    """I5."""
    _set(left.fact(), "sequence", "99")


def other_version(left: Left) -> None:
    """I5."""
    name = left.key_of_a_claim("claim:{}:head", left.dump.strings)
    left.dump.strings[name] = str(int(left.dump.strings[name]) + 1)


def other_history(left: Left) -> None:
    """I5."""
    name = left.key_of_a_claim("claim:{}:history", left.dump.lists)
    left.dump.lists[name].pop()


def two_winners(left: Left) -> None:
    """I5."""
    operation, answer = left.told()
    left.add("try", **(operation.data | {"op": "other/1", "command": "other-1"}))
    left.add("told", **(answer.data | {"op": "other/1"}))


def never_applied(left: Left) -> None:
    """I6."""
    left.seen().pop()


def applied_twice(left: Left) -> None:
    """I6."""
    left.seen().append(left.seen()[0])


def one_lost_one_twice(left: Left) -> None:
    """I6, and every sum stays as it was."""
    seen = left.seen(least=2)
    seen[1] = json.dumps([json.loads(seen[0])[-1], *json.loads(seen[1])[1:]])


def in_another_order(left: Left) -> None:
    """I6."""
    seen = left.seen("auditors", least=2)
    seen[0], seen[1] = seen[1], seen[0]


def held_nobody_back(left: Left) -> None:
    """I6 per claim: the first event of a poisoned claim is parked, the next one was applied."""
    parked = [rows for group in poison.GROUPS.values() for _, rows in left.logs(f"{CLAIMS}:parked:{group}")]
    rows = some((rows for rows in parked if any(map(_held, rows))), "entry that was held back behind a poisoned one")
    rows[:] = [row for row in rows if not _held(row)]


def _held(row: tuple[str, list[str]]) -> bool:
    return log_entry(*row).named["held"] == "1"


def other_snapshot(left: Left) -> None:
    """I7."""
    name = left.key_of_a_claim("claim:{}", left.dump.hashes)
    left.dump.hashes[name]["status"] = "approved twice"


def a_cent_more(left: Left) -> None:
    """I7: money exact."""
    amounts = [fields for name, fields in left.dump.hashes.items() if name.startswith("analytics:amounts:2")]
    of_notices = ((fields, field) for fields in amounts for field in fields if field.startswith("claim.submitted:min"))
    fields, field = some(of_notices, "amount of a notice of loss that was added up")
    fields[field] = str(int(fields[field]) + 1)


def counted_once_more(left: Left) -> None:
    """I7."""
    hours = (fields for name, fields in left.dump.hashes.items() if name.startswith("analytics:hourly:"))
    fields = some(hours, "count of an hour")
    field = next(iter(fields))
    fields[field] = str(int(fields[field]) + 1)


def intent_missing(left: Left) -> None:
    """I8."""
    left.log(OUTBOX).pop(0)


def intent_twice(left: Left) -> None:
    """I8."""
    left.append(left.log(OUTBOX)[0][1], OUTBOX)


def rubbish_forgotten(left: Left) -> None:
    """I8."""
    seen = left.evidence()
    confirmed = (one for one in seen.tries if one.data["what"] == "raw" and not one.data["good"] and one.confirmed)
    entry_id = some(confirmed, "rubbish of which it is known that it is there").confirmed[0]["ids"][0]
    for name, rows in left.dump.streams.items():
        if ":parked:processors" in name or ":parked:intake" in name:
            rows[:] = [row for row in rows if log_entry(*row).named["originId"] != entry_id]


def pending(left: Left) -> None:
    """I9."""
    of_logs = ((name, rows) for name, rows in left.dump.groups.items() if _is(name, CLAIMS) and rows)
    name, groups = some(of_logs, "group of a claim log")
    left.dump.groups[name] = [msgspec.structs.replace(group, pending=1) for group in groups]


def not_at_the_end(left: Left) -> None:
    """I9."""
    record = left.hashed(f"{CLAIMS}:position:auditors")
    record["settled"] = str(int(record["settled"]) - 1)


def innocent_parked(left: Left) -> None:
    """I9."""
    parked = left.logs(f"{CLAIMS}:parked:processors")
    pairs = ((rows[0], fact) for name, rows in parked if rows for fact in _facts(left.dump.streams[_log_of(name)]))
    (_, letter), fact = some(pairs, "dead letter of the claims processor in a partition with facts")
    _set(letter, "originId", fact.id)


def _log_of(parked: str) -> str:
    return parked.replace(":parked:processors", "")


def never_acknowledged(left: Left) -> None:
    """I9."""
    left.answers["resync:idle"] = 500


def settles_overlap(left: Left) -> None:
    """I10."""
    seen = left.seen("cache-invalidators", least=2)
    seen[1] = json.dumps([*json.loads(seen[0]), *json.loads(seen[1])])


def sent_for_no_reason(left: Left) -> None:
    """I11."""
    left.sent.append(some(left.sent, "message") | {"key": "no-such-intent"})


def never_sent(left: Left) -> None:
    """I11."""
    delivered = {
        key
        for name, outcomes in left.dump.hashes.items()
        if _is(name, "outbox:outcomes")
        for key, outcome in outcomes.items()
        if json.loads(outcome)["state"] == "delivered"
    }
    left.sent.remove(some((line for line in left.sent if line["key"] in delivered), "message that counts as delivered"))


def sent_twice(left: Left) -> None:
    """I11."""
    left.sent.append(some(left.sent, "message"))


def money_of_nobody(left: Left) -> None:
    """I11, money: an order of a payment that no fact initiated."""
    order = {"key": "k", "paymentId": "PAY-CLM-NOBODY01-1", "amount": 5, "currency": "USD", "state": "paid"}
    left.add("bank", orders=[order], messages=[])


def paid_twice(left: Left) -> None:
    """I11, money: two orders of one payment, both paid."""
    facts = (fact for _, rows in left.logs() for fact in _facts(rows))
    initiated = (fact for fact in facts if fact.named["eventType"] == "claim.payment.initiated")
    body = json.loads(some(initiated, "payment that was initiated").named["data"])
    order = {"paymentId": body["paymentId"], **{"amount": body["amount"]["minor"], "currency": "USD"}, "state": "paid"}
    left.add("bank", orders=[order | {"key": "k1"}, order | {"key": "k2"}], messages=[])


def not_drained(left: Left) -> None:
    """I14."""
    for row in left.rows:
        if row.kind == "end":
            row.data["rested"] = False


def damaged_and_silent(left: Left) -> None:
    """I15."""
    left.add("damage", what="trim", partition=0, answer="1")


def refused_without_reason(left: Left) -> None:
    """I15 the other way round: a sound log refuses nobody."""
    operation, _ = left.told()
    left.add("told", op=operation.data["op"], outcome="refused", detail="INVALID: somebody's bug")


def in_clear(left: Left) -> None:
    """I16."""
    some(left.sent, "message")["params"] = {"note": f"{CANARY} 7"}


def descriptors_leak(left: Left) -> None:
    """I18."""
    left.add("base", name="fds", value=40)
    left.add("rest", name="fds", value=140, lives=1)


def too_slow(left: Left) -> None:
    """A floor."""
    left.add("measure", name="takeover seconds", value=5.0, limit=2.0, unit="s")


SPOILED: tuple[tuple[str, Callable[[Left], None]], ...] = (
    ("I1", lost), ("I1", another_raw_entry), ("I2", of_nobody), ("I2", refused_and_there), ("I2", raw_entry_too_often),
    ("I3", event_twice), ("I3", told_otherwise), ("I4", out_of_order), ("I4", tampered), ("I5", hole),
    ("I5", other_version), ("I5", other_history), ("I5", two_winners), ("I6", never_applied), ("I6", applied_twice),
    ("I6", one_lost_one_twice), ("I6", in_another_order), ("I6", held_nobody_back), ("I7", other_snapshot),
    ("I7", a_cent_more), ("I7", counted_once_more), ("I8", intent_missing), ("I8", intent_twice),
    ("I8", rubbish_forgotten), ("I9", pending), ("I9", not_at_the_end), ("I9", innocent_parked),
    ("I9", never_acknowledged), ("I10", settles_overlap), ("I11", sent_for_no_reason), ("I11", never_sent),
    ("I11", sent_twice), ("I11", money_of_nobody), ("I11", paid_twice),
    ("I14", not_drained), ("I15", damaged_and_silent), ("I15", refused_without_reason), ("I16", in_clear),
    ("I18", descriptors_leak), ("floor", too_slow),
)  # fmt: skip
"""Invariant and spoiler."""


def spoilers(names: Iterable[str] = ()) -> list[tuple[str, Callable[[Left], None]]]:
    """All, or those of these invariants."""
    wanted = set(names)
    return [one for one in SPOILED if not wanted or one[0] in wanted]
