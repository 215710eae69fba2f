"""The one table of who may do what in the store: a user per actor, and those of people and machines around them.

An actor's rights follow from what it reads (`workers.routing`), from whether it appends, and from the keys that are its
own (`workers.keys`): the rows below say nothing else. `deploy/redis/users.acl`, the matrix beside it and the passwords
of a deployment are rendered from it (`claimstream store users`), so that none of them can drift from the code.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from runtime.store import functions
from runtime.store.keys import Keyspace
from runtime.store.rights import (
    ANYBODY,
    APPEND_COMMANDS,
    PROCESS_COMMANDS,
    PROCESS_FUNCTIONS,
    SEAT_COMMANDS,
    SEAT_FUNCTIONS,
    Grant,
    Rights,
    append_grants,
    grant,
    leases,
    merged_grants,
    process_grants,
    seat_grants,
)
from workers.keys import (
    INVALIDATION_CHANNEL,
    ClaimKeys,
    claim_log,
    customer_log,
    notification_log,
    policy_log,
    request_log,
)
from workers.routing import ROUTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from runtime.store.keys import LogSpec

WORKER = "worker"
OPERATOR = "operator"

_READ = "get hget hgetall hmget hkeys hlen exists type ttl strlen llen lrange scard smembers sismember zcard zrange "
_READ += "zrangebyscore zrevrange zscore xlen xrange xrevrange xpending xinfo|stream xinfo|groups xinfo|consumers"
_MIRROR = ("psync", "replconf", "ping")
_WATCH = (
    "multi", "exec", "ping", "subscribe", "config|rewrite", "role", "publish", "info", "client|setname", "client|kill",
    "script|kill", "slaveof",
)  # fmt: skip
"""What a Sentinel needs at the servers that it watches (the manual of Sentinel, "Redis Access Control List")."""


class Logs(NamedTuple):
    """The key names that the table speaks of, cut into as many partitions as the logs have."""

    claims: Keyspace
    requests: Keyspace
    notices: Keyspace
    policies: Keyspace
    customers: Keyspace
    own: ClaimKeys

    @classmethod
    def of(cls, partitions: int = 1, *, tagged: bool = False) -> Logs:
        """Those of a deployment."""
        claims = Keyspace(claim_log(partitions, tagged=tagged))
        return cls(
            claims,
            Keyspace(request_log(partitions, tagged=tagged)),
            Keyspace(notification_log(partitions, tagged=tagged)),
            Keyspace(policy_log(tagged=tagged)),
            Keyspace(customer_log(tagged=tagged)),
            ClaimKeys(claims, 0),
        )

    def by_name(self) -> dict[str, Keyspace]:
        """By the name of the log."""
        spaces = (self.claims, self.requests, self.notices, self.policies, self.customers)
        return {keys.spec.name: keys for keys in spaces}

    def specs(self) -> list[LogSpec]:
        """What a store is opened with."""
        return [keys.spec for keys in self.by_name().values()]


def _read_only(names: str, *keys: str) -> Grant:
    """Reading these keys; `%R~` keeps the keys from a command that would write them."""
    found = grant(names, *keys)
    return Grant(found.commands, tuple(f"%R~{key}" for key in found.keys))


def _claim_appends(logs: Logs) -> list[Grant]:
    """Appending to the log of claims: its timers change with it."""
    return [*append_grants(logs.claims), grant("type zadd zrem", logs.own.timers)]


def _work_lists(own: ClaimKeys) -> list[Grant]:
    lists = (own.workload("*"), own.queue("*"))
    return [
        grant("type rpush lrem lrange", *lists),
        grant("type hmget hincrby hgetall", own.adjuster_load),
        grant("type hset hgetall", own.adjuster_last),
        grant("type hset hdel hgetall", own.losses("*"), own.handlers("*")),
        grant("type hset hgetall", own.seen("*")),
        grant("type sadd", own.insured("*")),
        grant("type zadd zrem zrangebyscore", own.waiting_payees),
    ]


def _deciding(logs: Logs) -> list[Grant]:
    """Deciding on claims, and nothing of one's own."""
    return [*_claim_appends(logs), *_reading(logs)]


def _processor(logs: Logs) -> list[Grant]:
    return [*_deciding(logs), *_work_lists(logs.own)]


def _reading(logs: Logs) -> list[Grant]:
    """What a decision looks at: claims, policies, whether a claimant is a registered customer."""
    return [
        grant("hget", logs.claims.snapshot("*")),
        grant("hget", logs.policies.snapshot("*")),
        grant("hget", logs.customers.snapshot("*")),
    ]


def _analytics(logs: Logs) -> list[Grant]:
    own = logs.own
    figures = [own.figures((family, "*")) for family in ("analytics", "leaderboard", "metrics", "kpi")]
    return [
        grant("type hmget hgetall hset hdel hincrby zadd zincrby del pexpire", *figures),
        grant("type xadd", own.windows),
    ]


def _notifier(logs: Logs) -> list[Grant]:
    return [grant("type xadd", logs.own.notifications)]


def _dispatcher(logs: Logs) -> list[Grant]:
    own = logs.own
    return [
        grant("type hmget hset hdel", own.outbox_attempts, own.outbox_waiting),
        grant("type hmget hset", own.outbox_outcomes),
        grant("type zadd zrem zrangebyscore", own.outbox_retries),
    ]


def _auditor(logs: Logs) -> list[Grant]:
    return [
        grant("type hset hgetall", logs.own.chain),
        grant("type xadd", logs.own.checkpoints, logs.own.forged),
        grant("lindex", logs.claims.history("*")),
    ]


def _invalidator(logs: Logs) -> list[Grant]:
    own = logs.own
    views = (
        "claims:claim:*", "claims:policy:*", "policy:*", "customer:*", "gateway:customer_profile:*",
        "claims:claims_stats", "gateway:dashboard_summary",
    )  # fmt: skip
    names = [own.name(view) for view in views]
    # Keys that go one after the other go by one DEL.
    return [grant("type get set", own.floor("*")), grant("type", *names), grant("del", *names, whole=True)]


def _timekeeper(logs: Logs) -> list[Grant]:
    return [*_deciding(logs), grant("zrangebyscore", logs.own.timers)]


def _payments(logs: Logs) -> list[Grant]:
    own = logs.own
    return [
        *_claim_appends(logs),
        *_reading(logs),
        grant("type hmget hset hdel", own.payment_attempts, own.payment_waiting),
        grant("type hmget hset hdel", own.payment_outcomes, own.payment_doubts),
        grant("type zadd zrem zrangebyscore", own.payment_retries),
        grant("type get set", own.bank_place),
        grant("type xadd", own.reconciliation),
    ]


def _archivist(keys: Keyspace) -> list[Grant]:
    return [grant("type hset hmget hgetall", keys.archive())]


class Kind(NamedTuple):
    """What a row adds to the rights that follow from reading the actor's log."""

    about: str
    own: Callable[[Logs], Sequence[Grant]]
    appends: bool = False
    calls: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()


ACTORS: Mapping[str, Kind] = {
    "claims-processor": Kind("decides on claims and keeps the work lists", _processor, appends=True),
    "analytics": Kind("counts; writes figures only", _analytics),
    "notifier": Kind("writes intents into the outbox", _notifier),
    "auditor": Kind("chains the log, names what was forged", _auditor, calls=(functions.FORGED,)),
    "cache-invalidator": Kind("drops read views, and says so", _invalidator, channels=(INVALIDATION_CHANNEL,)),
    "intake": Kind("adopts the requests of others", _deciding, appends=True),
    "dispatcher": Kind("sends intents, records what became of them", _dispatcher),
    "timekeeper": Kind("turns due timers into events", _timekeeper, appends=True),
    "payments": Kind("orders payouts from the bank", _payments, appends=True),
    "archivist": Kind("archives the log of claims", lambda logs: _archivist(logs.claims)),
    "policy-archivist": Kind("archives the log of policies", lambda logs: _archivist(logs.policies)),
    "customer-archivist": Kind("archives the log of customers", lambda logs: _archivist(logs.customers)),
    "simulator": Kind("plays adjusters and bank in a demonstration", _deciding, appends=True),
}
"""The rows of actors, by the name in `workers.routing`."""


def users(logs: Logs, *, simulation: bool = False) -> list[Rights]:
    """Every user: the process, each actor, and who works around them."""
    spaces = logs.by_name()
    found = [_process(logs)]
    for route in ROUTES:
        if route.simulation and not simulation:
            continue
        kind = ACTORS[route.actor]
        keys = spaces[route.log]
        seat = [] if route.timed else seat_grants(keys, route.group)
        calls = (() if route.timed else SEAT_FUNCTIONS) + ((functions.APPEND,) if route.timed and kind.appends else ())
        calls += kind.calls
        plain = ANYBODY + (() if route.timed else SEAT_COMMANDS) + (APPEND_COMMANDS if kind.appends else ())
        found.append(Rights(route.actor, kind.about, plain, calls, (*seat, *kind.own(logs)), kind.channels))
    return [*found, *_around(logs)]


def _process(logs: Logs) -> Rights:
    groups = [(logs.by_name()[route.log], route.group) for route in ROUTES if not route.timed]
    return Rights(
        WORKER,
        "a process itself: heartbeat, leases, how far groups are",
        ANYBODY + PROCESS_COMMANDS,
        PROCESS_FUNCTIONS,
        tuple(process_grants(list(logs.by_name().values()), groups)),
    )


def _gateway(logs: Logs) -> list[Grant]:
    """Commands of people: they append to the logs of claims, policies and customers, with the two views of those."""
    return [
        *_claim_appends(logs),
        *append_grants(logs.policies),
        *append_grants(logs.customers),
        *append_grants(logs.requests),
        grant("type set", "policy:*", "customer:*"),
    ]


def _everything() -> tuple[str, ...]:
    """Patterns that hold every key of the application."""
    families = (
        "claim", "claims", "policies", "policy", "customers", "customer", "analytics", "leaderboard", "metrics", "kpi",
        "adjuster", "adjusters", "queue", "losses", "insured", "handlers", "seen", "payments", "outbox", "audit",
        "view", "gateway", "request", "notification", "claimstream", "archive",
    )  # fmt: skip
    return tuple(f"{family}:*" for family in families)


def _operating(logs: Logs) -> list[Grant]:
    """Retry, drop, halt, resume: on every log and group."""
    found = []
    for keys in logs.by_name().values():
        found += [
            grant("hget hset hdel", keys.state()),
            grant("hdel", keys.position("*")),
            grant("xrange xdel", keys.parked("*")),
            grant("hkeys hexists hincrby hdel", keys.held("*")),
            grant("lrem rpush", keys.retries("*")),
            grant("xadd", keys.operations()),
        ]
    return found


def _opening(logs: Logs) -> list[Grant]:
    """Making logs and groups, which actors only find."""
    found = []
    for keys in logs.by_name().values():
        found += [
            grant("type xinfo|stream xgroup|create xgroup|destroy", keys.log()),
            grant("hmget hget hexists hset exists", keys.state(), f"{keys.spec.name}:state*"),
            grant("exists hget hset", keys.position("*")),
        ]
    return found


def _retiring(logs: Logs) -> list[Grant]:
    """Ending a group for good: its records go."""
    found = []
    for keys in logs.by_name().values():
        found += [
            grant("hexists hset hdel", keys.state()),
            grant("hget", keys.position("*")),
            grant("xlen", keys.parked("*")),
            grant("del", *(of("*") for of in (keys.position, keys.parked, keys.held, keys.retries)), whole=True),
            grant("type xgroup|destroy", keys.log()),
        ]
    return found


_STAGED = (
    "type exists pttl hset hdel hmget hget hgetall hincrby sadd srem zadd zincrby zrem rpush lrem set get del pexpire "
)
_STAGED += "xadd"


def _rebuilding(logs: Logs) -> list[Grant]:
    """Staged keys, and in the end those of the groups that can be built from the log alone."""
    own = logs.own
    lists = (own.workload("*"), own.queue("*"), own.adjuster_load, own.adjuster_last)
    live = (*(key for one in _analytics(logs) for key in one.keys), own.chain, own.checkpoints, own.forged, *lists)
    found = [
        grant(_STAGED, "rebuild:*"),
        Grant(("del", "rename"), ("rebuild:*", *live), whole=True),
        _read_only(_READ, "rebuild:*"),  # compared with the live ones before they are swapped
        Grant(("del", "exists", "pttl", "type"), live),
    ]
    for keys in logs.by_name().values():
        found += [
            grant("type xrange xinfo|stream xgroup|create", keys.log()),
            grant("hmget hget hexists exists hset hdel", keys.state()),
            grant("hmget hset", keys.position("*")),
            grant("xadd", keys.operations()),
            grant("get", leases(keys)),
        ]
    return found


def _around(logs: Logs) -> list[Rights]:
    """People, and machines that are no actors."""
    looking = _read_only(_READ, *_everything())
    streams = tuple(keys.log() for keys in logs.by_name().values())
    positions = tuple(keys.position("*") for keys in logs.by_name().values())
    states = tuple(keys.state() for keys in logs.by_name().values())
    archived = tuple(keys.archive() for keys in logs.by_name().values())
    asking = ("info", "time", "dbsize", "scan", "config|get", "function|list", "acl|whoami", "acl|dryrun")
    return [
        Rights(
            "gateway",
            "commands of people over the HTTP interface",
            ANYBODY + APPEND_COMMANDS + ("function|list", "acl|whoami", "time", "config|get", "scan"),
            (functions.APPEND, functions.OPEN, functions.LOOK),
            (*_gateway(logs), looking, grant("type xinfo|stream", *streams), grant("hmget hget hexists", *states)),
        ),
        Rights(
            OPERATOR,
            "a person at the command line: commands, dead letters, halt and resume, every look",
            ANYBODY + asking + ("slowlog|get", "client|list", "acl|log", "latency|latest"),
            (
                functions.APPEND,
                functions.OPEN,
                functions.LOOK,
                functions.RETRY,
                functions.DROP,
                functions.HALT,
                functions.RETIRE,
            ),
            (*_gateway(logs), *_operating(logs), *_retiring(logs), looking, grant("memory|usage", *streams)),
        ),
        Rights(
            "rebuild",
            "builds a projection anew beside the live one, and swaps them",
            (*ANYBODY, *asking),
            (functions.OPEN, functions.LOOK, functions.STAGE, functions.DROP_STAGE, functions.SWAP),
            (*_rebuilding(logs), looking),
        ),
        Rights(
            "deploy",
            "loads the function library, makes logs and groups",
            ANYBODY + asking + ("function|load", "function|delete", "function|dump"),
            (functions.OPEN,),
            tuple(_opening(logs)),
        ),
        Rights(
            "retention",
            "cuts the part of the logs that every group has settled and the archive holds",
            ANYBODY + asking,
            (functions.OPEN, functions.LOOK, functions.TRIM),
            (
                grant("xtrim xlen xrange xinfo|stream xinfo|groups type", *streams),
                grant("hget hmget hgetall hkeys exists hexists hset", *states),
                _read_only("hget hmget hgetall exists", *positions, *archived),
                grant("xadd", *(keys.operations() for keys in logs.by_name().values())),
            ),
        ),
        Rights(
            "backup",
            "reads everything, writes nothing",
            ANYBODY + asking + ("multi", "exec"),
            (),
            (looking, _read_only("dump", *_everything())),
        ),
        Rights(
            "restore",
            "puts a backup into an empty store; on for as long as that takes",
            ANYBODY + asking + ("function|load",),
            (functions.OPEN, functions.RESTORE, functions.RESTORED),
            (
                *_opening(logs),
                looking,
                grant("type xadd hset hdel hmget hget exists zadd rpush set get xrange", *_everything()),
                # It writes the lists of the processor from the facts (workers/backup/lists.py).
                *_work_lists(logs.own),
            ),
        ),
        Rights(
            "monitor",
            "the exporter of figures: looks only (it may read the logs: a look needs the id of the oldest entry)",
            (*ANYBODY, *asking, "slowlog|get", "slowlog|len", "acl|log", "latency|latest"),
            (functions.LOOK,),
            (
                grant("type xlen xinfo|stream xinfo|groups memory|usage", *streams),
                grant("xrange", *streams),
                _read_only("hget hmget hgetall", *states, *positions),
                _read_only("xlen", *(keys.parked("*") for keys in logs.by_name().values())),
                _read_only("llen", *(keys.retries("*") for keys in logs.by_name().values())),
            ),
        ),
        Rights("replica", "a replica at its master", _MIRROR),
        Rights("sentinel", "a Sentinel at the servers that it watches", _WATCH, channels=("__sentinel__:hello",)),
    ]


def acl_lines(found: Sequence[Rights], passwords: Mapping[str, Sequence[str]]) -> list[str]:
    """The lines of an ACL file. `passwords`: of each user, two while they are changed; a user with none is off.

    They stand in it as SHA-256, as the store wants them; they must be long and random, because those are quick to try.
    Nobody can be `default`, who is off; it has every right nevertheless, because a server plays its append-only file as
    that user, and passes over the MULTI of each function that it may not do (redis/redis#14541, valkey-io/valkey#3983).
    """
    lines = ["user default reset off ~* &* +@all"]
    for rights in found:
        given = passwords.get(rights.user, ())
        state = "on" if given else "off"
        hashes = [f"#{hashlib.sha256(word.encode()).hexdigest()}" for word in given]
        lines.append(" ".join(["user", rights.user, "reset", state, *hashes, *rights.rules()]))
    return lines


def matrix(logs: Logs) -> str:
    """Who may do what with which keys, as Markdown: a row per user and list of keys."""
    lines = [
        "# Who may do what in the store",
        "",
        "Generated by `claimstream store matrix` from `workers/store_users.py`; a test keeps it current. `R` before a",
        "key: reading alone. A function runs its inner commands with the rights of the caller, so these rows are also",
        "what it can do inside one. Everything that is not here is refused. The user `default`",
        "is off, so nobody can be it; its rights are for the server, which plays its append-only file as that user.",
        "",
    ]
    for rights in users(logs, simulation=True):
        lines += [f"## {rights.user}", "", f"{rights.about[0].upper()}{rights.about[1:]}.", ""]
        lines.append(f"* without a key: {_code(sorted(set(rights.plain)))}")
        if rights.functions:
            lines.append(f"* functions: {_code(rights.functions)}")
        if rights.channels:
            lines.append(f"* channels: {_code(rights.channels)}")
        if rights.grants:
            lines += ["", "| keys | commands |", "|---|---|"]
            lines += [
                f"| {_code(key.replace('%R~', 'R ') for key in one.keys)} | {_code(one.commands)} |"
                for one in merged_grants(rights.grants)
            ]
        lines.append("")
    return "\n".join(lines)


def _code(words: Iterable[str]) -> str:
    return ", ".join(f"`{word.replace('|', ' ')}`" for word in words)
