"""What every connection to the store promises, on a real server."""

from __future__ import annotations

import asyncio
import copy
import json
import os
import pickle
import signal
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from redis.crc import key_slot
from redis.exceptions import ClusterDownError
from redis.exceptions import ConnectionError as StoreConnectionError
from redis.exceptions import TimeoutError as StoreTimeoutError

from runtime.embedded.server import EmbeddedServer, running_server
from runtime.store.clients import (
    BadStoreAddress,
    NotMaster,
    Secret,
    StoreAddress,
    open_commands,
    open_reader,
)
from runtime.store.cluster_map import slot_of
from runtime.store.faults import Fault, classify
from runtime.store.keys import LogSpec
from runtime.store.opening import open_store
from tests.support.store import command
from tests.support.waiting import until
from tests.support.windows import window

if TYPE_CHECKING:
    from redis.asyncio import Redis

PASSWORD = "s3cret/with:odd@signs"
QUOTED = "s3cret%2Fwith%3Aodd%40signs"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://", StoreAddress()),
        ("redis://store", StoreAddress(host="store")),
        ("redis://store:6390/3", StoreAddress(host="store", port=6390, db=3)),
        ("redis://store/?db=2", StoreAddress(host="store", db=2)),
        ("redis://[::1]:7000", StoreAddress(host="::1", port=7000)),
        (f"redis://:{QUOTED}@store", StoreAddress(host="store", password=Secret(PASSWORD))),
        (f"redis://u:{QUOTED}@store", StoreAddress(host="store", username="u", password=Secret(PASSWORD))),
        ("unix:///run/a%20b/s", StoreAddress(socket_path="/run/a b/s")),
        ("unix://u@/run/s?db=1", StoreAddress(socket_path="/run/s", db=1, username="u")),
        (
            "rediss://store?ssl_ca_certs=/ca.pem&ssl_certfile=/c.pem&ssl_keyfile=/k.pem",
            StoreAddress(host="store", tls=True, ca_file="/ca.pem", cert_file="/c.pem", key_file="/k.pem"),
        ),
        (
            f"redis+sentinel://u:{QUOTED}@a:1,b,[::1]:3/mymaster/2",
            StoreAddress(
                host="a",
                port=1,
                nodes=(("a", 1), ("b", 26379), ("::1", 3)),
                service="mymaster",
                db=2,
                username="u",
                password=Secret(PASSWORD),
            ),
        ),
        (
            "rediss+sentinel://a/my%2Fmaster",
            StoreAddress(host="a", port=26379, nodes=(("a", 26379),), service="my/master", tls=True),
        ),
        (
            "redis+cluster://a:7000,b",
            StoreAddress(host="a", port=7000, nodes=(("a", 7000), ("b", 6379)), cluster=True),
        ),
    ],
)
def test_a_url_is_read_and_told_again_without_its_password(url: str, expected: StoreAddress) -> None:
    address = StoreAddress.parse(url)
    assert address == expected
    without = msgspec.structs.replace(expected, password=None, ca_file=None, cert_file=None, key_file=None)
    assert StoreAddress.parse(address.url) == without


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("", "starts with 'no scheme'; expected redis://"),
        ("localhost:6379", "starts with 'localhost'"),
        ("http://store", "starts with 'http'"),
        ("redis://store:port", "no usable host or port"),
        ("redis://store:99999", "no usable host or port"),
        ("redis://store/claims", "database in the store's URL is 'claims'"),
        ("redis://store?socket_timeout=1", "argument 'socket_timeout'; allowed: db "),
        ("rediss://store?ssl_cert_reqs=none", "argument 'ssl_cert_reqs'; allowed: db, ssl_ca_certs"),
        ("redis://a,b", "names one server; for several"),
        ("redis+sentinel://a:26379", "ends with the name of the service"),
        ("redis+sentinel://a,b:x/mymaster", "no usable host or port"),
        ("redis+cluster://a/2", "asks for database 2; a Redis Cluster has 0 only"),
        ("redis+cluster://a?ssl_ca_certs=/ca", "argument 'ssl_ca_certs'; allowed: db "),
        ("unix://run/s", "needs an absolute path"),
        ("unix://", "needs an absolute path"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_in_one_line(url: str, complaint: str) -> None:
    with pytest.raises(BadStoreAddress, match=complaint) as refused:
        StoreAddress.parse(url)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("url", [f"http://u:{QUOTED}@h", f"redis://u:{QUOTED}@h:x", f"redis://:{QUOTED}@h/x"])
def test_a_refused_url_does_not_show_its_password(url: str) -> None:
    with pytest.raises(BadStoreAddress) as refused:
        StoreAddress.parse(url)
    assert "s3cret" not in f"{refused.value} {refused.value!r}"


async def test_a_cluster_refuses_names_without_tags_before_it_is_asked_anything() -> None:
    address = StoreAddress.parse("redis+cluster://127.0.0.1:1")
    with pytest.raises(ValueError, match="needs names with hash tags, and these logs have none: things"):
        await open_store(address, [LogSpec("things", "thing", "thingId")], {})


async def test_sentinels_that_cannot_be_asked_are_a_store_that_is_away() -> None:
    address = StoreAddress.parse("redis+sentinel://127.0.0.1:1,127.0.0.1:2/mymaster")
    for client in (open_commands(address, max_connections=1), open_reader(address, block_ms=100, client_name="r")):
        with pytest.raises(StoreConnectionError, match="no Sentinel tells where the master of 'mymaster' is") as told:
            await client.ping()
        assert classify(told.value) is Fault.RETRYABLE
        await client.aclose()


async def test_a_cluster_without_an_answer_is_a_store_that_is_away() -> None:
    client = open_commands(StoreAddress.parse("redis+cluster://127.0.0.1:1,127.0.0.1:2"), max_connections=1)
    with pytest.raises(ClusterDownError, match="2 nodes of the cluster were asked and none answered") as told:
        await client.get("a")
    assert classify(told.value) is Fault.RETRYABLE
    await client.aclose()


@pytest.mark.parametrize(
    ("command_", "key"),
    [
        (("GET", "{p1}a"), True),
        (("FCALL", "f", 2, "b:{p1}", "c:{p1}"), True),
        (("XREADGROUP", "GROUP", "g", "c", "COUNT", 1, "STREAMS", "s:{p1}", ">"), True),
        (("XINFO", "STREAM", "s:{p1}"), True),
        (("MEMORY USAGE", "s:{p1}"), True),
        (("EVAL", "return 1", 0), False),
        (("CLIENT", "ID"), False),
        (("INFO", "memory"), False),
    ],
)
def test_a_command_goes_to_the_slot_of_its_first_key(command_: tuple[str | int, ...], key: bool) -> None:
    assert slot_of(command_) == (key_slot(b"p1") if key else None)


def test_nothing_that_prints_an_address_or_a_client_shows_the_password() -> None:
    address = StoreAddress.parse(f"redis://u:{QUOTED}@store")
    commands = open_commands(address, max_connections=1)
    reader = open_reader(address, block_ms=100, client_name="r")
    shown = [address, [address], commands, reader, commands.connection_pool, vars(commands)]
    text = " ".join(f"{thing!r} {thing!s}" for thing in shown)
    assert "s3cret" not in text
    for dump in (json.dumps, msgspec.json.encode, pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError):
            dump(address)


def test_a_password_from_a_file_fills_a_url_without_one_and_never_replaces_one() -> None:
    other = Secret("other")
    assert StoreAddress.parse("redis://store").with_password(other).password == other
    assert StoreAddress.parse("redis://:own@store").with_password(other).password == Secret("own")


async def test_everything_comes_back_as_bytes(commands: Redis) -> None:
    await commands.set("key", b"\xff\x00")
    assert await commands.get("key") == b"\xff\x00"


async def test_a_read_gives_the_untouched_reply_and_none_when_there_is_nothing(
    store_address: StoreAddress, commands: Redis
) -> None:
    await commands.xgroup_create("log", "g", "0", mkstream=True)
    reader = open_reader(store_address, block_ms=20, client_name="cs:g:0:x")
    try:
        assert await reader.xreadgroup("g", "c", {"log": ">"}, block=20) is None
        entry = await commands.xadd("log", {"a": b"\xff", "b": "2"})
        reply: Any = await reader.xreadgroup("g", "c", {"log": ">"}, block=20)
        assert reply == {b"log": [[entry, [b"a", b"\xff", b"b", b"2"]]]}
    finally:
        await reader.aclose()


async def test_a_blocked_read_is_ended_by_client_unblock(store_address: StoreAddress, commands: Redis) -> None:
    await commands.xgroup_create("log", "g", "0", mkstream=True)
    reader = open_reader(store_address, block_ms=20_000, client_name="cs:g:0:x")
    try:
        client_id = await reader.client_id()
        read = asyncio.ensure_future(reader.xreadgroup("g", "c", {"log": ">"}, block=20_000))
        await until(lambda: commands.client_unblock(client_id), what="the read is blocked, and ended")
        assert await read is None
        assert await reader.client_id() == client_id
    finally:
        await reader.aclose()


async def test_a_connection_tells_its_name_so_that_an_operator_knows_whose_it_is(
    store_address: StoreAddress, commands: Redis
) -> None:
    reader = open_reader(store_address, block_ms=20, client_name="cs:g:0:incarnation")
    try:
        await reader.ping()
        assert {client["name"] for client in await commands.client_list()} == {
            "cs:test",
            "cs:g:0:incarnation",
        }
    finally:
        await reader.aclose()


async def test_a_reader_uses_one_connection_however_many_ask_at_once(
    store_address: StoreAddress, commands: Redis
) -> None:
    reader = open_reader(store_address, block_ms=20, client_name="one")
    try:
        await asyncio.gather(*(reader.ping() for _ in range(20)))
        names = [client["name"] for client in await commands.client_list()]
        assert names.count("one") == 1
    finally:
        await reader.aclose()


def test_a_reader_without_a_limit_on_its_block_is_refused() -> None:
    with pytest.raises(ValueError, match="would hang on a dead socket"):
        open_reader(StoreAddress(), block_ms=0, client_name="r")


async def test_a_replica_is_refused_at_connect_unless_one_only_looks() -> None:
    async with running_server() as server:
        address = StoreAddress.parse(server.url)
        looking = open_commands(address, max_connections=1, allow_replica=True)
        clients = [
            open_commands(address, max_connections=1),
            open_reader(address, block_ms=20, client_name="r"),
        ]
        try:
            await command(looking, "REPLICAOF", "127.0.0.1", "1")
            for client in clients:
                with pytest.raises(NotMaster, match="the server is a slave, not a master"):
                    await client.ping()
            assert await looking.ping()
            await command(looking, "REPLICAOF", "NO", "ONE")
            for client in clients:
                assert await client.ping()
        finally:
            for client in (*clients, looking):
                await client.aclose()


async def test_a_reconnect_after_a_demotion_is_refused_too() -> None:
    async with running_server() as server:
        address = StoreAddress.parse(server.url)
        looking = open_commands(address, max_connections=1, allow_replica=True)
        reader = open_reader(address, block_ms=20, client_name="r")
        try:
            client_id = await reader.client_id()
            await command(looking, "REPLICAOF", "127.0.0.1", "1")
            await looking.client_kill_filter(_id=str(client_id))
            with pytest.raises(StoreConnectionError):
                await reader.ping()
            with pytest.raises(NotMaster):
                await reader.ping()
        finally:
            await reader.aclose()
            await looking.aclose()


async def test_a_killed_connection_fails_once_and_is_never_tried_again_by_itself(
    store_address: StoreAddress, commands: Redis
) -> None:
    client = open_commands(store_address, max_connections=1)
    try:
        client_id = await client.client_id()
        blocked = asyncio.ensure_future(client.blpop(["queue"], timeout=5))
        await until(lambda: is_blocked(commands, client_id), what="the call waits at the server")
        await commands.client_kill_filter(_id=str(client_id))
        with pytest.raises(StoreConnectionError):
            await blocked
        assert await client.ping()
    finally:
        await client.aclose()


async def is_blocked(commands: Redis, client_id: int) -> bool:
    return any(client["id"] == str(client_id) and "b" in client["flags"] for client in await commands.client_list())


@window("W2")
async def test_a_server_that_hangs_gives_one_timeout_and_one_effect() -> None:
    async with running_server() as server:
        client = open_commands(StoreAddress.parse(server.url), max_connections=1, reply_seconds=1.0)
        try:
            await client.ping()
            os.kill(server.store.server_pid, signal.SIGSTOP)
            started = time.monotonic()
            with pytest.raises(StoreTimeoutError):
                await client.rpush("list", "once")
            assert time.monotonic() - started < 1.95, "it waited for a second reply"
            os.kill(server.store.server_pid, signal.SIGCONT)
            # Ten retries, the library's default, would have pushed it ten times (R2).
            assert await client.llen("list") == 1
        finally:
            await client.aclose()


async def test_a_blocked_read_may_take_its_block_and_a_dead_socket_ends_it_soon_after() -> None:
    async with running_server() as server:
        reader = open_reader(StoreAddress.parse(server.url), block_ms=500, client_name="r", read_margin_seconds=0.5)
        try:
            await reader.xgroup_create("log", "g", "0", mkstream=True)
            assert await reader.xreadgroup("g", "c", {"log": ">"}, block=500) is None
            os.kill(server.store.server_pid, signal.SIGSTOP)
            started = time.monotonic()
            with pytest.raises(StoreTimeoutError):
                await reader.xreadgroup("g", "c", {"log": ">"}, block=500)
            assert 0.95 < time.monotonic() - started < 1.95, "it waited for a second reply"
        finally:
            os.kill(server.store.server_pid, signal.SIGCONT)
            await reader.aclose()


async def test_a_full_pool_makes_callers_wait_and_then_fail_in_time(store_address: StoreAddress) -> None:
    client = open_commands(store_address, max_connections=1, pool_wait_seconds=0.2)
    try:
        holder = asyncio.ensure_future(client.blpop(["queue"], timeout=0.1))
        assert await client.ping()
        assert await holder is None
        holder = asyncio.ensure_future(client.blpop(["queue"], timeout=1))
        await asyncio.sleep(0)
        with pytest.raises(StoreConnectionError, match="No connection available"):
            await client.ping()
        assert await holder is None
    finally:
        await client.aclose()


async def test_a_server_with_a_password_is_reached_over_socket_and_port() -> None:
    async with running_server(port=21_000) as server:
        admin = open_commands(StoreAddress.parse(server.url), max_connections=1)
        await admin.config_set("requirepass", PASSWORD)
        await admin.aclose()
        for url in (f"unix://:{QUOTED}@{server.store.socket_path}", tcp_url(server, f":{QUOTED}@")):
            client = open_commands(StoreAddress.parse(url), max_connections=1)
            try:
                assert await client.ping()
            finally:
                await client.aclose()


def tcp_url(server: EmbeddedServer, user: str = "") -> str:
    return f"redis://{user}127.0.0.1:{server.store.port}"
