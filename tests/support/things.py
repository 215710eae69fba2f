"""A log of things on a real store: what a test of the two atomic steps does to it, in one line each.

things = await open_things(commands, "listers")
await things.add("T1", 3)
entries = await things.read("listers")
answer = await things.settle("listers", "0-0", entries, ListPush("seen", ("a",)))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from runtime.answers import Settlement
from runtime.codec import OpenCodec
from runtime.effects import Append, Effect
from runtime.entry import Entry, EntryReader
from runtime.store import functions, position
from runtime.store.append import AppendAnswer, Appended, Appender
from runtime.store.keys import LogSpec
from runtime.store.settle import Settler

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis

    from runtime.answers import Look, SettleAnswer, Standing
    from runtime.store.encoding import Log

THINGS = LogSpec("things", "thing", "thingId")
START = "0-0"


def fact(entity: str, sequence: int, *, kind: str = "thing.happened", data: str = "{}") -> tuple[str, ...]:
    """One entry as append writes it; its event id is `<entity>-<sequence>`."""
    return (
        "eventId", f"{entity}-{sequence}", "eventType", kind, "thingId", entity,
        "timestamp", "2026-01-01T00:00:00Z", "data", data, "version", "1.0", "sequence", str(sequence),
        "correlationId", "", "causationId", "", "actor", "test", "traceparent", "",
    )  # fmt: skip


def facts(entity: str, version: int, count: int, *effects: Effect, command: str = "", log: str = THINGS.name) -> Append:
    """The wish to append `count` facts behind `version`."""
    events = tuple(fact(entity, version + n) for n in range(1, count + 1))
    return Append(log, entity, version, events, {"last": events[-1][1]} if events else {}, effects, command)


async def open_things(client: Redis, *groups: str, spec: LogSpec = THINGS, source: str | None = None) -> Things:
    """Load the library (or another text of it), make the log and its groups."""
    await functions.load_library(client, source)
    client.set_response_callback("XREADGROUP", _untouched)
    return Things(client, await position.open_log(client, spec, groups))


def _untouched(response: Any, **_options: Any) -> Any:
    """Hand on the reply as the parser made it, as the reader's own client does."""
    return response


class Things:
    """One opened log. Positions, tokens and consumers are the caller's, as with a runner."""

    def __init__(self, client: Redis, log: Log) -> None:
        """`client` may pipeline, pool and block; `log` was opened by it."""
        self.client: Any = client
        self.log = log
        self.keys = log.keys
        self.name = log.keys.spec.name
        self.appender = Appender(client, {self.name: log})
        self.entries = EntryReader("thingId", OpenCodec())

    async def append(self, unit: Append) -> AppendAnswer:
        """Append one unit."""
        return await self.appender.append(unit)

    async def add(self, entity: str, count: int = 1) -> tuple[str, ...]:
        """Append facts behind whatever version the entity has; their ids."""
        version = int(await self.client.get(self.keys.head(entity)) or 0)
        answer = await self.append(facts(entity, version, count, log=self.name))
        assert isinstance(answer, Appended)
        return answer.ids

    async def raw(self, *fields: str | bytes) -> str:
        """Write an entry as a foreign producer does; its id."""
        entry_id: bytes = await self.client.execute_command("XADD", self.name, "*", *fields)
        return entry_id.decode()

    async def read(self, group: str, consumer: str = "me", count: int = 500, partition: int = 0) -> list[Entry]:
        """What the group has not been given yet; does not block."""
        reply = await self.client.execute_command(
            "XREADGROUP", "GROUP", group, consumer, "COUNT", count, "STREAMS", self.keys.log(partition), ">"
        )
        return [self.entries.read(row) for row in next(iter(reply.values()))] if reply else []

    def settler(self, group: str, client: Redis | None = None, partition: int = 0) -> Settler:
        """The settler of a group."""
        return Settler(client or self.client, {self.name: self.log}, self.name, group, partition)

    async def settle(
        self,
        group: str,
        at: str,
        entries: Sequence[Entry],
        *wanted: Effect | Append,
        token: str = "",
        after: str = "",
        held: Sequence[str] = (),
        released: Sequence[tuple[str, str]] = (),
    ) -> SettleAnswer:
        """Settle entries from the position `at`, with effects and appends in any order."""
        what = Settlement(
            entries,
            [one for one in wanted if isinstance(one, Effect)],
            [one for one in wanted if isinstance(one, Append)],
            held,
            released,
        )
        return await self.settler(group).settle(at, token or uuid4().hex, what, after=after)

    async def resync(self, group: str, process: str = "me", *, start: bool = False) -> Standing:
        """Put the group back to its position."""
        return await position.resync(self.client, self.log, group, 0, process, start=start)

    async def look(self, group: str) -> Look:
        """Where the group stands."""
        return await position.look(self.client, self.keys, group, 0)

    async def record(self, group: str) -> dict[str, str]:
        """The position record as it is."""
        record = await self.client.hgetall(self.keys.position(group))
        return {name.decode(): value.decode() for name, value in record.items()}

    async def list(self, key: str) -> list[str]:
        """The values of a list."""
        return [value.decode() for value in await self.client.lrange(key, 0, -1)]

    async def halted(self) -> str:
        """Why the partition is halted; '' when it is not."""
        why: bytes | None = await self.client.hget(self.keys.state(), "halted")
        return why.decode() if why else ""

    async def dump(self) -> dict[bytes, bytes]:
        """Everything in the store, serialised: equal dumps mean that nothing at all was written."""
        return {key: await self.client.dump(key) async for key in self.client.scan_iter(count=1000)}
