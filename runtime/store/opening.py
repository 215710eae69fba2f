"""Opens the store for one process: connections, the function library, every log with its groups."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import msgspec
from redis.exceptions import NoPermissionError

from runtime.store.append import Appender
from runtime.store.clients import ClientOptions, StoreAddress, every_server, open_commands, open_reader
from runtime.store.credentials import as_user
from runtime.store.encoding import DEFAULT_COMMAND_TTL_MS, Log
from runtime.store.functions import load_library
from runtime.store.histories import Histories
from runtime.store.keys import Keyspace
from runtime.store.position import open_log
from runtime.store.reads import Reads
from runtime.store.received import Received
from runtime.store.room import SOFT_PERCENT, Room
from runtime.store.trouble import STORE_ERRORS, translated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from redis.asyncio import Redis

    from runtime.signals import Bus, Signal
    from runtime.store import functions
    from runtime.store.keys import LogSpec


class StoreOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How this process uses the store."""

    clients: ClientOptions = ClientOptions()
    command_ttl_ms: int = DEFAULT_COMMAND_TTL_MS
    """Milliseconds that the result of a command is remembered (see `encoding`)."""
    soft_memory_percent: int = SOFT_PERCENT
    """Percent of the store's maxmemory from which new events wait while consumers go on (see `room`)."""
    confirm_replicas: Annotated[int, msgspec.Meta(ge=0, le=100)] | None = None
    """Replicas that must have an append or a settle before it counts as confirmed. None: 1 behind Sentinels and in a
    cluster, 0 elsewhere."""
    confirm_ms: Annotated[int, msgspec.Meta(ge=1, le=60_000)] = 500
    """Milliseconds that they have for it; then the outcome is unknown, and the append is asked for again."""

    def __post_init__(self) -> None:
        """The connection must not count as dead while the replicas still have time (ValueError)."""
        if self.confirm_ms >= self.clients.reply_seconds * 1000:
            raise ValueError(
                f"confirm_ms ({self.confirm_ms}) must be below clients.reply_seconds ({self.clients.reply_seconds:g} s)"
            )

    def received(self, address: StoreAddress) -> Received:
        """What an append and a settle wait for on this store."""
        replicas = int(address.replicated) if self.confirm_replicas is None else self.confirm_replicas
        return Received(replicas, self.confirm_ms)

    users_dir: str | None = None
    """Directory with a password file for each user of the store, named as the user: each actor then works as a user of
    its own, on connections of its own. None: one user for all."""


class OpenStore:
    """An opened store: what reads, what appends, and connections for runners."""

    def __init__(
        self,
        address: StoreAddress,
        commands: Redis,
        logs: Mapping[str, Log],
        options: StoreOptions,
        bus: Bus | None,
        *,
        fsynced: bool = False,
    ) -> None:
        """Made by `open_store`. `fsynced`: it answers a write after its disk has it."""
        self._fsynced = fsynced
        self._bus = bus
        self._others: dict[str, OpenStore] = {}
        self.address = address
        self.commands = commands
        self.logs = logs
        self.options = options
        self.reads = Reads(commands)
        room = Room(commands, soft_percent=options.soft_memory_percent)
        self.appender = Appender(
            commands,
            logs,
            bus=bus,
            command_ttl_ms=options.command_ttl_ms,
            room=room,
            received=options.received(address),
            fsynced=fsynced,
        )

    def reading_connection(self, name: str, stream: str = "") -> Redis:
        """A connection of its own for one reader of a stream, named so that CLIENT LIST tells whose it is."""
        clients = self.options.clients
        return open_reader(
            self.address,
            block_ms=clients.block_ms,
            client_name=name,
            connect_seconds=clients.connect_seconds,
            stream=stream,
        )

    def histories(self, log: str, partition: int) -> Histories:
        """Tells entries that append wrote from those that it did not, in one partition."""
        return Histories(self.commands, self.logs[log].keys, partition)

    def tell(self, signal: Signal) -> None:
        """Say something about what was found in the store to whoever listens."""
        if self._bus is not None:
            self._bus.emit(signal)

    def acting_as(self, user: str) -> OpenStore:
        """The same store on the connections of another user; itself when all work as one. Closed with this one.

        Raises `BadStoreAddress` when there is no password for that user.
        """
        folder = self.options.users_dir
        if folder is None:
            return self
        if user not in self._others:
            address = as_user(self.address, folder, user)
            commands = command_pool(address, self.options.clients, f"cs:commands:{user}")
            self._others[user] = OpenStore(address, commands, self.logs, self.options, self._bus, fsynced=self._fsynced)
        return self._others[user]

    async def close(self) -> None:
        """Close the pool; readers close their own connections."""
        for other in self._others.values():
            await other.close()
        with suppress(*STORE_ERRORS):
            await self.commands.aclose()


def command_pool(address: StoreAddress, clients: ClientOptions, client_name: str) -> Redis:
    """A command client with the values of the options."""
    return open_commands(
        address,
        max_connections=clients.max_connections,
        pool_wait_seconds=clients.pool_wait_seconds,
        reply_seconds=clients.reply_seconds,
        connect_seconds=clients.connect_seconds,
        client_name=client_name,
    )


async def open_store(
    address: StoreAddress,
    specs: Sequence[LogSpec],
    groups: Mapping[str, Sequence[str]],
    *,
    options: StoreOptions | None = None,
    bus: Bus | None = None,
    client_name: str = "cs:commands",
) -> OpenStore:
    """Connect, load the library, make or check every log and its groups (`groups` by log name).

    Raises store faults (`StoreUnavailable`, `StoreMisused`), `LogMismatch`, `Halted`, `LibraryMissing`. ValueError:
    names without a tag, which a cluster scatters.
    """
    refuse_plain_names(address, specs)
    options = options or StoreOptions()
    commands = command_pool(address, options.clients, client_name)
    try:
        await load_library(commands)
        logs = {spec.name: await open_log(commands, spec, groups.get(spec.name, ())) for spec in specs}
        fsynced = await _fsynced(commands)
    except BaseException as problem:
        with suppress(*STORE_ERRORS):
            await commands.aclose()
        if isinstance(problem, STORE_ERRORS):
            raise translated(problem) from problem
        raise
    return OpenStore(address, commands, logs, options, bus, fsynced=fsynced)


def refuse_plain_names(address: StoreAddress, specs: Sequence[LogSpec]) -> None:
    """In a cluster every name carries its partition's tag, or the keys of one call lie on several nodes (C6)."""
    plain = [spec.name for spec in specs if address.cluster and not Keyspace(spec).tagged]
    if plain:
        raise ValueError(f"a Redis Cluster needs names with hash tags, and these logs have none: {', '.join(plain)}")


async def _fsynced(commands: Redis) -> bool:
    """Whether every server answers a write after its disk has it. A user who may not ask: not that we know."""
    try:
        for server in await every_server(commands):
            send: functions.Send = server.execute_command
            told = await send("CONFIG", "GET", "append*")
            if (told.get("appendonly"), told.get("appendfsync")) != ("yes", "always"):
                return False
    except NoPermissionError:
        return False
    return True
