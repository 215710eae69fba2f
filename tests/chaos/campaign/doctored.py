"""What a run left, spoiled on purpose: one way per invariant, each of which has to turn the judge red.

A spoiler takes the history's rows, the dump and the provider's lines of a run that passed, all of them copies, and
changes the least that makes its invariant wrong.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from tests.chaos.campaign.dump import Dump
from tests.chaos.campaign.evidence import CLAIMS, OUTBOX, Evidence
from tests.chaos.campaign.history import Row
from tests.chaos.campaign.load import CANARY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


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

    def log(self, base: str = CLAIMS) -> list[tuple[str, list[str]]]:
        """The fullest partition of a log."""
        return max((rows for name, rows in self.dump.streams.items() if _is(name, base)), key=len)

    def fact(self, nth: int = 5) -> list[str]:
        """The flat fields of some fact."""
        return [fields for _, fields in self.log() if "sequence" in fields[::2]][nth]

    def seen(self, group: str = "analytics") -> list[str]:
        """What a group's settles wrote down, of the fullest partition."""
        rows = (rows for name, rows in self.dump.lists.items() if _is(name, f"campaign:seen:{group}"))
        return max(rows, key=len)

    def hashed(self, base: str) -> dict[str, str]:
        """The fullest hash of that name."""
        return max((fields for name, fields in self.dump.hashes.items() if _is(name, base)), key=len)

    def add(self, kind: str, **data: Any) -> None:
        """One more row, after all others."""
        self.rows.append(Row(self.rows[-1].at + 1, "doctor", kind, data))


def _is(name: str, base: str) -> bool:
    return name == base or name.startswith(f"{base}:{{p")


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
    entry_id, fields = left.log()[-1]
    fresh = list(left.fact())
    _set(fresh, "eventId", "nobody")
    left.log().append((f"{int(entry_id.partition('-')[0]) + 1}-0", fresh))


def refused_and_there(left: Left) -> None:
    """I2."""
    operation, _ = left.told()
    for row in left.rows:
        if row.kind == "told" and row.data["op"] == operation.data["op"]:
            row.data["outcome"] = "conflict"


def raw_entry_twice(left: Left) -> None:
    """I2."""
    entry_id, fields = next(row for row in left.log() if "sequence" not in row[1][::2])
    left.log().append((f"{int(left.log()[-1][0].partition('-')[0]) + 1}-0", list(fields)))


def event_twice(left: Left) -> None:
    """I3."""
    left.log().append((f"{int(left.log()[-1][0].partition('-')[0]) + 1}-0", list(left.fact())))


def told_otherwise(left: Left) -> None:
    """I3."""
    _, answer = left.told()
    left.add("told", **(answer.data | {"version": answer.data["version"] + 7}))


def out_of_order(left: Left) -> None:
    """I4."""
    log = left.log()
    log[3], log[4] = log[4], log[3]


def tampered(left: Left) -> None:
    """I4."""
    fields = left.fact()
    _set(fields, "actor", "claims_manager:somebody-else")


def hole(left: Left) -> None:
    """I5."""
    _set(left.fact(), "sequence", "99")


def other_version(left: Left) -> None:
    """I5."""
    name = next(name for name in left.dump.strings if name.startswith("claim:") and ":head" in name)
    left.dump.strings[name] = "77"


def other_history(left: Left) -> None:
    """I5."""
    name = next(name for name in left.dump.lists if name.startswith("claim:") and ":history" in name)
    left.dump.lists[name].pop()


def two_winners(left: Left) -> None:
    """I5."""
    operation, answer = left.told()
    left.add("try", **(operation.data | {"op": "other/1", "command": "other-1"}))
    left.add("told", **(answer.data | {"op": "other/1"}))


def never_applied(left: Left) -> None:
    """I6."""
    left.seen().pop(1)


def applied_twice(left: Left) -> None:
    """I6."""
    left.seen().append(left.seen()[0])


def one_lost_one_twice(left: Left) -> None:
    """I6, and every sum stays as it was."""
    seen = left.seen()
    seen[1] = json.dumps([json.loads(seen[0])[-1], *json.loads(seen[1])[1:]])


def in_another_order(left: Left) -> None:
    """I6."""
    seen = left.seen("auditors")
    seen[1], seen[2] = seen[2], seen[1]


def held_nobody_back(left: Left) -> None:
    """I6 per claim: the first event of a poisoned claim is parked, the next one was applied."""
    for name, rows in left.dump.streams.items():
        if ":parked:" in name and any(fields[fields.index("held") + 1] == "1" for _, fields in rows):
            rows[:] = [row for row in rows if row[1][row[1].index("held") + 1] == "0"]


def other_snapshot(left: Left) -> None:
    """I7."""
    name = next(name for name in left.dump.hashes if name.startswith("claim:CLM-"))
    left.dump.hashes[name]["status"] = "approved twice"


def a_cent_more(left: Left) -> None:
    """I7: money exact."""
    for name, fields in left.dump.hashes.items():
        if name.startswith("analytics:amounts:2"):
            for field in fields:
                if field.startswith("claim.submitted:minor:"):
                    fields[field] = str(int(fields[field]) + 1)
                    return


def counted_once_more(left: Left) -> None:
    """I7."""
    name = next(name for name in left.dump.hashes if name.startswith("analytics:hourly:"))
    field = next(iter(left.dump.hashes[name]))
    left.dump.hashes[name][field] = str(int(left.dump.hashes[name][field]) + 1)


def intent_missing(left: Left) -> None:
    """I8."""
    left.log(OUTBOX).pop(2)


def intent_twice(left: Left) -> None:
    """I8."""
    log = left.log(OUTBOX)
    log.append((f"{int(log[-1][0].partition('-')[0]) + 1}-0", list(log[0][1])))


def rubbish_forgotten(left: Left) -> None:
    """I8."""
    for name, rows in left.dump.streams.items():
        if ":parked:processors" in name or ":parked:intake" in name:
            rows.clear()


def pending(left: Left) -> None:
    """I9."""
    name, groups = next((name, rows) for name, rows in left.dump.groups.items() if _is(name, CLAIMS))
    left.dump.groups[name] = [msgspec.structs.replace(group, pending=1) for group in groups]


def not_at_the_end(left: Left) -> None:
    """I9."""
    left.hashed(f"{CLAIMS}:position:auditors")["settled"] = "1"


def innocent_parked(left: Left) -> None:
    """I9."""
    name = next(name for name in left.dump.streams if ":parked:processors" in name and left.dump.streams[name])
    entry_id = next(entry_id for entry_id, fields in left.dump.streams[_log_of(name)] if "sequence" in fields[::2])
    _set(left.dump.streams[name][0][1], "originId", entry_id)


def _log_of(parked: str) -> str:
    return parked.replace(":parked:processors", "")


def never_acknowledged(left: Left) -> None:
    """I9."""
    left.answers["resync:idle"] = 500


def settles_overlap(left: Left) -> None:
    """I10."""
    seen = left.seen("cache-invalidators")
    seen[3] = json.dumps([*json.loads(seen[2]), *json.loads(seen[3])])


def sent_for_no_reason(left: Left) -> None:
    """I11."""
    left.sent.append(left.sent[0] | {"key": "no-such-intent"})


def never_sent(left: Left) -> None:
    """I11."""
    left.sent.pop()


def sent_twice(left: Left) -> None:
    """I11."""
    left.sent.append(left.sent[0])


def money_of_nobody(left: Left) -> None:
    """I11, money: an order of a payment that no fact initiated."""
    order = {"key": "k", "paymentId": "PAY-CLM-NOBODY01-1", "amount": 5, "currency": "USD", "state": "paid"}
    left.add("bank", orders=[order], messages=[])


def paid_twice(left: Left) -> None:
    """I11, money: two orders of one payment, both paid."""
    rows = [fields for _, fields in left.log() if "claim.payment.initiated" in fields]
    body = json.loads(rows[0][rows[0].index("data") + 1])
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
    left.sent[0]["params"] = {"note": f"{CANARY} 7"}


def descriptors_leak(left: Left) -> None:
    """I18."""
    left.add("base", name="fds", value=40)
    left.add("rest", name="fds", value=140, lives=1)


def too_slow(left: Left) -> None:
    """A floor."""
    left.add("measure", name="takeover seconds", value=5.0, limit=2.0, unit="s")


SPOILED: tuple[tuple[str, Callable[[Left], None]], ...] = (
    ("I1", lost), ("I1", another_raw_entry), ("I2", of_nobody), ("I2", refused_and_there), ("I2", raw_entry_twice),
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
