"""What a run left, read for the judge: history, dump and the provider's file. No server, no clock, no settings.

Logs are put together from what is in the dump and what was archived when it was trimmed on purpose. A group's applied
entries are known by id, from the list that each of its settles extended (`campaign:seen:...`).
"""

from __future__ import annotations

import json
import zlib
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.chaos.campaign.history import Row, of_kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.chaos.campaign.dump import Dump

CLAIMS, REQUESTS, OUTBOX = "claims:events", "claims:requests", "claims:notifications"
LOGS = (CLAIMS, REQUESTS, OUTBOX)

TAKES_ALL = {"processors", "intake", "dispatchers", "auditors", "archivists"}
"""Groups that are handed every entry, raw ones included; all others see facts only."""
NEVER_PARKS = {"auditors", "archivists"}


class LogEntry(NamedTuple):
    """One entry: where it stands, its raw fields, and the same by name."""

    id: str
    fields: list[str]
    named: dict[str, str]

    @property
    def sequence(self) -> int:
        """The number of a fact of its claim; 0 for a request."""
        digits = self.named.get("sequence", "")
        return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 16 else 0

    @property
    def claim(self) -> str:
        """Which claim it is about."""
        return self.named.get("claimId", "")

    @property
    def event(self) -> str:
        """Its event id."""
        return self.named.get("eventId", "")


class Parked(NamedTuple):
    """A dead letter of a group."""

    origin: str
    entity: str
    held: bool
    reason: str


class Try(NamedTuple):
    """An operation of a client, and everything that it was told about it, in order."""

    op: str
    data: dict[str, Any]
    told: list[dict[str, Any]]
    at: float

    @property
    def confirmed(self) -> list[dict[str, Any]]:
        """The answers that said that it is there."""
        return [one for one in self.told if one["outcome"] == "ok"]

    @property
    def refused(self) -> bool:
        """Was it said, and never taken back, that it is not there?"""
        return not self.confirmed and any(one["outcome"] in ("conflict", "refused") for one in self.told)


def order(entry_id: str) -> tuple[int, int]:
    """Entry ids compare as two numbers."""
    ms, _, number = entry_id.partition("-")
    return int(ms), int(number or 0)


def log_entry(entry_id: str, fields: Sequence[str]) -> LogEntry:
    """An entry of flat fields; the last of two fields of one name counts."""
    return LogEntry(entry_id, list(fields), dict(zip(fields[::2], fields[1::2], strict=False)))


class Evidence:
    """All of it."""

    def __init__(
        self,
        rows: Sequence[Row],
        dump: Dump,
        sent: Sequence[dict[str, Any]] = (),
        answers: dict[str, int] | None = None,
    ) -> None:
        """`sent`: the lines of the provider; `answers`: what workers met, by word."""
        self.rows = rows
        self.dump = dump
        self.sent = sent
        self.answers = answers or {}
        begin = of_kind(rows, "begin")[0].data
        self.plan: dict[str, Any] = begin["plan"]
        self.partitions = int(self.plan["partitions"])
        self.tries = _tries(rows)
        self.damaged = [
            (partition, row.at)
            for row in of_kind(rows, "damage")
            for partition in (range(self.partitions) if row.data["what"] == "flush" else [row.data["partition"]])
        ]
        told = of_kind(rows, "bank")
        self.bank_orders: list[dict[str, Any]] = told[-1].data["orders"] if told else []
        self.bank_messages: list[str] = told[-1].data["messages"] if told else []
        self._moved: dict[str, list[LogEntry]] = defaultdict(list)
        for row in of_kind(rows, "moved"):
            self._moved[row.data["log"]].append(log_entry(row.data["id"], row.data["fields"]))
        self._logs: dict[str, list[LogEntry]] = {}

    def key(self, base: str, partition: int) -> str:
        """A name with the partition's tag, as the deployment names keys."""
        return f"{base}:{{p{partition}}}" if self.partitions > 1 else base

    def partition_of(self, claim: str) -> int:
        """Where a claim lives."""
        return zlib.crc32(claim.encode()) % self.partitions if self.partitions > 1 else 0

    def log(self, name: str, partition: int) -> list[LogEntry]:
        """Every entry that a partition of a log ever had, in order."""
        key = self.key(name, partition)
        if key not in self._logs:
            there = [log_entry(entry_id, fields) for entry_id, fields in self.dump.streams.get(key, [])]
            known = {entry.id for entry in there}
            self._logs[key] = [*(one for one in self._moved[key] if one.id not in known), *there]
        return self._logs[key]

    def places(self) -> list[tuple[str, int]]:
        """Every partition of every log that was not damaged on purpose."""
        gone = {partition for partition, _ in self.damaged}
        return [(name, n) for name in LOGS for n in range(self.partitions) if n not in gone]

    def groups(self, name: str, partition: int) -> list[str]:
        """The groups that a partition ever had."""
        state = self.dump.hashes.get(self.key(f"{name}:state", partition), {})
        return sorted(field.removeprefix("group:") for field in state if field.startswith("group:"))

    def record(self, name: str, group: str, partition: int) -> dict[str, str]:
        """The position record of a group."""
        return self.dump.hashes.get(self.key(f"{name}:position:{group}", partition), {})

    def parked(self, name: str, group: str, partition: int) -> list[Parked]:
        """The dead letters of a group, in the order in which they were parked."""
        rows = self.dump.streams.get(self.key(f"{name}:parked:{group}", partition), [])
        found = []
        for _, fields in rows:
            named = dict(zip(fields[::2], fields[1::2], strict=False))
            found.append(Parked(named["originId"], named["entity"], named["held"] == "1", named["reason"]))
        return found

    def batches(self, name: str, group: str, partition: int) -> list[list[str]]:
        """What each settle of a group applied: entry ids, in the order of the settles."""
        del name  # a group has one log
        rows = self.dump.lists.get(self.key(f"campaign:seen:{group}", partition), [])
        return [json.loads(row) for row in rows]

    def facts(self) -> dict[str, list[LogEntry]]:
        """The facts of each claim, in log order, of every partition that was not damaged."""
        found: dict[str, list[LogEntry]] = defaultdict(list)
        for name, partition in self.places():
            if name == CLAIMS:
                for entry in self.log(name, partition):
                    if entry.sequence:
                        found[entry.claim].append(entry)
        return found

    def due(self, name: str, group: str, partition: int) -> list[LogEntry]:
        """What a group has to have applied: the prefix up to its position that is meant for it, less what it parked."""
        position = self.record(name, group, partition).get("id", "0-0")
        gone = Counter(one.origin for one in self.parked(name, group, partition))
        return [
            entry
            for entry in self.log(name, partition)
            if order(entry.id) <= order(position)
            and entry.id not in gone
            and (group in TAKES_ALL or entry.sequence > 0)
        ]


def _tries(rows: Sequence[Row]) -> list[Try]:
    told: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in of_kind(rows, "told"):
        told[row.data["op"]].append(row.data | {"at": row.at})
    return [Try(row.data["op"], row.data, told[row.data["op"]], row.at) for row in of_kind(rows, "try")]
