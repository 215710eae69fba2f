"""Every error of the store, provoked on a real server where one can, is told apart by what we must do
about it.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from redis import exceptions as redis_errors
from redis._parsers.base import BaseParser
from redis.asyncio.sentinel import MasterNotFoundError

from runtime.embedded.server import EmbeddedServer, running_server
from runtime.store.clients import Secret, StoreAddress, open_commands, open_reader
from runtime.store.faults import Fault, classify, describe, is_store_error
from tests.support.store import SLOW_LOADING, command, prepare_slow_loading
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from redis.asyncio import Redis

    Provoke = Callable[["Redis"], Awaitable[Any]]


async def failure(call: Awaitable[Any]) -> Exception:
    """Give what a call raised."""
    with pytest.raises(Exception) as raised:  # which one it is, is the question
        await call
    assert isinstance(raised.value, Exception)
    return raised.value


@asynccontextmanager
async def client_of(server: EmbeddedServer, **changes: Any) -> AsyncIterator[Redis]:
    client = open_commands(StoreAddress.parse(server.url), **({"max_connections": 2} | changes))
    try:
        yield client
    finally:
        await client.aclose()


@asynccontextmanager
async def private_store(**changes: Any) -> AsyncIterator[Redis]:
    """Give a client of a server that the test may spoil."""
    async with running_server(**changes) as server, client_of(server, allow_replica=True) as client:
        yield client


async def fill_up(client: Redis) -> None:
    await client.config_set("maxmemory", 1)
    await client.set("one", "more")


async def ask_for_replicas(client: Redis) -> None:
    await client.config_set("min-replicas-to-write", 1)
    await client.set("one", "more")


async def demote(client: Redis) -> None:
    await command(client, "REPLICAOF", "127.0.0.1", "1")
    await client.set("one", "more")


async def demote_a_strict_one(client: Redis) -> None:
    await client.config_set("replica-serve-stale-data", "no")
    await command(client, "REPLICAOF", "127.0.0.1", "1")
    await client.get("one")


async def read_a_group_that_never_was(client: Redis) -> None:
    await client.xadd("log", {"a": "1"})
    await client.xreadgroup("nobody", "c", {"log": ">"})


async def read_a_stream_that_never_was(client: Redis) -> None:
    await client.xreadgroup("nobody", "c", {"nothing": ">"})


async def use_another_type(client: Redis) -> None:
    await client.set("text", "x")
    await client.hset("text", "field", "value")


async def call_a_missing_function(client: Redis) -> None:
    await client.fcall("cs_settle_1", 0)


async def call_a_missing_function_to_read(client: Redis) -> None:
    await client.fcall_ro("cs_status_1", 0)


async def send_too_few_words(client: Redis) -> None:
    await command(client, "HSET", "key")


async def send_an_unknown_command(client: Redis) -> None:
    await command(client, "NOSUCHCOMMAND", "with", "s3cret")


async def create_a_group_twice(client: Redis) -> None:
    await client.xgroup_create("log", "g", "0", mkstream=True)
    await client.xgroup_create("log", "g", "0")


async def push_a_missing_script(client: Redis) -> None:
    await client.evalsha("0" * 40, 0)


async def touch_an_undeclared_kind_in_a_script(client: Redis) -> None:
    await client.set("text", "x")
    await client.eval("return redis.call('HSET', 'text', 'a', 'b')", 0)


async def set_back_a_missing_group_in_a_script(client: Redis) -> None:
    await client.xadd("log", {"a": "1"})
    await client.eval("return redis.call('XGROUP', 'SETID', 'log', 'nobody', '0')", 0)


@pytest.mark.parametrize(
    ("provoke", "fault", "text"),
    [
        (fill_up, Fault.RETRYABLE, "OutOfMemoryError: command not allowed when used memory"),
        (ask_for_replicas, Fault.RETRYABLE, "ResponseError: NOREPLICAS"),
        (demote, Fault.RETRYABLE, "ReadOnlyError: You can't write against a read only replica"),
        (demote_a_strict_one, Fault.RETRYABLE, "MasterDownError: Link with MASTER is down"),
        (read_a_group_that_never_was, Fault.HEAL, "ResponseError: NOGROUP"),
        (read_a_stream_that_never_was, Fault.HEAL, "ResponseError: NOGROUP"),
        (set_back_a_missing_group_in_a_script, Fault.HEAL, "ResponseError: NOGROUP"),
        (call_a_missing_function, Fault.MISSING_FUNCTION, "ResponseError: Function not found"),
        (call_a_missing_function_to_read, Fault.MISSING_FUNCTION, "ResponseError: Function not found"),
        (use_another_type, Fault.FATAL, "ResponseError: WRONGTYPE"),
        (touch_an_undeclared_kind_in_a_script, Fault.FATAL, "ResponseError: WRONGTYPE"),
        (send_too_few_words, Fault.FATAL, "ResponseError: wrong number of arguments"),
        (send_an_unknown_command, Fault.FATAL, "ResponseError: unknown command 'NOSUCHCOMMAND'"),
        (create_a_group_twice, Fault.FATAL, "ResponseError: BUSYGROUP"),
        (push_a_missing_script, Fault.FATAL, "NoScriptError: No matching script"),
    ],
)
async def test_an_error_of_the_server_is_known_for_what_it_is(provoke: Provoke, fault: Fault, text: str) -> None:
    async with private_store() as client:
        error = await failure(provoke(client))
    assert classify(error) is fault
    assert describe(error).startswith(text)
    assert "s3cret" not in describe(error)
    assert is_store_error(error)


async def test_a_server_that_cannot_save_refuses_writes_and_that_is_retryable() -> None:
    # Without its directory a server cannot write a snapshot, and says so to every writer from then on.
    async with (
        running_server(append_only=False, directives={"save": "3600 1"}) as server,
        client_of(server) as client,
    ):
        await client.set("something", "to save")
        hidden = server.options.data_dir + ".away"
        os.rename(server.options.data_dir, hidden)
        for name in os.listdir(hidden):
            os.unlink(f"{hidden}/{name}")
        os.rmdir(hidden)
        await client.bgsave()
        await until(lambda: save_failed(client), what="the snapshot has failed")
        error = await failure(client.set("one", "more"))
        assert classify(error) is Fault.RETRYABLE
        assert describe(error).startswith("ResponseError: MISCONF")
        os.mkdir(server.options.data_dir)


async def save_failed(client: Redis) -> bool:
    status: str = (await client.info("persistence"))["rdb_last_bgsave_status"]
    return status == "err"


async def test_a_read_that_loses_its_stream_is_healed() -> None:
    async with running_server() as server, client_of(server) as client:
        await client.xgroup_create("log", "g", "0", mkstream=True)
        reader = open_reader(StoreAddress.parse(server.url), block_ms=20_000, client_name="r")
        try:
            client_id = await reader.client_id()
            read = asyncio.ensure_future(reader.xreadgroup("g", "c", {"log": ">"}, block=20_000))
            await until(lambda: is_blocked(client, client_id), what="the read is blocked")
            await client.delete("log")
            error = await failure(read)
            assert classify(error) is Fault.HEAL
            # Redis 7.0 says UNBLOCKED, Valkey 9 says NOGROUP (S10).
            assert describe(error).split()[1] in ("UNBLOCKED", "NOGROUP")
        finally:
            await reader.aclose()


async def is_blocked(client: Redis, client_id: int) -> bool:
    clients = {one["id"]: one for one in await client.client_list()}
    return "b" in clients[str(client_id)]["flags"]


async def test_a_spinning_function_makes_the_store_busy_and_that_passes() -> None:
    async with running_server() as server, client_of(server) as client, client_of(server) as other:
        await client.config_set("busy-reply-threshold", 50)
        await client.function_load("#!lua name=spin\nredis.register_function('spin', function() while true do end end)")
        await other.ping()
        spinning = asyncio.ensure_future(client.fcall("spin", 0))
        error = await until(lambda: error_of(other.ping()), what="the server says that it is busy")
        assert error is not None
        assert classify(error) is Fault.RETRYABLE
        assert describe(error).startswith("ResponseError: BUSY ")
        assert await other.function_kill()
        assert classify(await failure(spinning)) is Fault.FATAL
        assert await client.ping()


async def error_of(call: Awaitable[Any]) -> Exception | None:
    try:
        await call
    except redis_errors.ResponseError as error:
        return error
    return None


async def test_a_server_that_is_loading_is_waited_for() -> None:
    async with running_server() as server:
        async with client_of(server) as client:
            await prepare_slow_loading(client, keys=500)
        os.kill(server.store.server_pid, signal.SIGKILL)
        await server.wait()
        server.options = msgspec.structs.replace(server.options, directives=SLOW_LOADING)
        restarting = asyncio.ensure_future(server.restart())
        async with client_of(server) as client:
            error = await until(lambda: loading_error(client), what="the server says that it is loading")
        await restarting
    assert error is not None
    assert classify(error) is Fault.RETRYABLE


async def loading_error(client: Redis) -> Exception | None:
    try:
        await client.get("k1")
    except redis_errors.BusyLoadingError as error:
        return error
    except redis_errors.ConnectionError:
        return None
    return None


@pytest.mark.parametrize(
    ("user", "password", "text"),
    [
        (None, None, "AuthenticationError: HELLO must be called with the client already authenticated"),
        (None, "wrong", "AuthenticationError: invalid username-password pair"),
        ("nobody", "right", "AuthenticationError: invalid username-password pair"),
    ],
)
async def test_a_wrong_password_is_fatal_over_socket_and_port(
    user: str | None, password: str | None, text: str
) -> None:
    async with running_server(port=21_100) as server:
        async with client_of(server) as admin:
            await admin.config_set("requirepass", "right")
        secret = Secret(password) if password is not None else None
        for address in (
            StoreAddress(socket_path=server.store.socket_path, username=user, password=secret),
            StoreAddress(host="127.0.0.1", port=server.store.port or 0, username=user, password=secret),
        ):
            client = open_commands(address, max_connections=1)
            try:
                error = await failure(client.ping())
            finally:
                await client.aclose()
            assert classify(error) is Fault.FATAL
            assert describe(error).startswith(text)


async def test_a_missing_right_is_fatal_also_inside_a_function() -> None:
    async with running_server() as server, client_of(server) as admin:
        await command(admin, "ACL", "SETUSER", "actor", "on", ">pw", "-@all", "+fcall", "+role", "+ping")
        await admin.function_load(
            "#!lua name=lib\nredis.register_function('put', function(keys) return redis.call('SET', keys[1], 1) end)"
        )
        address = StoreAddress(socket_path=server.store.socket_path, username="actor", password=Secret("pw"))
        client = open_commands(address, max_connections=1)
        try:
            plain = await failure(client.get("key"))
            await command(admin, "ACL", "SETUSER", "actor", "allkeys")
            inside = await failure(client.fcall("put", 1, "key"))
        finally:
            await client.aclose()
    assert type(plain) is redis_errors.NoPermissionError
    assert type(inside) is redis_errors.ResponseError  # without prefix: only the default catches it
    assert classify(plain) is classify(inside) is Fault.FATAL


async def test_a_cluster_without_its_slots_is_retryable_and_a_foreign_slot_is_fatal() -> None:
    async with private_store(directives={"cluster-enabled": "yes"}) as client:
        down = await failure(client.get("key"))
        await command(client, "CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        crossed = await failure(command(client, "MGET", "a", "b"))
    assert classify(down) is Fault.RETRYABLE
    assert describe(down).startswith("ClusterDownError: Hash slot not served")
    assert classify(crossed) is Fault.FATAL


async def test_a_server_that_is_not_there_leaves_the_outcome_unknown() -> None:
    addresses = [StoreAddress(socket_path="/tmp/no/such/socket"), StoreAddress(host="127.0.0.1", port=1)]
    for address in addresses:
        client = open_commands(address, max_connections=1)
        try:
            assert classify(await failure(client.ping())) is Fault.UNKNOWN_OUTCOME
        finally:
            await client.aclose()


async def test_a_server_that_dies_or_hangs_under_a_call_leaves_the_outcome_unknown() -> None:
    async with running_server() as server, client_of(server, reply_seconds=0.3) as client:
        await client.ping()
        os.kill(server.store.server_pid, signal.SIGSTOP)
        hanging = await failure(client.set("key", "value"))
        assert type(hanging) is redis_errors.TimeoutError
        os.kill(server.store.server_pid, signal.SIGCONT)
        dying = asyncio.ensure_future(client.blpop(["queue"], timeout=0.2))
        await client.ping()
        os.kill(server.store.server_pid, signal.SIGKILL)
        assert classify(await failure(dying)) is classify(hanging) is Fault.UNKNOWN_OUTCOME


def parsed(reply: str) -> Exception:
    error: Exception = BaseParser.parse_error(reply)  # type: ignore[no-untyped-call]
    return error


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        ("LOADING Redis is loading the dataset in memory", Fault.RETRYABLE),
        ("CLUSTERDOWN The cluster is down", Fault.RETRYABLE),
        ("MASTERDOWN Link with MASTER is down", Fault.RETRYABLE),
        ("TRYAGAIN Multiple keys request during rehashing of slot", Fault.RETRYABLE),
        ("MISCONF Errors writing to the AOF file: No space left on device", Fault.RETRYABLE),
        ("MOVED 3999 127.0.0.1:6381", Fault.MOVED),
        ("ASK 3999 127.0.0.1:6381", Fault.MOVED),
        ("UNBLOCKED the stream key no longer exists", Fault.HEAL),
        ("UNBLOCKED force unblock from blocking operation, instance state changed", Fault.HEAL),
        ("ERR max number of clients reached", Fault.UNKNOWN_OUTCOME),
        ("NOAUTH Authentication required.", Fault.FATAL),
        ("NOPERM User actor has no permissions to run the 'set' command", Fault.FATAL),
        ("CROSSSLOT Keys in request don't hash to the same slot", Fault.FATAL),
        ("EXECABORT Transaction discarded because of previous errors.", Fault.FATAL),
        ("BUSYKEY Target key name already exists.", Fault.FATAL),
        ("ERR Script attempted to access a non local key in a cluster node", Fault.FATAL),
        ("ERR something that no version says today", Fault.FATAL),
        ("SOMETHINGNEW that no version says today", Fault.FATAL),
    ],
)
def test_replies_that_need_a_fleet_or_luck_are_told_apart_as_the_client_library_parses_them(
    reply: str, fault: Fault
) -> None:
    assert classify(parsed(reply)) is fault


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (redis_errors.MaxConnectionsError("Too many connections"), Fault.RETRYABLE),
        (MasterNotFoundError("No master found for 'mymaster'"), Fault.RETRYABLE),
        (redis_errors.SlotNotCoveredError("slot not covered"), Fault.RETRYABLE),
        (redis_errors.RedisClusterException("Redis Cluster cannot be connected. None."), Fault.RETRYABLE),
        (redis_errors.ClusterError("TTL exhausted."), Fault.UNKNOWN_OUTCOME),
        (redis_errors.InvalidResponse("Protocol Error"), Fault.UNKNOWN_OUTCOME),
        (ConnectionResetError("reset"), Fault.UNKNOWN_OUTCOME),
        (redis_errors.CrossSlotTransactionError("two slots"), Fault.FATAL),
        (redis_errors.DataError("Invalid input of type: 'dict'"), Fault.FATAL),
    ],
)
def test_errors_that_the_client_library_raises_by_itself_are_told_apart_by_class(
    error: Exception, fault: Fault
) -> None:
    assert classify(error) is fault
    assert is_store_error(error)


def test_an_error_of_a_handler_is_none_of_the_stores() -> None:
    assert not is_store_error(ValueError("bad entry"))


def test_what_went_wrong_inside_connecting_decides_not_its_wrapping() -> None:
    try:
        try:
            raise redis_errors.AuthenticationError("invalid username-password pair")
        except redis_errors.AuthenticationError as inner:
            raise redis_errors.ConnectionError(inner) from inner
    except redis_errors.ConnectionError as outer:
        assert classify(outer) is Fault.FATAL


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("cannot reach redis://u:s3cret@store:6379/0 now", "cannot reach redis://***@store:6379/0 now"),
        ("cannot reach redis://:s3c@ret@store", "cannot reach redis://***@store"),
        ("rediss://s3cret@store", "rediss://***@store"),
        ("CONFIG SET requirepass=s3cret failed", "CONFIG SET requirepass=*** failed"),
        ("password: s3cret", "password: ***"),
        ("unknown command 'AUHT', with args beginning with: 's3cret'", None),
        ("two\r\nlines\x1b[31m", "two lines [31m"),
        ("key tok3n is wrong", "key *** is wrong"),
    ],
)
def test_an_error_is_told_in_one_line_without_passwords(text: str, told: str | None) -> None:
    line = describe(redis_errors.ResponseError(text), "tok3n")
    assert "s3cret" not in line
    assert "\n" not in line
    if told is not None:
        assert line == f"ResponseError: {told}"


def test_a_long_error_is_cut_and_a_silent_one_is_named() -> None:
    assert len(describe(redis_errors.ResponseError("x" * 10_000))) < 450
    assert describe(redis_errors.TimeoutError()) == "TimeoutError"
