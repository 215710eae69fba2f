"""I14, I15, I18 and the floors: drained in time, halted where damaged, resources back, takeover and drain in budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.chaos.campaign.evidence import CLAIMS
from tests.chaos.campaign.history import of_kind
from tests.chaos.campaign.verdict import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.campaign.evidence import Evidence

SLACK = {"tasks": 12, "fds": 12, "rss_kib": 64 * 1024}
"""By how much a process may end above its beginning: caches fill, pools keep connections, batches come."""

SETTLED_SECONDS = 1.0
"""After the damage, until an append that was on its way must have been answered by the store that was damaged."""

UNDAMAGED = {"trim", "delete", "forget", "rename", "overwrite"}
"""Kinds of damage that leave the partition's state, where the halt is written down."""


def drained_in_time(seen: Evidence) -> Iterator[Violation]:
    """I14: after the last fault everything is drained within the time that the run had."""
    ends = of_kind(seen.rows, "end")
    if not ends:
        yield Violation("I14", "the run has no end")
    for row in ends:
        if not row.data["rested"] and not seen.damaged:
            yield Violation("I14", f"not drained after {row.data['seconds']} s: {row.data['detail']}")


def damage_halts(seen: Evidence) -> Iterator[Violation]:
    """I15: after the damage the partition is halted and says so; it takes no append and skips nothing."""
    for row in of_kind(seen.rows, "damage"):
        partition, kind = row.data["partition"], row.data["what"]
        state = seen.dump.hashes.get(seen.key(f"{CLAIMS}:state", partition), {})
        if kind in UNDAMAGED and not state.get("halted"):
            yield Violation("I15", f"{kind}: partition {partition} is not halted: {state}")
        if not seen.answers.get("wait:halted") and not seen.answers.get("lost"):
            yield Violation("I15", f"{kind}: no worker told that it is halted: {seen.answers}")
        for one in seen.tries:
            if one.data["what"] != "append" or one.at < row.at + SETTLED_SECONDS:
                continue
            if kind != "flush" and seen.partition_of(one.data["claim"]) != partition:
                continue
            for answer in one.confirmed:
                if not answer["repeated"]:
                    yield Violation(
                        "I15",
                        f"{kind}: {one.op} was confirmed as {answer['ids']} {one.at - row.at:.1f} s after the damage",
                    )
        yield from _nothing_skipped(seen, partition)


def _nothing_skipped(seen: Evidence, partition: int) -> Iterator[Violation]:
    """What the groups applied before the end are prefixes of one another: nobody jumped over anything.

    An entry that one of them parked was not jumped over, and is looked at in none.
    """
    groups = ("analytics", "notifications", "cache-invalidators")
    parked = {letter.origin for group in groups for letter in seen.parked(CLAIMS, group, partition)}
    lists = {
        group: [one for batch in seen.batches(CLAIMS, group, partition) for one in batch if one not in parked]
        for group in groups
    }
    longest = max(lists.values(), key=len)
    for group, applied in lists.items():
        if applied != longest[: len(applied)]:
            yield Violation("I15", f"{group} applied {applied[-3:]} on a damaged log; others applied {longest[-5:]}")


def resources_are_back(seen: Evidence) -> Iterator[Violation]:
    """I18: descriptors, tasks and memory of the process that is left are those of one that just began."""
    base = {row.data["name"]: row.data["value"] for row in of_kind(seen.rows, "base")}
    for row in of_kind(seen.rows, "rest"):
        name, value = row.data["name"], row.data["value"]
        if name in SLACK and name in base and value > base[name] + SLACK[name]:
            yield Violation("I18", f"{row.process}: {name} {value}, a fresh process had {base[name]}")
    living = {row.process for row in of_kind(seen.rows, "process")}
    for key, groups in seen.dump.groups.items():
        for group in groups:
            if len(group.consumers) > len(living) + 1 and not seen.damaged:
                yield Violation(
                    "I18",
                    f"{group.name} on {key} has {len(group.consumers)} consumers of {len(living)} processes",
                )


def floors_are_kept(seen: Evidence) -> Iterator[Violation]:
    """The floors of the issue, as measured in this seed."""
    for row in of_kind(seen.rows, "measure"):
        value, limit = float(row.data["value"]), float(row.data["limit"])
        if value > limit:
            yield Violation("floor", f"{row.data['name']} {value:g} {row.data['unit']}, the limit is {limit:g}")


def clients_met_no_bug(seen: Evidence) -> Iterator[Violation]:
    """A client is refused by a damaged or halted log only, never for something that is wrong with its append."""
    for one in seen.tries:
        for answer in one.told:
            if answer["outcome"] == "refused" and not seen.damaged:
                yield Violation("I15", f"{one.op} was refused on a sound log: {answer.get('detail')}")
