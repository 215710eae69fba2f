"""Writes the claim log to a file of JSON lines that `offline.verify_file` checks without a cluster.

Links are computed from the entries as they are; checkpoints come from the auditor's own record. So an entry that was
changed in the store after it was audited does not fit its checkpoint.
"""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING

import msgspec

from workers.archivists import NO_ARCHIVES
from workers.auditor import Chain
from workers.keys import CLAIM_LOG, ClaimKeys
from workers.verifying.offline import FORMAT, CheckpointLine, EndLine, Header, encode_line, entry_line
from workers.verifying.places import pages
from workers.whole_log import WholeLog

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runtime.store.encoding import Log
    from runtime.store.opening import OpenStore
    from runtime.store.reads import Reads
    from workers.archivists import Archives
    from workers.verifying.engine import HasStore


class Exported(msgspec.Struct, frozen=True):
    """What was written."""

    entries: int
    checkpoints: int
    heads: dict[int, str]


async def export_log(app: HasStore, path: Path, archives: Archives = NO_ARCHIVES) -> Exported:
    """Write the whole claim log, what was trimmed from the archive.

    The file appears under its name only when it is complete and on the disk.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        with partial.open("wb") as file:
            exported = await _Export(app.store, file, archives).run()
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return exported


class _Export:
    """One export."""

    def __init__(self, store: OpenStore, file: IO[bytes], archives: Archives) -> None:
        self._reads: Reads = store.reads
        self._log: Log = store.logs[CLAIM_LOG]
        self._file = file
        self._archives = archives
        self._checkpoints = 0

    async def run(self) -> Exported:
        spec = self._log.keys.spec
        incarnations = [self._log.incarnation(partition) for partition in range(spec.partitions)]
        self._write(Header(FORMAT, spec.name, spec.partitions, incarnations))
        chains = {partition: await self._partition(partition) for partition in range(spec.partitions)}
        heads = {partition: chain.head.hex() for partition, chain in chains.items()}
        return Exported(sum(chain.count for chain in chains.values()), self._checkpoints, heads)

    async def _partition(self, partition: int) -> Chain:
        chain = Chain()
        recorded = await self._recorded(partition)
        due = next(recorded, None)
        async for rows in WholeLog(self._reads, self._log.keys, partition, self._archives).pages():
            for entry_id, fields in rows:
                chain = chain.after(entry_id.decode(), list(fields))
                self._write(entry_line(partition, chain.count, chain.last, fields, chain.head))
                while due is not None and due.count == chain.count:
                    self._write(due)
                    self._checkpoints += 1
                    due = next(recorded, None)
        while due is not None:  # it knows entries that the log has no more: the verifier will say so
            self._write(due)
            due = next(recorded, None)
        self._write(EndLine(partition, chain.count, chain.head.hex()))
        return chain

    async def _recorded(self, partition: int) -> Iterator[CheckpointLine]:
        """The auditor's checkpoints, in order, and its head as the last of them."""
        keys = ClaimKeys(self._log.keys, partition)
        found: list[CheckpointLine] = []
        async for rows in pages(self._reads, keys.checkpoints):
            for _, fields in rows:
                found.append(_checkpoint(partition, dict(zip(fields[::2], fields[1::2], strict=True))))
        chain = await self._reads.one("HGETALL", keys.chain)
        if chain:
            chain[b"id"] = chain[b"last"]
            found.append(_checkpoint(partition, chain))
        return iter(found)

    def _write(self, line: Header | CheckpointLine | EndLine | object) -> None:
        self._file.write(encode_line(line) + b"\n")


def _checkpoint(partition: int, named: dict[bytes, bytes]) -> CheckpointLine:
    return CheckpointLine(partition, int(named[b"count"]), named[b"id"].decode(), named[b"head"].decode())
