"""Takes a backup of a store at work: one atomic step for what moves, then the entries, which never change.

The step is a MULTI over a few hundred keys of known names: the server answers nobody else meanwhile, some 1 ms per
10,000 records of what was sent and paid. Entries behind the cut are not read. A trim in between is met by the archive;
without one it is told, and the backup begun again.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from runtime.entry import in_order
from runtime.store.trouble import STORE_ERRORS, translated
from workers.archivists import NO_ARCHIVES
from workers.backup.files import (
    CUT,
    FORMAT,
    BackupDamaged,
    Cut,
    Kept,
    LogRecord,
    Manifest,
    PartitionCut,
    Standing,
    Writer,
    encode_cut,
    log_file,
    write_manifest,
)
from workers.backup.kept import group_keys, kept, own_keys, question
from workers.keys import CLAIM_LOG
from workers.version import VERSION
from workers.whole_log import WholeLog

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from redis.asyncio import Redis

    from runtime.store.keys import Keyspace
    from runtime.store.reads import Command, Reads
    from workers.archivists import Archives


class GroupsChanged(Exception):
    """A group came or went between the two looks of the cut: look again."""


class Backup:
    """One backup of all logs of a store."""

    def __init__(
        self,
        client: Redis,
        reads: Reads,
        keyspaces: Sequence[Keyspace],
        archives: Archives = NO_ARCHIVES,
        *,
        told: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        """`told(done, total)` hears of entries, for a bar."""
        self._client = client
        self._reads = reads
        self._spaces = {keys.spec.name: keys for keys in keyspaces}
        self._archives = archives
        self._told = told

    async def take(self, folder: Path) -> Manifest:
        """Write the backup into a directory that is not there yet, or empty.

        Raises OSError, store faults, `Trimmed`.
        """
        _begin(folder)
        try:
            return await self._written(folder)
        except BaseException:
            with suppress(OSError):
                shutil.rmtree(folder)  # half a backup is none, and its entries would lie about
            raise

    async def _written(self, folder: Path) -> Manifest:
        cut_ms, cut = await self._cut()
        total, done = sum(part.length for parts in cut.values() for part in parts), 0
        files, logs = {}, {}
        writer = Writer(folder / CUT)
        writer.whole(encode_cut(cut))
        files[CUT] = writer.close()
        for name, parts in cut.items():
            keys = self._spaces[name]
            counts = []
            for partition, part in enumerate(parts):
                writer = Writer(folder / log_file(name, partition))
                count = 0
                async for rows in WholeLog(self._reads, keys, partition, self._archives).pages():
                    within = [row for row in rows if part.last and not _behind(row[0], part.last)]
                    writer.rows(within)
                    count += len(within)
                    self._told(done + count, max(total, done + count))
                    if len(within) < len(rows):
                        break
                if count < part.length:
                    raise BackupDamaged(
                        f"{keys.log(partition)} was cut while it was being read: {count:,} of {part.length:,} entries"
                        " are left; begin again"
                    )
                done += count
                counts.append(count)
                files[log_file(name, partition)] = writer.close()
            logs[name] = LogRecord(keys.spec.partitions, keys.tagged, counts, [part.last for part in parts])
        made = datetime.now(UTC).isoformat(timespec="seconds")
        manifest = Manifest(FORMAT, made, VERSION, cut_ms, logs, files)
        write_manifest(folder, manifest)
        return manifest

    async def _cut(self) -> tuple[int, Cut]:
        for _ in range(10):
            with suppress(GroupsChanged):
                return await self._cut_once()
        raise BackupDamaged("groups came and went ten times in a row while the backup was to begin; begin again")

    async def _cut_once(self) -> tuple[int, Cut]:
        """Everything that moves, in one transaction; the groups are looked up before it and compared in it."""
        places = [(keys, partition) for keys in self._spaces.values() for partition in range(keys.spec.partitions)]
        before = await self._reads.many([("HGETALL", keys.state(partition)) for keys, partition in places])
        asked: list[Command] = [("TIME",)]
        layout = []
        for (keys, partition), state in zip(places, before, strict=True):
            groups = _groups(state)
            kept_keys = own_keys(self._spaces[CLAIM_LOG], keys, partition)
            letters = {group: group_keys(keys, group, partition) for group in groups}
            asked += [("HGETALL", keys.state(partition)), ("XLEN", keys.log(partition))]
            asked.append(("XREVRANGE", keys.log(partition), "+", "-", "COUNT", 1))
            asked += [("HGETALL", keys.position(group, partition)) for group in groups]
            asked += [question(*one) for one in kept_keys]
            asked += [question(*one) for found in letters.values() for one in found]
            layout.append((keys, groups, kept_keys, letters))
        replies = iter(await self._at_once(asked))
        seconds, micros = next(replies)
        cut: Cut = {name: [] for name in self._spaces}
        for keys, groups, kept_keys, letters in layout:
            state, length, newest = _named(next(replies)), int(next(replies)), next(replies)
            if _groups(state) != groups:
                raise GroupsChanged
            records = {group: _named(next(replies)) for group in groups}
            own = [found for name, kind in kept_keys if (found := kept(name, kind, next(replies)))]
            standings = {}
            for group in groups:
                dead: list[Kept] = [one for name, kind in letters[group] if (one := kept(name, kind, next(replies)))]
                record = records[group]
                standings[group] = Standing(record.get(b"id", b"0-0").decode(), int(record.get(b"settled", b"0")), dead)
            cut[keys.spec.name].append(
                PartitionCut(
                    state.get(b"incarnation", b"").decode(),
                    {name.decode(): value.decode() for name, value in state.items() if name.startswith(b"retired:")},
                    newest[0][0].decode() if newest else "",
                    length,
                    standings,
                    own,
                )
            )
        return int(seconds) * 1000 + int(micros) // 1000, cut

    async def _at_once(self, commands: Sequence[Command]) -> list[Any]:
        """All replies of one moment."""
        pipeline = self._client.pipeline(transaction=True)
        for command in commands:
            pipeline.execute_command(*command)
        try:
            replies: list[Any] = await pipeline.execute()
        except STORE_ERRORS as problem:
            raise translated(problem) from problem
        return replies


def _begin(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if any(folder.iterdir()):
        raise BackupDamaged(f"{folder} is not empty: each backup has a directory of its own")


def _behind(entry_id: bytes, last: str) -> bool:
    return in_order(entry_id.decode()) > in_order(last)


def _named(reply: Any) -> dict[bytes, bytes]:
    return reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2], strict=True))


def _groups(state: Any) -> list[str]:
    named = _named(state)
    return sorted(name.decode().removeprefix("group:") for name in named if name.startswith(b"group:"))
