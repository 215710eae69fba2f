"""What an actor may want from the store, as data: the closed list of verbs that settle performs.

An actor returns these and writes nothing itself. Keys are names from a key module; numbers travel as integers or
decimal text, because the store's Lua has doubles only (redis-facts L6). `wire` gives the form that the store's
functions take: a list of verb, key index, texts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

Text = str | bytes
KeyIndex = Callable[[str], int]


class Effect(msgspec.Struct, frozen=True):
    """Base of every effect on one key."""

    key: str

    def wire(self, index: KeyIndex) -> list[Any]:
        """The verb, the number of its key among the declared ones, its arguments as text."""
        raise NotImplementedError


class HashSet(Effect, frozen=True):
    """Set fields of a hash."""

    fields: Mapping[str, Text]

    def wire(self, index: KeyIndex) -> list[Any]:
        """Give `hset key f v ...`."""
        return ["hset", index(self.key), *(part for pair in self.fields.items() for part in pair)]


class HashDelete(Effect, frozen=True):
    """Remove fields of a hash."""

    names: tuple[str, ...]

    def wire(self, index: KeyIndex) -> list[Any]:
        """Give `hdel key f ...`."""
        return ["hdel", index(self.key), *self.names]


class HashIncrement(Effect, frozen=True):
    """Count integers in fields of a hash up or down; each by at most 15 digits."""

    by: Mapping[str, int]

    def wire(self, index: KeyIndex) -> list[Any]:
        """Give `hincr key f n ...`."""
        op: list[Any] = ["hincr", index(self.key)]
        for name, amount in self.by.items():
            op.append(name)
            op.append(str(amount))
        return op


class SetAdd(Effect, frozen=True):
    """Add members to a set."""

    members: tuple[str, ...]

    def wire(self, index: KeyIndex) -> list[Any]:
        """Give `sadd key m ...`."""
        return ["sadd", index(self.key), *self.members]


class SetRemove(Effect, frozen=True):
    """Remove members of a set."""

    members: tuple[str, ...]

    def wire(self, index: KeyIndex) -> list[Any]:
        """Give `srem key m ...`."""
        return ["srem", index(self.key), *self.members]


class SortedSetAdd(Effect, frozen=True):
    """Put members of a sorted set at their scores (decimal text or integers)."""

    scores: Mapping[str, int | str]

    def wire(self, index: KeyIndex) -> list[Any]:
        """Give `zadd key score member ...`."""
        op: list[Any] = ["zadd", index(self.key)]
        for member, score in self.scores.items():
            op.append(str(score))
            op.append(member)
        return op


class SortedSetIncrement(Effect, frozen=True):
    """Raise scores of a sorted set by integers."""

    by: Mapping[str, int]

    def wire(self, index: KeyIndex) -> list[Any]:
        """Give `zincr key n member ...`."""
        op: list[Any] = ["zincr", index(self.key)]
        for member, amount in self.by.items():
            op.append(str(amount))
            op.append(member)
        return op


class SortedSetRemove(Effect, frozen=True):
    """Remove members of a sorted set."""

    members: tuple[str, ...]

    def wire(self, index: KeyIndex) -> list[Any]:
        """Give `zrem key m ...`."""
        return ["zrem", index(self.key), *self.members]


class ListPush(Effect, frozen=True):
    """Append values to the right of a list."""

    values: tuple[Text, ...]

    def wire(self, index: KeyIndex) -> list[Any]:
        """Give `rpush key v ...`."""
        return ["rpush", index(self.key), *self.values]


class ListRemove(Effect, frozen=True):
    """Remove the first occurrence of each value from a list."""

    values: tuple[Text, ...]

    def wire(self, index: KeyIndex) -> list[Any]:
        """Give `lrem key v ...`."""
        return ["lrem", index(self.key), *self.values]


class Put(Effect, frozen=True):
    """Set a string; `ttl_ms` 0 keeps it for ever."""

    value: Text
    ttl_ms: int = 0

    def wire(self, index: KeyIndex) -> list[Any]:
        """Give `set key value ms`."""
        return ["set", index(self.key), self.value, str(self.ttl_ms)]


class Raise(Effect, frozen=True):
    """Raise an integer to `value`, never lower it: the floor under which a slow writer is too late."""

    value: int
    ttl_ms: int = 0

    def wire(self, index: KeyIndex) -> list[Any]:
        """Give `raise key value ms`."""
        return ["raise", index(self.key), str(self.value), str(self.ttl_ms)]


class Delete(Effect, frozen=True):
    """Remove a key."""

    def wire(self, index: KeyIndex) -> list[Any]:
        """Give `del key`."""
        return ["del", index(self.key)]


class Expire(Effect, frozen=True):
    """Let a key end after `ttl_ms` milliseconds."""

    ttl_ms: int

    def wire(self, index: KeyIndex) -> list[Any]:
        """Give `expire key ms`."""
        return ["expire", index(self.key), str(self.ttl_ms)]


class StreamAdd(Effect, frozen=True):
    """Add an entry to a stream that is not a log; `keep` bounds its length (about), 0 does not."""

    fields: tuple[Text, ...]
    keep: int = 0

    def wire(self, index: KeyIndex) -> list[Any]:
        """Give `xadd key keep f v ...`."""
        return ["xadd", index(self.key), str(self.keep), *self.fields]


class Publish(Effect, frozen=True):
    """Send a hint on a pub/sub channel (`key`): it may be lost, nothing may depend on it."""

    message: Text

    def wire(self, index: KeyIndex) -> list[Any]:
        """Give `publish 0 channel message`: a channel is no key."""
        del index
        return ["publish", 0, self.key, self.message]


class Append(msgspec.Struct, frozen=True):
    """Append events to one entity of `log`, if its version is still `expected_version`.

    `events` are flat entry fields in the order of the envelope; `snapshot` goes to the entity's hash; `effects` touch
    keys that belong to the entity; `command_id` makes a repeated append answer with its first result.
    """

    log: str
    entity: str
    expected_version: int
    events: tuple[tuple[Text, ...], ...]
    snapshot: Mapping[str, Text] = {}
    effects: tuple[Effect, ...] = ()
    command_id: str = ""


class Park(msgspec.Struct, frozen=True):
    """Move one entry of the batch to the dead letters with a reason that a person understands."""

    entry_id: str
    reason: str


Wanted = Effect | Append | Park
Effects = Sequence[Wanted]
