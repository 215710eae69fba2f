"""Puts a backup back into an empty store, whole or up to a moment.

Up to a moment: entries behind it are left out, intents of facts that are left out as well, with what was sent of them,
and every place is set back to what is left. The bank is asked again from its first message on. The log is another one
from then on (a new incarnation), so nothing that knew the old one can write to it, and its archive begins anew. A whole
restore goes on with the log that it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

import msgspec

from runtime.entry import in_order
from runtime.store.functions import load_library
from runtime.store.keys import Keyspace
from runtime.store.reads import Reads
from runtime.store.restoring import NotEmpty, Restorer, Stand
from workers.backup.files import (
    CUT,
    BackupDamaged,
    Kept,
    PartitionCut,
    check_files,
    decode_cut,
    log_file,
    read_manifest,
    read_rows,
)
from workers.backup.folding import Fold
from workers.backup.kept import ARCHIVING, OUTWARD, PROCESSOR, effects_of, entries_of
from workers.backup.lists import Lists
from workers.keys import CLAIM_LOG, NOTIFICATION_LOG, REQUEST_LOG, ClaimKeys

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from redis.asyncio import Redis

    from runtime.entry import RawEntry
    from runtime.store.keys import LogSpec
    from workers.backup.files import Cut, Manifest


class Restored(NamedTuple):
    """What a restore did. `unsent`: intents that were left out, `sent` of them had left already: somebody was told."""

    entries: int
    left_out: int
    logs: int
    unsent: int
    sent: int


class Restore:
    """One restore of one backup."""

    def __init__(
        self,
        client: Redis,
        folder: Path,
        specs: Sequence[LogSpec],
        *,
        until_ms: int | None = None,
        who: str = "restore",
        told: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        """`until_ms`: leave out what the store took later than that (ms since 1970, by its own clock)."""
        self._client = client
        self._folder = folder
        self._specs = specs
        self._until = until_ms
        self._who = who
        self._told = told
        self._token = uuid4().hex
        self._written = 0
        self._left_out = 0
        self._facts_left_out: set[bytes] = set()
        self._causes_left_out: set[bytes] = set()
        self._intents_left_out: set[str] = set()
        self._sent = 0
        self._ends: dict[tuple[str, int], str] = {}

    async def run(self) -> Restored:
        """Check the files, refuse a store that is not empty, write. Raises `BackupDamaged`, `NotEmpty`, `Halted`."""
        manifest = read_manifest(self._folder)
        check_files(self._folder, manifest)
        cut = _read_cut(self._folder)
        if await self._client.dbsize():
            raise NotEmpty("the store has keys; restore into an empty store")
        await load_library(self._client)
        total = sum(sum(record.entries) for record in manifest.logs.values())
        # The log of claims first: what is left out of it decides what is left out of the others.
        for name in sorted(cut, key=lambda name: name != CLAIM_LOG):
            for partition, part in enumerate(cut[name]):
                await self._partition(manifest, name, partition, part, total)
        return Restored(self._written, self._left_out, len(cut), len(self._intents_left_out), self._sent)

    async def _partition(self, manifest: Manifest, name: str, partition: int, part: PartitionCut, total: int) -> None:
        keys = self._keyspace(name, manifest)
        claims = self._keyspace(CLAIM_LOG, manifest)
        if name == CLAIM_LOG and self._until is not None:
            part = self._before_undone(part, log_file(name, partition))
        restorer = Restorer(self._client, keys, partition, self._token)
        fold = Fold(keys, partition, self._lists(keys, partition, part))
        counts = _Counter(part)
        await restorer.effects(())  # an empty log is restored as well
        for rows in read_rows(self._folder / log_file(name, partition)):
            left = [row for row in rows if self._stays(name, row)]
            self._left_out += len(rows) - len(left)
            if left:
                await restorer.entries(keys.log(partition), left)
                fold.follow(left)
                if listed := fold.listed():
                    await restorer.effects(listed)
                counts.follow(left, self._first_undone)
            self._written += len(left)
            self._told(self._written + self._left_out, total)
        self._ends[name, partition] = counts.last
        await restorer.effects(fold.effects())
        cut_short = self._until is not None
        groups: dict[str, Stand] = {}
        for group, standing in part.groups.items():
            if (name, group) in OUTWARD - (ARCHIVING if cut_short else frozenset()):
                groups[group] = counts.stand(group, before_undone=name == REQUEST_LOG)
                await self._kept(restorer, standing.keys)
            else:
                groups[group] = Stand("0-0", 0)
        own = ClaimKeys(claims, partition)
        leave = {keys.archive(partition), own.bank_place} if cut_short else set()
        kept = [one for one in part.keys if one.key not in leave]
        if name == NOTIFICATION_LOG and cut_short:
            kept = [self._without_left_out(one, own) for one in kept]
        await self._kept(restorer, kept)
        incarnation = uuid4().hex if cut_short else part.incarnation
        note = f"backup of {manifest.made}" + (f", up to {self._until} ms" if cut_short else "")
        await restorer.finish(incarnation, groups, who=self._who, note=f"{note}; the log was {part.incarnation}")

    def _lists(self, keys: Keyspace, partition: int, part: PartitionCut) -> Lists | None:
        standing = part.groups.get(PROCESSOR)
        if keys.spec.name != CLAIM_LOG or standing is None:
            return None
        return Lists(Reads(self._client), keys, partition, standing.position)

    def _before_undone(self, part: PartitionCut, file: str) -> PartitionCut:
        """The processor stands before the first fact whose decision is left out, or nobody would decide it again."""
        standing = part.groups.get(PROCESSOR)
        if standing is None:
            return part
        path = self._folder / file
        undone = {field(row, b"causationId") for rows in read_rows(path) for row in rows if self._is_late(row)}
        before = "0-0"
        for rows in read_rows(path):
            for row in rows:
                if field(row, b"eventId") in undone or in_order(row[0].decode()) > in_order(standing.position):
                    place = msgspec.structs.replace(standing, position=before)
                    return msgspec.structs.replace(part, groups={**part.groups, PROCESSOR: place})
                before = row[0].decode()
        return part

    def _keyspace(self, name: str, manifest: Manifest) -> Keyspace:
        record = manifest.logs[name]
        for spec in self._specs:
            if spec.name == name:
                return Keyspace(msgspec.structs.replace(spec, partitions=record.partitions, tagged=record.tagged))
        raise BackupDamaged(f"{self._folder}: it has a log {name}, this program knows none of that name")

    def _stays(self, name: str, row: RawEntry) -> bool:
        """Is this entry restored? Notes what hangs on it when it is not."""
        if self._until is None:
            return True
        if name == NOTIFICATION_LOG:
            # An intent stays with its fact, however late the notifier came to it.
            stays = field(row, b"causationId") not in self._facts_left_out
            if not stays:
                self._intents_left_out.add(field(row, b"eventId").decode(errors="replace"))
            return stays
        stays = not self._is_late(row)
        if not stays and name == CLAIM_LOG:
            self._facts_left_out.add(field(row, b"eventId"))
            self._causes_left_out.add(field(row, b"causationId"))
        return stays

    def _is_late(self, row: RawEntry) -> bool:
        """Did the store take it after the moment up to which is restored?"""
        return self._until is not None and int(row[0].partition(b"-")[0]) > self._until

    def _first_undone(self, row: RawEntry) -> bool:
        """Is this a request whose facts were left out, so that it has to be adopted again?"""
        return field(row, b"eventId") in self._causes_left_out

    def _without_left_out(self, one: Kept, own: ClaimKeys) -> Kept:
        """The records of sending without those of intents that are no more."""
        if one.kind not in ("hash", "zset"):
            return one
        stay = [pair for pair in one.value if pair[0].decode(errors="replace") not in self._intents_left_out]
        if one.key == own.outbox_outcomes:
            self._sent += len(one.value) - len(stay)
        return msgspec.structs.replace(one, value=stay)

    async def _kept(self, restorer: Restorer, keys: Sequence[Kept]) -> None:
        for one in keys:
            rows = entries_of(one)
            for start in range(0, len(rows), 500):
                await restorer.entries(one.key, rows[start : start + 500])
            await restorer.effects(effects_of(one))


class _Counter:
    """Counts the entries up to the place of each group, and knows the last one that is left."""

    def __init__(self, part: PartitionCut) -> None:
        self._wanted = {group: in_order(standing.position) for group, standing in part.groups.items()}
        self._stands = {group: Stand("0-0", 0) for group in part.groups}
        self._before_undone: Stand | None = None
        self._count = 0
        self.last = ""

    def follow(self, rows: Sequence[RawEntry], undone: Callable[[RawEntry], bool]) -> None:
        """The next entries that are restored."""
        for row in rows:
            entry_id = row[0].decode()
            if self._before_undone is None and undone(row):
                self._before_undone = Stand(self.last or "0-0", self._count)
            self._count += 1
            self.last = entry_id
            place = in_order(entry_id)
            for group, wanted in self._wanted.items():
                if place <= wanted:
                    self._stands[group] = Stand(entry_id, self._count)

    def stand(self, group: str, *, before_undone: bool = False) -> Stand:
        """The last entry that is left of those that the group had settled."""
        found = self._stands[group]
        if before_undone and self._before_undone is not None and self._before_undone.settled < found.settled:
            return self._before_undone
        return found


def field(row: RawEntry, name: bytes) -> bytes:
    """One field of an entry; b'' when it has none of that name."""
    fields = row[1]
    for place in range(0, len(fields) - 1, 2):
        if fields[place] == name:
            return fields[place + 1]
    return b""


def _read_cut(folder: Path) -> Cut:
    try:
        return decode_cut((folder / CUT).read_bytes())
    except (OSError, msgspec.DecodeError) as problem:
        raise BackupDamaged(f"{folder / CUT}: {problem}") from None
