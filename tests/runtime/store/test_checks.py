"""What doctor finds on a real store, and what a production start refuses."""

from __future__ import annotations

import itertools
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from runtime.embedded.server import running_server
from runtime.store.address import Secret, StoreAddress
from runtime.store.checks import Finding, StoreExpectations, StoreUnfit, examine, judge, lines, require
from runtime.store.clients import open_commands
from runtime.store.facts import StoreFacts, look
from runtime.store.received import Received
from tests.support.store import command

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis.asyncio import Redis

PRODUCTION = StoreExpectations(appendfsync="always", own_user=True)
NEEDED = [("PING",), ("FCALL", "f", "0"), ("CLIENT", "UNBLOCK", "0"), ("XINFO", "STREAM", "log")]


@asynccontextmanager
async def a_store(**changes: Any) -> AsyncIterator[Redis]:
    async with running_server(**changes) as server:
        client = open_commands(StoreAddress.parse(server.url), max_connections=2, allow_replica=True)
        try:
            yield client
        finally:
            await client.aclose()


def named(findings: list[Finding], name: str) -> Finding:
    return next(finding for finding in findings if finding.name == name)


async def test_an_embedded_store_is_fit_as_it_comes() -> None:
    async with a_store() as client:
        findings = await examine(client, StoreExpectations(), calls=NEEDED, connections=20)
    assert [finding for finding in findings if finding.level != "ok"] == []
    require(findings)
    assert [finding.name for finding in findings] == [
        "server",
        "role",
        "cluster",
        "persistence",
        "fsync",
        "disk",
        "eviction",
        "memory",
        "connections",
        "clock",
        "functions",
        "rights",
    ]


async def test_looking_changes_nothing(commands: Redis) -> None:
    await commands.set("key", "value")
    before = await commands.info("commandstats"), await commands.info("persistence")
    await examine(commands, StoreExpectations(), functions=["cs_append_1"], calls=NEEDED)
    after = await commands.info("commandstats"), await commands.info("persistence")
    assert before[1]["rdb_changes_since_last_save"] == after[1]["rdb_changes_since_last_save"]
    asked = {name for name in after[0] if before[0].get(name, {}).get("calls") != after[0][name]["calls"]}
    assert asked <= {
        f"cmdstat_{name}" for name in ("info", "time", "acl|whoami", "acl|dryrun", "config|get", "function|list")
    }


@pytest.mark.parametrize(
    ("directives", "append_only", "name", "seen"),
    [
        ({}, False, "persistence", "the append-only file is off: a restart loses everything"),
        ({"maxmemory-policy": "allkeys-lru"}, True, "eviction", "allkeys-lru may drop the log"),
        ({"maxclients": "5"}, True, "connections", "of 5 connections in use, 20 more needed"),
        ({"cluster-enabled": "yes"}, True, "cluster", "a cluster, but key names carry no hash tag"),
    ],
)
async def test_a_store_that_would_lose_the_log_or_turn_us_away_is_refused_with_what_to_do(
    directives: dict[str, str], append_only: bool, name: str, seen: str
) -> None:
    async with a_store(append_only=append_only, directives=directives) as client:
        findings = await examine(client, StoreExpectations(), connections=20)
    found = named(findings, name)
    assert found.level == "fail"
    assert seen in found.seen
    assert found.advice
    with pytest.raises(StoreUnfit, match="the store cannot be used: ") as refused:
        require(findings)
    assert seen in str(refused.value)
    assert "\n" not in str(refused.value)


async def test_a_replica_is_refused() -> None:
    async with a_store() as client:
        await command(client, "REPLICAOF", "127.0.0.1", "1")
        found = named(await examine(client, StoreExpectations()), "role")
    assert (found.level, found.advice) == ("fail", "give the address of the master")


@pytest.mark.parametrize(
    ("policy", "level", "loses"),
    [
        ("always", "ok", "loses nothing"),
        ("everysec", "warn", "loses about the last 2 s"),
        ("no", "warn", "30 s and more"),
    ],
)
async def test_the_stated_loss_follows_the_fsync_policy(policy: str, level: str, loses: str) -> None:
    async with a_store(appendfsync=policy) as client:
        found = named(await examine(client, PRODUCTION), "fsync")
    assert found.level == level
    assert loses in found.seen


async def test_a_weaker_fsync_policy_is_refused_only_when_it_is_required() -> None:
    strict = msgspec.structs.replace(PRODUCTION, require_appendfsync=True)
    async with a_store() as client:
        assert named(await examine(client, PRODUCTION), "fsync").level == "warn"
        assert named(await examine(client, strict), "fsync").level == "fail"


async def test_functions_that_are_not_loaded_are_named_and_loaded_ones_are_seen() -> None:
    async with a_store() as client:
        found = named(await examine(client, StoreExpectations(), functions=["a_1", "b_1"]), "functions")
        assert (found.level, found.seen) == ("warn", "2 of 2 are not loaded: a_1, b_1")
        await client.function_load(
            "#!lua name=lib\nredis.register_function('a_1', function() end)\n"
            "redis.register_function('b_1', function() end)"
        )
        found = named(await examine(client, StoreExpectations(), functions=["a_1", "b_1"]), "functions")
        assert found.level == "ok"


async def test_a_user_without_a_needed_right_is_refused_by_name() -> None:
    async with running_server() as server:
        admin = open_commands(StoreAddress.parse(server.url), max_connections=1)
        await command(admin, "ACL", "SETUSER", "actor", "on", ">pw", "~*", "+@all", "-fcall", "-client|unblock")
        await admin.aclose()
        address = StoreAddress(socket_path=server.store.socket_path, username="actor", password=Secret("pw"))
        client = open_commands(address, max_connections=1)
        found = named(await examine(client, PRODUCTION, calls=NEEDED), "rights")
        await client.aclose()
    assert (found.level, found.seen) == ("fail", "user actor may not FCALL f, CLIENT UNBLOCK")


async def test_a_user_with_least_rights_learns_what_it_cannot_see_and_is_not_refused() -> None:
    async with running_server() as server:
        admin = open_commands(StoreAddress.parse(server.url), max_connections=1)
        await command(admin, "ACL", "SETUSER", "actor", "on", ">pw", "-@all", "+role", "+ping")
        await admin.aclose()
        address = StoreAddress(socket_path=server.store.socket_path, username="actor", password=Secret("pw"))
        client = open_commands(address, max_connections=1)
        findings = await examine(client, PRODUCTION, functions=["a_1"], calls=NEEDED)
        await client.aclose()
    require(findings)
    told = {finding.name: finding.level for finding in findings}
    assert told == {"server": "warn", "clock": "warn", "functions": "warn", "rights": "ok"}
    assert "persistence and eviction are unknown" in named(findings, "server").seen


async def test_a_store_that_would_not_play_its_own_append_only_file_is_refused() -> None:
    async with running_server() as server:
        admin = open_commands(StoreAddress.parse(server.url), max_connections=1)
        await command(admin, "ACL", "SETUSER", "other", "on", ">pw", "~*", "&*", "+@all")
        address = StoreAddress(socket_path=server.store.socket_path, username="other", password=Secret("pw"))
        client = open_commands(address, max_connections=1)
        for rules, level in ((("-@all",), "fail"), (("~*", "&*", "+@all", "-xadd"), "fail"), (("+@all",), "ok")):
            await command(client, "ACL", "SETUSER", "default", *rules)
            found = named(await examine(client, PRODUCTION), "persistence")
            assert found.level == level, rules
        await client.aclose()
        await admin.aclose()


async def test_the_powerful_user_is_told_where_each_kind_should_have_its_own() -> None:
    async with a_store() as client:
        assert named(await examine(client, PRODUCTION), "rights").level == "warn"
        assert named(await examine(client, StoreExpectations()), "rights").level == "ok"


async def test_a_clock_that_is_an_hour_off_is_told_and_one_in_step_is_not(commands: Redis) -> None:
    ahead = await look(commands, clock=lambda: time.time() + 3600)
    assert ahead.skew_seconds == pytest.approx(-3600, abs=0.5)
    assert named(judge(ahead, StoreExpectations()), "clock").level == "warn"
    level = await look(commands)
    assert named(judge(level, StoreExpectations()), "clock").level == "ok"


async def test_a_slow_answer_makes_the_clocks_uncertain_not_wrong(commands: Redis) -> None:
    shifts = itertools.cycle([-1, 1])  # as if each question and each answer had travelled for a second
    seen = await look(commands, clock=lambda: time.time() + next(shifts))
    assert seen.skew_seconds == pytest.approx(0, abs=0.2)
    assert seen.skew_error_seconds == pytest.approx(1, abs=0.2)


def facts(**info: Any) -> StoreFacts:
    """Give the facts of a healthy store with some of them changed."""
    healthy: dict[str, Any] = {
        "redis_version": "7.2.4",
        "server_name": "valkey",
        "valkey_version": "9.1.2",
        "role": "master",
        "aof_enabled": 1,
        "maxmemory_policy": "noeviction",
        "maxmemory": 1 << 30,
        "used_memory": 1 << 20,
        "maxclients": 10_000,
    }
    return StoreFacts(info=healthy | info, config={"appendfsync": "always"}, skew_seconds=0.0)


@pytest.mark.parametrize(
    ("info", "name", "level", "seen"),
    [
        ({}, "server", "ok", "valkey 9.1.2"),
        ({"valkey_version": "7.1.9"}, "server", "fail", "valkey 7.1.9"),
        ({"server_name": "redis", "redis_version": "7.0.0"}, "server", "ok", "redis 7.0.0"),
        ({"server_name": "redis", "redis_version": "6.2.14"}, "server", "fail", "redis 6.2.14"),
        ({"server_name": "redis", "redis_version": "7.2.4"}, "server", "warn", "known hole"),
        ({"server_name": "redis", "redis_version": "8.2.2"}, "server", "ok", "redis 8.2.2"),
        ({"server_name": "valkey", "valkey_version": "8.0.5"}, "server", "warn", "known hole"),
        ({"server_name": "dragonfly", "dragonfly_version": "1.2"}, "server", "warn", "dragonfly 1.2"),
        ({"loading": 1}, "role", "warn", "still loading"),
        ({"cluster_enabled": 1}, "cluster", "fail", "no hash tag"),
        ({"aof_last_write_status": "err"}, "persistence", "fail", "the last write"),
        ({"aof_delayed_fsync": 3}, "disk", "warn", "3 delayed fsyncs"),
        ({"maxmemory": 0}, "memory", "warn", "no limit"),
        ({"used_memory": 1000 << 20}, "memory", "warn", "1000 of 1024 MiB used"),
    ],
)
def test_what_needs_years_or_bad_luck_to_see_is_judged_too(
    info: dict[str, Any], name: str, level: str, seen: str
) -> None:
    found = named(judge(facts(**info), StoreExpectations()), name)
    assert found.level == level
    assert seen in found.seen


def test_a_cluster_is_fit_when_key_names_carry_a_tag() -> None:
    findings = judge(facts(cluster_enabled=1), StoreExpectations(), tagged_keys=True)
    assert named(findings, "cluster").level == "ok"


def test_fsync_that_pauses_during_a_rewrite_is_told() -> None:
    rewriting = msgspec.structs.replace(facts(), config={"appendfsync": "always", "no-appendfsync-on-rewrite": "yes"})
    assert "while a rewrite runs" in named(judge(rewriting, StoreExpectations()), "fsync").seen


def test_findings_are_lines_for_people() -> None:
    found = list(lines([Finding("memory", "warn", "no limit", "set maxmemory"), Finding("role", "ok", "master")]))
    assert found == ["warn memory: no limit -> set maxmemory", "ok   role: master"]


@pytest.mark.parametrize(
    ("waits", "replicas", "guard", "required", "level", "said"),
    [
        (1, 1, "1", False, "ok", "1 connected; an append is confirmed when 1 of them have it; others are lost for"),
        (1, 1, "0", False, "warn", "a master that is cut off goes on taking writes that are lost later"),
        (1, 1, "0", True, "fail", "a master that is cut off goes on taking writes that are lost later"),
        (1, 0, "1", False, "warn", "0 connected, and an append waits for 1: none is confirmed"),
        (0, 1, "1", False, "warn", "appends wait for none: the loss of a server takes what it had not passed on"),
    ],
)
def test_where_another_server_takes_over_it_is_told_what_its_loss_can_take(
    waits: int, replicas: int, guard: str, required: bool, level: str, said: str
) -> None:
    config = {"appendfsync": "always", "min-replicas-to-write": guard, "min-replicas-max-lag": "2"}
    seen = msgspec.structs.replace(facts(connected_slaves=replicas), config=config)
    expect = StoreExpectations(require_min_replicas=required)
    found = named(judge(seen, expect, received=Received(waits)), "replicas")
    assert (found.level, said in found.seen) == (level, True), found
