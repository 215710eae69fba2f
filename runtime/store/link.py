"""One (log, group, partition) of the store as a runner sees it: reader, settler, dead letters, looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime.answers import Fenced, Gap, Settled
from runtime.entry import in_order
from runtime.store import functions, position
from runtime.store.clients import let_go
from runtime.store.parking import park_effects, parked_entry
from runtime.store.reader import Reader, ReadOptions
from runtime.store.reads import Reads
from runtime.store.settle import Settler

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from redis.asyncio import Redis

    from runtime.answers import Look, ParkedEntry, SettleAnswer, Settlement, Standing
    from runtime.effects import Effect
    from runtime.entry import Entry, EntryReader
    from runtime.signals import Bus
    from runtime.store.encoding import Logs
    from runtime.store.received import Received


class StoreLink:
    """Joins what one runner needs of the store; see `runtime.serving.protocols.Link` for the contract."""

    def __init__(
        self,
        reading: Redis,
        commands: Redis,
        logs: Logs,
        log: str,
        group: str,
        partition: int,
        process: str,
        entries: EntryReader,
        *,
        bus: Bus | None = None,
        read: ReadOptions | None = None,
        command_ttl_ms: int,
        living: Callable[[], Collection[str]] = tuple,
        received: Received | None = None,
    ) -> None:
        """`reading` is this runner's own connection, `commands` the pool; `living` says the registry."""
        self._living = living
        self._commands = commands
        self._keys = logs[log].keys
        self._group = group
        self._partition = partition
        self._process = process
        self._entries = entries
        self._reads = Reads(commands)
        self._reader = Reader(
            reading, commands, logs[log], group, partition, process, entries, options=read, bus=bus, received=received
        )
        self._settler = Settler(
            commands, logs, log, group, partition, bus=bus, command_ttl_ms=command_ttl_ms, received=received
        )
        self.begin = self._reader.begin
        self.take = self._reader.take
        self.interrupt = self._reader.interrupt
        self.close = self._reader.close
        self._told = ""
        self._gap_at = ""

    async def resync(self, *, start: bool = False) -> Standing:
        """Put the group back to its position, over the reader's connection; see `Reader.resync`.

        A lower position than the one that the command connection was told means two servers, or a rollback. Both
        connections are dropped, and what the master that is found then says counts.
        """
        standing = await self._reader.resync(start=start)
        if self._told and in_order(standing.position) < in_order(self._told):
            await self._find_the_master_again()
            standing = await self._reader.resync(start=start)
        self._told = standing.position
        return standing

    async def settle(self, position: str, token: str, what: Settlement, *, after: str = "") -> SettleAnswer:
        """Settle; see `Settler.settle`. A second GAP at one position: reader and settler are on two servers."""
        answer = await self._settler.settle(position, token, what, after=after)
        if isinstance(answer, Gap):
            if answer.position == self._gap_at:
                await self._find_the_master_again()
            self._gap_at = answer.position
        elif isinstance(answer, (Settled, Fenced)):
            self._told, self._gap_at = answer.position, ""
        return answer

    async def _find_the_master_again(self) -> None:
        """Drop the connections of reader and commands; each connect resolves the master and asks for its role."""
        await self._reader.cut()
        await let_go(self._commands)

    async def look(self) -> Look:
        """Where the group stands."""
        return await position.look(self._commands, self._keys, self._group, self._partition)

    async def mark(self, at: str, last_id: str, count: int, *, alone: bool) -> bool:
        """Say durably which entries are handled now, in company or alone; False when fenced."""
        return await position.mark(
            self._commands, self._keys, self._group, self._partition, at, last_id, self._process,
            count=count, alone=alone,
        )  # fmt: skip

    async def tidy(self) -> None:
        """Delete the consumers of processes that are no more; nothing where nobody knows who lives."""
        living = self._living()
        if self._process in living:
            await position.tidy(self._commands, self._keys, self._group, self._partition, self._process, living)

    async def halt(self, why: str) -> None:
        """Halt the partition until an operator resumes it."""
        names = [self._keys.state(self._partition), self._keys.operations(self._partition)]
        await functions.call(
            self._commands, functions.HALT, names, [f"process:{self._process}", why, "found by a runner"]
        )

    async def clear_start(self) -> None:
        """Leave in good order: no death is to be counted, and what was read ahead is pending at nobody."""
        await self._reader.interrupt()
        await position.clear_start(self._commands, self._keys, self._group, self._partition, self._process)

    def park(
        self, entry: Entry, entity: str, reason: str, attempts: int, since: str, *, held: bool, now: str
    ) -> Sequence[Effect]:
        """The effects that move one entry to the dead letters."""
        return park_effects(
            self._keys,
            self._group,
            self._partition,
            entry,
            entity,
            reason,
            attempts,
            since,
            held=held,
            now=now,
        )

    async def wanted_again(self) -> dict[str, list[ParkedEntry]]:
        """Parked entries, per entity and in order, that an operator asked to try again."""
        names = await self._reads.one("LRANGE", self._keys.retries(self._group, self._partition), 0, 99)
        wanted: dict[str, list[ParkedEntry]] = {name.decode(): [] for name in names}
        async for parked_id, fields in self._reads.stream(self._keys.parked(self._group, self._partition)):
            parked = parked_entry(parked_id, fields, self._entries)
            if parked.entity in wanted:
                wanted[parked.entity].append(parked)
        return wanted

    async def unretry(self, entity: str) -> None:
        """The request for another try is dealt with."""
        await functions.call(
            self._commands, functions.UNRETRY, [self._keys.retries(self._group, self._partition)], [entity]
        )
