"""A user of the store may do what its actor does, and nothing else: by dry run, by refusals, and in a whole run."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError

from runtime.store import functions
from runtime.store.address import Secret
from runtime.store.clients import open_commands
from runtime.store.opening import open_store
from runtime.store.refusals import REASONS, Refusals
from tests.support.rows import row
from tests.support.secured_store import ADMIN_PASSWORD, Secured, secured_store
from tests.support.small_cluster import small_cluster, wrong
from tests.support.store import command
from workers.adapters.auto_portfolio import portfolio
from workers.importing import Importer, batches
from workers.routing import ROUTES, groups
from workers.store_users import ACTORS, Logs, acl_lines, matrix, users

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from redis.asyncio import Redis

    from runtime.store.rights import Rights

LOGS = Logs.of()
TABLE = {one.user: one for one in users(LOGS, simulation=True)}
DEPLOY = Path(__file__).parents[2] / "deploy" / "redis"

FORBIDDEN = (
    "EVAL", "EVALSHA", "SCRIPT|LOAD", "FUNCTION|LOAD", "FUNCTION|DELETE", "FUNCTION|FLUSH", "CONFIG|SET", "DEBUG",
    "KEYS", "FLUSHALL", "FLUSHDB", "XTRIM", "XDEL", "XGROUP|DESTROY", "RESTORE", "MIGRATE", "REPLICAOF", "SLAVEOF",
    "SHUTDOWN", "ACL|SETUSER", "ACL|LOAD", "MODULE|LOAD", "SAVE", "BGSAVE", "MONITOR", "CLUSTER|RESET", "CLIENT|KILL",
    "SWAPDB", "SORT", "COPY", "RENAME", "MOVE",
)  # fmt: skip
"""What no actor has. XDEL stands in the list of guarantees as "on a log": an actor deletes its own dead letters."""


def samples() -> list[str]:
    """One name of each kind of key, and some that nobody has."""
    keys, own = LOGS.claims, LOGS.own
    found = [
        *(name for space in LOGS.by_name().values() for name in (space.log(), space.state(), space.operations())),
        *(keys.position(group) for group in ("analytics", "processors")),
        keys.parked("analytics"), keys.held("analytics"), keys.retries("analytics"), keys.lease("analytics", 0),
        keys.head("CLM-1"), keys.snapshot("CLM-1"), keys.history("CLM-1"), keys.command("c", "CLM-1"),
        LOGS.policies.snapshot("P-1"), LOGS.customers.head("C-1"),
        own.timers, own.figures(("analytics", "daily", "2026-01-01")), own.figures(("kpi", "daily", "x")), own.windows,
        own.workload("A"), own.queue("x"), own.adjuster_load, own.adjuster_last, own.losses("P"), own.insured("C"),
        own.handlers("t"), own.chain, own.checkpoints, own.floor("claim:x"), own.outbox_attempts, own.outbox_outcomes,
        own.outbox_retries, own.outbox_waiting, own.payment_attempts, own.payment_outcomes, own.payment_retries,
        own.payment_waiting, own.payment_doubts, own.bank_place, own.reconciliation, "policy:P-1", "customer:C-1",
        own.waiting_payees, "nobody:key", "claimstream:{processes}:living",
    ]  # fmt: skip
    return list(dict.fromkeys(found))


VERBS = {
    "GET": "", "SET": "v", "DEL": "", "EXISTS": "", "TYPE": "", "TTL": "", "PTTL": "", "PEXPIRE": "1", "STRLEN": "",
    "HGET": "f", "HGETALL": "", "HMGET": "f", "HKEYS": "", "HLEN": "", "HEXISTS": "f", "HSET": "f v", "HDEL": "f",
    "HINCRBY": "f 1", "SADD": "m", "SREM": "m", "SCARD": "", "SMEMBERS": "", "SISMEMBER": "m", "ZADD": "1 m",
    "ZINCRBY": "1 m", "ZREM": "m", "ZCARD": "", "ZSCORE": "m", "ZRANGE": "0 1", "ZREVRANGE": "0 1",
    "ZRANGEBYSCORE": "0 1", "RPUSH": "m", "LREM": "1 m", "LRANGE": "0 1", "LINDEX": "0", "LLEN": "",
    "XADD": "* f v", "XDEL": "1-1", "XTRIM": "MAXLEN 0", "XACK": "g 1-1", "XLEN": "", "XRANGE": "- +",
    "XREVRANGE": "+ -", "XPENDING": "g", "XREADGROUP": "GROUP g c STREAMS {key} >", "XGROUP|CREATE": "{key} g 0",
    "XGROUP|SETID": "{key} g 0", "XGROUP|DELCONSUMER": "{key} g c", "XGROUP|DESTROY": "{key} g",
    "XINFO|STREAM": "", "XINFO|GROUPS": "", "XINFO|CONSUMERS": "{key} g", "RENAME": "{key} {key}", "DUMP": "",
    "RESTORE": "0 x", "MEMORY|USAGE": "",
}  # fmt: skip
"""Each command of keys that anybody has, and a few that nobody has, with arguments that parse (the key first, or where
`{key}` stands)."""


def words_of(verb: str, key: str) -> list[str]:
    """The command as it is sent."""
    rest = VERBS[verb].split()
    return [*verb.split("|"), *([] if "{key}" in rest else [key]), *(key if one == "{key}" else one for one in rest)]


def kinds_of_keys() -> list[str]:
    """One name for each pattern of the table, what samples() has more, and what a pattern of others must not hold."""
    patterns = {key.removeprefix("%R~") for rights in TABLE.values() for one in rights.grants for key in one.keys}
    return list(dict.fromkeys([*samples(), *sorted(one.replace("*", "1") for one in patterns)]))


def allowed(rights: Rights, verb: str, key: str) -> bool:
    """What the table says of a command of one key. A grant that only reads (`%R~`) has reading commands only."""
    return any(
        verb.lower() in one.commands and any(fnmatchcase(key, name.removeprefix("%R~")) for name in one.keys)
        for one in rights.grants
    )


@pytest.fixture
async def secured(tmp_path: Path) -> AsyncIterator[Secured]:
    async with secured_store(tmp_path) as found:
        yield found


async def dry_run(admin: Redis, user: str, *words: str) -> bool:
    """Would the server let this user do that?"""
    answer = await command(admin, "ACL", "DRYRUN", user, *words)
    return answer in (b"OK", "OK", True)


async def test_every_user_may_do_exactly_what_the_table_says_with_each_kind_of_key(secured: Secured) -> None:
    """Users x commands x kinds of key: 76,000 questions, asked of the server itself."""
    wrong, done = list[str](), 0
    for user, rights in TABLE.items():
        asked = [(verb, key) for verb in VERBS for key in samples()]
        pipeline = secured.admin.pipeline(transaction=False)
        for verb, key in asked:
            pipeline.execute_command("ACL", "DRYRUN", user, *words_of(verb, key))
        for (verb, key), answer in zip(asked, await pipeline.execute(), strict=True):
            may = allowed(rights, verb, key)
            if (answer == b"OK") != may:
                wrong.append(f"{user} {verb} {key}: the table says {may}, the server {answer!r}")
            done += may
    assert not wrong, f"{len(wrong)}: {wrong[:5]}"
    assert done > 2000, "the samples show what is allowed, too"


@pytest.mark.chaos
@pytest.mark.timeout(300)
@pytest.mark.parametrize("user", TABLE)
async def test_every_user_really_gets_what_the_table_says_for_each_key_of_it_and_is_really_refused_the_rest(
    user: str, secured: Secured
) -> None:
    """Each command with a key of each pattern of the table: no dry run. The store may end as it likes."""
    asked = [(verb, key) for verb in VERBS for key in kinds_of_keys()]
    # allow_replica: the user `replica` may not ask for the role.
    client = open_commands(secured.as_user(user), max_connections=1, allow_replica=True)
    pipeline = client.pipeline(transaction=False)
    for verb, key in asked:
        pipeline.execute_command(*words_of(verb, key))
    answers = await pipeline.execute(raise_on_error=False)
    await client.aclose()
    wrong = [
        f"{verb} {key}: {answer!r}"
        for (verb, key), answer in zip(asked, answers, strict=True)
        if isinstance(answer, NoPermissionError) == allowed(TABLE[user], verb, key)
    ]
    assert not wrong, f"{len(wrong)}: {wrong[:5]}"


def test_every_command_of_the_table_is_one_that_is_tried() -> None:
    granted = {name for rights in TABLE.values() for one in rights.grants for name in one.commands}
    assert granted <= {verb.lower() for verb in VERBS}


async def test_no_actor_may_administer_destroy_or_run_programs(secured: Secured) -> None:
    on_the_log = {
        "XTRIM": ("claims:events", "MAXLEN", "0"),
        "XGROUP|DESTROY": ("claims:events", "processors"),
        "XDEL": ("claims:events", "1-1"),
    }
    asked = 0
    for actor in ACTORS:
        for name in FORBIDDEN:
            words = (*name.split("|"), *on_the_log.get(name, ("claims:events", "0", "0")))
            try:
                assert not await dry_run(secured.admin, actor, *words), f"{actor} may {name}"
            except ResponseError:
                continue  # this server has no such command, or wants other arguments: the rules below say it
            asked += 1
        flat = " ".join(TABLE[actor].rules()).lower()
        wrong = r"\+@|\ballcommands\b|\ballkeys\b|~\*|\+(eval|script|function|config|debug|keys|flush|xtrim)"
        assert not re.search(wrong, flat), actor
    assert asked > len(ACTORS) * len(FORBIDDEN) // 2, "most of it was asked of the server"


@row("S80")
async def test_only_those_who_append_may_write_the_log_of_claims(secured: Secured) -> None:
    appenders = {name for name, kind in ACTORS.items() if kind.appends} | {"gateway", "operator", "restore"}
    for user in TABLE:
        may = await dry_run(secured.admin, user, "XADD", "claims:events", "*", "a", "b")
        assert may == (user in appenders), user


async def test_every_user_may_call_exactly_the_functions_of_its_row_and_really_no_other(secured: Secured) -> None:
    await prepare(secured)
    for user, rights in TABLE.items():
        named = [key.removeprefix("%R~").replace("*", "1") for one in rights.grants for key in one.keys]
        client = open_commands(secured.as_user(user), max_connections=1, allow_replica=True)
        for name in functions.ALL:
            words = ("FCALL", name, "1", named[0] if named else "claims:events")
            assert await dry_run(secured.admin, user, *words) == (name in rights.functions), f"{user} {name}"
            if name not in rights.functions:
                with pytest.raises(NoPermissionError):
                    await command(client, *words)
            with pytest.raises(NoPermissionError):
                await command(client, "FCALL", name, 1, "nobody:key")
        await client.aclose()


async def test_a_function_of_others_is_refused_at_the_door(secured: Secured) -> None:
    """Analytics may settle; it may not append, retry, trim or make a log, whatever keys it names."""
    client = open_commands(secured.as_user("analytics"), max_connections=1)
    await prepare(secured)
    for name in ("cs_append_1", "cs_retry_1", "cs_open_1", "cs_trim_1", "cs_swap_1", "cs_lease_1"):
        with pytest.raises(NoPermissionError):
            await command(client, "FCALL", name, 1, "claims:events")
    await client.aclose()


async def test_refusals_are_real_and_are_in_the_log_of_refusals(secured: Secured) -> None:
    client = open_commands(secured.as_user("analytics"), max_connections=1)
    for words in (
        ("XADD", "claims:events", "*", "a", "b"),
        ("HSET", "claim:CLM-1", "a", "b"),
        ("DEL", "claims:events"),
        ("XTRIM", "claims:events", "MAXLEN", "0"),
        ("GET", "payments:bank-place"),
        ("CONFIG", "GET", "*"),
        ("FUNCTION", "LIST"),
        ("EVAL", "return 1", "0"),
        ("FLUSHALL",),
    ):
        with pytest.raises(NoPermissionError):
            await command(client, *words)
    await client.aclose()
    assert {user for user, _, _ in await secured.refused()} == {"analytics"}


async def test_the_exporters_user_counts_refusals_by_their_reason(secured: Secured) -> None:
    monitor = open_commands(secured.as_user("monitor"), max_connections=1)
    told: list[Mapping[str, int]] = []
    refusals = Refusals(monitor, told.append, every_seconds=1.0)
    await refusals.look()
    client = open_commands(secured.as_user("analytics"), max_connections=1)
    for words in (("FLUSHALL",), ("FLUSHALL",), ("DEL", "claims:events"), ("HGET", "claim:CLM-1", "f")):
        with pytest.raises(NoPermissionError):
            await command(client, *words)
    await client.aclose()
    await refusals.look()
    await monitor.aclose()
    assert told[0] == dict.fromkeys(REASONS, 0)
    assert told[1]["command"] >= 2, "FLUSHALL, which is in no selector"
    assert sum(told[1].values()) == 4, told[1]


async def test_who_may_not_read_the_log_of_refusals_tells_nothing(secured: Secured) -> None:
    client = open_commands(secured.as_user("analytics"), max_connections=1)
    told: list[Mapping[str, int]] = []
    await Refusals(client, told.append, every_seconds=1.0).look()
    await client.aclose()
    assert told == []


async def test_a_rebuild_may_put_its_figures_in_the_place_of_the_live_ones_and_nothing_on_the_log(
    secured: Secured,
) -> None:
    """A call with two keys needs both in one selector."""
    figures = LOGS.own.figures(("kpi", "daily", "x"))
    for source, target, may in (
        (f"rebuild:analytics:{figures}", figures, True),
        (f"rebuild:analytics:{figures}", "claims:events", False),
        ("claims:events", figures, False),
        ("rebuild:x", "claim:CLM-1", False),
    ):
        assert await dry_run(secured.admin, "rebuild", "RENAME", source, target) == may, f"{source} {target}"


async def test_keys_that_go_by_one_call_stand_in_one_selector(secured: Secured) -> None:
    """Else a function would be refused in its middle: it has asked for the right to each, one by one."""
    claims = LOGS.claims
    group = [of("analytics") for of in (claims.position, claims.parked, claims.held, claims.retries)]
    assert await dry_run(secured.admin, "operator", "DEL", *group)
    figures = LOGS.own.figures(("kpi", "daily", "x"))
    assert await dry_run(secured.admin, "rebuild", "DEL", f"rebuild:analytics:{figures}", figures)
    views = ("claims:claim:CLM-1", "policy:P-1", "customer:C-1", "gateway:dashboard_summary")
    assert await dry_run(secured.admin, "cache-invalidator", "DEL", *views)


async def test_nobody_is_let_in_without_a_user_and_its_password_and_nobody_can_be_default(secured: Secured) -> None:
    """`default` has rights, for the server itself, and is off."""
    for word in (None, "", "x", ADMIN_PASSWORD):
        told = {} if word is None else {"username": "default", "password": Secret(word)}
        client = open_commands(msgspec.structs.replace(secured.place, **told), max_connections=1)
        with pytest.raises(AuthenticationError):
            await client.ping()
        await client.aclose()
    assert await dry_run(secured.admin, "default", "XADD", "claims:events", "*", "a", "b"), "it can be played back"


async def prepare(secured: Secured) -> None:
    """The library and the logs, made by the user who may."""
    wanted = groups(simulation=True, archive=True)
    store = await open_store(secured.as_user("deploy"), LOGS.specs(), wanted)
    await store.close()


async def test_a_whole_cluster_runs_claims_to_their_end_and_is_never_refused_anything(
    secured: Secured, tmp_path: Path
) -> None:
    """Every actor as its own user, the logs made by `deploy` before; nothing stands in the log of refusals."""
    more = {"store.options.users_dir": str(secured.passwords)}
    await prepare(secured)
    async with small_cluster(secured.as_user("worker"), tmp_path, more=more) as cluster:
        cluster.app = clerk = cluster.app.acting_as("operator")
        for rows in batches(portfolio(40, seed=3)):
            await Importer(clerk).portfolio(rows)
        await cluster.to_the_end()
        assert wrong(await cluster.verified()) == {}
        names = await client_users(secured.admin)
    assert await secured.refused() == []
    working = {route.actor for route in ROUTES if not (route.bank or route.archive)}
    assert working <= names, "each actor has connections of its own"


async def client_users(admin: Redis) -> set[str]:
    """The users of all connections that are open now."""
    return {str(row["user"]) for row in await admin.client_list()}


def test_every_command_that_the_library_sends_is_in_the_table() -> None:
    """A new command inside a function needs a row, or the first user who comes to it is refused."""
    texts = [part.read_text() for part in (files("runtime.store") / "lua").iterdir() if part.name.endswith(".lua")]
    sent = set()
    for text in texts:
        for verb, part in re.findall(r"(?:redis\.p?call|\bwrite)\('([A-Z]+)'(?:, '([A-Z]+)')?", text):
            sent.add(f"{verb}|{part}".lower() if verb in ("XGROUP", "XINFO") else verb.lower())
    granted = {name for rights in TABLE.values() for grant in rights.grants for name in grant.commands}
    granted |= {name for rights in TABLE.values() for name in rights.plain}
    granted |= {"publish" for rights in TABLE.values() if rights.channels}
    assert sent - granted == set()
    assert len(sent) > 30, "the search finds what is sent"


def test_every_function_has_somebody_who_may_call_it() -> None:
    assert set(functions.ALL) == {name for rights in TABLE.values() for name in rights.functions}


def test_the_files_beside_the_configuration_are_those_that_the_table_gives() -> None:
    assert (DEPLOY / "acl-matrix.md").read_text() == matrix(LOGS), (
        "run: claimstream store matrix > deploy/redis/acl-matrix.md"
    )
    rendered = "\n".join(acl_lines(users(LOGS), {})) + "\n"
    assert (DEPLOY / "users.acl").read_text() == rendered, "run: claimstream store users > deploy/redis/users.acl"
