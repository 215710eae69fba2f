"""The only place that opens a connection to the store, with every value stated (design/redis-facts.md,
section 3).

Two kinds: `open_commands`, a pool for calls that may be sent at any time, and `open_reader`, one connection
that blocks in XREADGROUP. Behind Sentinels both find the master at every connect; in a Redis Cluster the
first has a pool per node and the second finds the owner of its slot at every connect. Neither repeats a call
by itself: the library's own retries gave an event twice and lost whole replies (R2), so our retry layer above
decides, knowing which call is safe to repeat. Nothing is sent before the first call.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis
from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ReadOnlyError
from redis.maint_notifications import MaintNotificationsConfig

from runtime.store.address import BadStoreAddress, Place, Secret, StoreAddress
from runtime.store.cluster_client import ClusterClient, let_go
from runtime.store.cluster_map import ClusterMap, slot_of
from runtime.store.credentials import FreshCredentials
from runtime.store.masters import MasterClient, ResolvedConnection, ResolvedTlsConnection, Sentinels
from runtime.store.wire import Wire

if TYPE_CHECKING:
    from redis.asyncio.connection import AbstractConnection

    from runtime.store.masters import Resolve

__all__ = [
    "BadStoreAddress",
    "ClientOptions",
    "NotMaster",
    "Secret",
    "StoreAddress",
    "beside",
    "every_server",
    "let_go",
    "open_commands",
    "open_reader",
    "verify_master",
]

Seconds = Annotated[float, msgspec.Meta(gt=0)]

#: How much longer than its BLOCK a read may take before the connection counts as dead: BLOCK overshoots by
#: up to 0.1 s (R3); the rest is for a loaded machine and a slow network.
READ_MARGIN_SECONDS: Final = 2.0


class ClientOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How this process talks to the store."""

    #: Connections of the command pool. One carries about 10,000 small calls per second (M8); more only help
    #: when calls wait for fsync.
    max_connections: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 16
    #: Seconds that a call waits for a free connection of the pool before it fails as "no connection" (R5).
    pool_wait_seconds: Seconds = 2.0
    #: Seconds without a reply after which a connection counts as dead. The outcome of the call is then
    #: unknown.
    reply_seconds: Seconds = 5.0
    #: Seconds for connecting, TLS included.
    connect_seconds: Seconds = 2.0
    #: Milliseconds that a read waits for news. Longer only delays the idle check and the drain (section 3).
    block_ms: Annotated[int, msgspec.Meta(ge=1, le=60_000)] = 1000


class NotMaster(ReadOnlyError):
    """The server that answered is a replica: writes would be refused and reads would lag. Resolve the
    master again.
    """


async def verify_master(connection: AbstractConnection) -> None:
    """Greet the server, then ask for its ROLE; raise `NotMaster` unless it is a master.

    Replaces the library's own greeting (R8) and runs at every connect, so that a reconnect after a failover
    never settles down on the demoted server.
    """
    await connection.on_connect()
    await connection.send_command("ROLE", check_health=False)
    reply = await connection.read_response()
    role = reply[0].decode()
    if role != "master":
        raise NotMaster(f"the server is a {role}, not a master")


def open_commands(
    address: StoreAddress,
    *,
    max_connections: int,
    pool_wait_seconds: float = 2.0,
    reply_seconds: float = 5.0,
    connect_seconds: float = 2.0,
    client_name: str | None = None,
    allow_replica: bool = False,
) -> Redis:
    """Open the command client of a process: append, settle and pure reads go over it. Close it with
    `aclose()`.

    Bytes in, bytes out. `allow_replica` is for looking only (`doctor`): such a client also talks to a
    replica. In a cluster `max_connections` is the limit for each node.
    """
    if address.cluster:

        def open_node(place: Place) -> Redis:
            return open_commands(
                address.at(*place),
                max_connections=max_connections,
                pool_wait_seconds=pool_wait_seconds,
                reply_seconds=reply_seconds,
                connect_seconds=connect_seconds,
                client_name=client_name,
            )

        return ClusterClient(_cluster_map(address, connect_seconds), open_node, open_node(address.nodes[0]))
    pool = BlockingConnectionPool(
        max_connections=max_connections,
        timeout=pool_wait_seconds,
        **_connection(address, reply_seconds, connect_seconds, client_name, allow_replica=allow_replica),
    )
    kind = MasterClient if address.service is not None else Redis
    return kind.from_pool(pool)


def open_reader(
    address: StoreAddress,
    *,
    block_ms: int,
    client_name: str,
    connect_seconds: float = 2.0,
    read_margin_seconds: float = READ_MARGIN_SECONDS,
    stream: str = "",
) -> Redis:
    """Open the one connection of one reader; its XREADGROUP may block for `block_ms`. Close it with
    `aclose()`.

    XREADGROUP gives the raw reply, `{stream: [[id, [field, value, ..]], ..]}` in bytes, or `None` after an
    empty read (R9): no dict per entry, nothing decoded. A read is ended by CLIENT UNBLOCK from another
    client, never by cancelling it (R4). After any exception the server knows this client by a new CLIENT
    ID. In a cluster `stream` says whose owner to read from.
    """
    if block_ms < 1:
        raise ValueError(f"block_ms is {block_ms}; a read without a limit would hang on a dead socket (R3)")
    reply_seconds = block_ms / 1000 + read_margin_seconds
    resolve = _owner(address, stream, connect_seconds) if address.cluster else None
    values = _connection(address, reply_seconds, connect_seconds, client_name, resolve=resolve)
    pool = ConnectionPool(max_connections=1, **values)
    reader = Redis(connection_pool=pool, single_connection_client=True)
    reader.auto_close_connection_pool = True
    reader.set_response_callback("XREADGROUP", _untouched)
    return reader


def beside(commands: Redis, reader: Redis) -> Redis:
    """A client for calls about the reader's own connection (CLIENT UNBLOCK): client ids are those of one server."""
    connection = reader.connection
    if isinstance(commands, ClusterClient) and isinstance(connection, Connection):
        return commands.node((connection.host, connection.port))
    return commands


async def every_server(client: Redis) -> list[Redis]:
    """A client of each server that writes go to: one, or each primary of a cluster."""
    return await client.every_primary() if isinstance(client, ClusterClient) else [client]


def _cluster_map(address: StoreAddress, connect_seconds: float) -> ClusterMap:
    def look_at(place: Place) -> Redis:
        return _once(address.at(*place), connect_seconds)

    return ClusterMap(address.nodes, look_at, connect_seconds)


def _owner(address: StoreAddress, stream: str, connect_seconds: float) -> Resolve:
    """Find the node that owns the slot of a stream; asked anew at each connect."""
    slots = _cluster_map(address, connect_seconds)
    slot = slot_of(("XLEN", stream))
    assert slot is not None

    async def resolve() -> Place:
        slots.doubt()
        return await slots.owner(slot)

    return resolve


def _master(address: StoreAddress, connect_seconds: float) -> Resolve:
    """Find the master of a service; asked anew at each connect."""
    assert address.service is not None

    def open_sentinel(place: Place) -> Redis:
        who = {"username": address.sentinel_username, "password": address.sentinel_password, "db": 0}
        return _once(msgspec.structs.replace(address.at(*place), **who), connect_seconds)

    sentinels = Sentinels(address.service, open_sentinel, address.nodes)
    return lambda: sentinels.master(connect_seconds)


def _once(address: StoreAddress, seconds: float) -> Redis:
    """A client for one question, to whoever is at this place."""
    pool = ConnectionPool(max_connections=1, **_connection(address, seconds, seconds, None, allow_replica=True))
    client = Redis(connection_pool=pool)
    client.auto_close_connection_pool = True
    return client


def _untouched(response: Any, **_options: Any) -> Any:
    """Hand on the reply of the server as the parser made it."""
    return response


class _PlainConnection(Wire, Connection):
    """TCP."""


class _TlsConnection(Wire, SSLConnection):
    """TCP with TLS."""


class _UnixConnection(Wire, UnixDomainSocketConnection):
    """A unix socket that greets once.

    The library's own class greets inside connecting and again afterwards, and wraps what goes wrong the
    first time, a wrong password say, in a plain ConnectionError that looks like a server which is away.
    """

    async def _connect(self) -> None:
        async with asyncio.timeout(self.socket_connect_timeout):
            self._reader, self._writer = await asyncio.open_unix_connection(path=self.path)


async def _greet(connection: AbstractConnection) -> None:
    """Greet without asking for the role."""
    await connection.on_connect()


def _connection(
    address: StoreAddress,
    reply_seconds: float,
    connect_seconds: float,
    client_name: str | None,
    *,
    allow_replica: bool = False,
    resolve: Resolve | None = None,
) -> dict[str, Any]:
    """Every value of a connection, stated. Nothing is left to a default that differs by how it was made
    (R1).
    """
    shared: dict[str, Any] = {
        "db": address.db,
        "credential_provider": _credentials(address),
        "client_name": client_name,
        "retry": Retry(NoBackoff(), 0),
        "retry_on_error": [],
        "socket_timeout": reply_seconds,
        "socket_connect_timeout": connect_seconds,
        "health_check_interval": 0,
        "protocol": 3,
        "decode_responses": False,
        "redis_connect_func": _greet if allow_replica else verify_master,
        # No CLIENT SETINFO and no CLIENT MAINT_NOTIFICATIONS: two refused commands less on each connect,
        # and the second would let the server change our timeouts.
        "driver_info": None,
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
    }
    if address.socket_path is not None:
        return shared | {"connection_class": _UnixConnection, "path": address.socket_path}
    if address.service is not None:
        resolve = _master(address, connect_seconds)
    place: dict[str, Any] = {"host": address.host, "port": address.port} if resolve is None else {"resolve": resolve}
    plain = _PlainConnection if resolve is None else ResolvedConnection
    secure = _TlsConnection if resolve is None else ResolvedTlsConnection
    tls = _tls(address) if address.tls else {}
    return shared | place | {"connection_class": secure if tls else plain, "socket_keepalive": True} | tls


def _credentials(address: StoreAddress) -> FreshCredentials | None:
    """Give the credentials as an object, which keeps them out of the repr of pools and connections."""
    if address.username is None and address.password is None:
        return None
    return FreshCredentials(address.username, address.password)


def _tls(address: StoreAddress) -> dict[str, Any]:
    """TLS 1.3, server verified, name checked; there is no switch to turn that off (guarantees.md, section
    g).
    """
    return {
        "ssl_cert_reqs": "required",
        "ssl_check_hostname": True,
        "ssl_min_version": ssl.TLSVersion.TLSv1_3,
        "ssl_ca_certs": address.ca_file,
        "ssl_certfile": address.cert_file,
        "ssl_keyfile": address.key_file,
    }
