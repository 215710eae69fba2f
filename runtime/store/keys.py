"""Every key name of the engine. With one partition the names are plain; with more each carries its hash tag.

A tag puts all keys of a partition into one slot of a Redis Cluster, so that a partition moves as a whole.
Owners: `head`, `snapshot`, `history` and `command` are written by append alone; `position`, `parked` and `held` by the
settle of their group (and operators); leases and processes by `runtime.cluster`.
"""

from __future__ import annotations

import hashlib
import zlib

import msgspec


class LogSpec(msgspec.Struct, frozen=True):
    """One log: its stream, what orders its entries, and into how many partitions it is cut.

    `name` is the stream (`orders:events`, say), `entity` the prefix of entity keys, `entity_field` the entry's
    field. `sequenced` is False for streams whose entries carry no sequence of their own (outboxes, requests).
    """

    name: str
    entity: str
    entity_field: str
    partitions: int = 1
    tagged: bool = False
    sequenced: bool = True

    def __post_init__(self) -> None:
        """Refuse a number of partitions that cannot be."""
        if not 1 <= self.partitions <= 4096:
            raise ValueError(f"partitions of {self.name} must be 1 to 4096, not {self.partitions}")


class Keyspace:
    """The names of one log's keys."""

    def __init__(self, spec: LogSpec) -> None:
        """Tags are used when the log has more than one partition, or when asked for (Redis Cluster)."""
        self.spec = spec
        self.tagged = spec.tagged or spec.partitions > 1
        self._suffixes = [f":{{p{n}}}" if self.tagged else "" for n in range(spec.partitions)]

    def partition_of(self, entity: str) -> int:
        """The partition of an entity: a stable hash of its id."""
        if self.spec.partitions == 1:
            return 0
        return zlib.crc32(entity.encode()) % self.spec.partitions

    def name(self, base: str, partition: int = 0) -> str:
        """Any name that belongs to a partition: `base`, with the partition's tag when names carry one."""
        return base + self._suffixes[partition]

    def log(self, partition: int = 0) -> str:
        """The stream itself."""
        return self.spec.name + self._suffixes[partition]

    def state(self, partition: int = 0) -> str:
        """Hash: incarnation, number of partitions, groups that ever were, why it is halted."""
        return f"{self.spec.name}:state{self._suffixes[partition]}"

    def position(self, group: str, partition: int = 0) -> str:
        """Hash: the position record of a group."""
        return f"{self.spec.name}:position:{group}{self._suffixes[partition]}"

    def parked(self, group: str, partition: int = 0) -> str:
        """Stream: the dead letters of a group."""
        return f"{self.spec.name}:parked:{group}{self._suffixes[partition]}"

    def held(self, group: str, partition: int = 0) -> str:
        """Hash: entities with parked entries, and how many."""
        return f"{self.spec.name}:held:{group}{self._suffixes[partition]}"

    def retries(self, group: str, partition: int = 0) -> str:
        """List: entities whose parked entries an operator wants tried again."""
        return f"{self.spec.name}:retries:{group}{self._suffixes[partition]}"

    def archive(self, partition: int = 0) -> str:
        """Hash: how far the log is archived: entries, id of the last one, head of the chain."""
        return f"{self.spec.name}:archive{self._suffixes[partition]}"

    def operations(self, partition: int = 0) -> str:
        """Stream: what operators did."""
        return f"{self.spec.name}:operations{self._suffixes[partition]}"

    def head(self, entity: str) -> str:
        """String: the version of an entity."""
        return f"{self.spec.entity}:{entity}:head{self._suffixes[self.partition_of(entity)]}"

    def snapshot(self, entity: str) -> str:
        """Hash: the snapshot of an entity."""
        return f"{self.spec.entity}:{entity}{self._suffixes[self.partition_of(entity)]}"

    def history(self, entity: str) -> str:
        """List: the entry ids of an entity."""
        return f"{self.spec.entity}:{entity}:history{self._suffixes[self.partition_of(entity)]}"

    def command(self, command_id: str, entity: str) -> str:
        """String with a TTL: the result of a command."""
        digest = hashlib.blake2b(command_id.encode(), digest_size=12).hexdigest()
        return f"command:{digest}{self._suffixes[self.partition_of(entity)]}"

    def lease(self, group: str, partition: int) -> str:
        """String with a TTL: which process serves (group, partition)."""
        return f"{self.spec.name}:lease:{group}:{partition}{self._suffixes[partition]}"


PROCESSES = "claimstream:{processes}:living"
"""Sorted set: process incarnations by when they expire."""

PROCESS_DESCRIPTIONS = "claimstream:{processes}:descriptions"
"""Hash: what a living process says about itself (JSON)."""
