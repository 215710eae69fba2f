"""Is this store fit for us? Read-only findings for `doctor`, and the refusal at the start of a production
process.

Each finding says what was seen and what to do. Sources: design/redis-facts.md (named beside each rule).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec

from runtime.store.clients import every_server
from runtime.store.facts import GUARDS, StoreFacts, look

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from redis.asyncio import Redis

    from runtime.store.received import Received

Level = Literal["ok", "warn", "fail"]

#: The oldest servers that have all we use (V1).
OLDEST: Final = {"redis": (7, 0), "valkey": (7, 2)}
#: By series: the first patch without the hole of the Lua engine that lets a script out of it (CVE-2025-49844). Redis
#: 7.0 has none of its own; distributions mended theirs under the same version (Debian: 5:7.0.15-1~deb12u10, V5).
PATCHED: Final = {
    "redis": {(7, 2): 11, (7, 4): 6, (8, 0): 4, (8, 2): 2},
    "valkey": {(7, 2): 11, (8, 0): 6, (8, 1): 4},
}
#: What a power cut may take, by `appendfsync` (D2, D3). A crash of the server process alone takes nothing.
LOSS: Final = {
    "always": "nothing, on a disk that keeps its word",
    "everysec": "about the last 2 s",
    "no": "whatever the system had not written, 30 s and more",
}
_LEVELS: Final = ("ok", "warn", "fail")
_STRENGTH: Final = ("no", "everysec", "always")


class StoreExpectations(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a deployment asks of its store. What is required fails the start; the rest is a warning."""

    #: Whether a store without append-only file is refused: a restart would lose all, functions too (V6, D10).
    require_append_only: bool = True
    #: Weakest fsync setting that is accepted without a word: outside effects of money need `always` (D4).
    appendfsync: Literal["always", "everysec", "no"] = "everysec"
    #: Whether a weaker one is refused, not only told.
    require_appendfsync: bool = False
    #: Whether a store that may evict keys is refused: it can evict the log itself (B5).
    require_noeviction: bool = True
    #: Whether a master behind Sentinels or in a cluster is refused that takes writes without a replica in step (D9).
    require_min_replicas: bool = False
    #: Seconds between the store's clock and ours that are told. Safety never asks the time (B6); SLA
    #: clocks do.
    skew_seconds: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    #: Whether the all-powerful user `default` is told (guarantees.md, section g).
    own_user: bool = False


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at; `advice` is empty when nothing is to be done."""

    name: str
    level: Level
    seen: str
    advice: str = ""


class StoreUnfit(Exception):
    """The store must not be used as it is; the text names everything that has to change, in one line."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        said = "; ".join(f"{finding.name}: {finding.seen} ({finding.advice})" for finding in findings)
        super().__init__(f"the store cannot be used: {said}")
        self.findings = tuple(findings)


async def examine(
    client: Redis,
    expect: StoreExpectations,
    *,
    functions: Sequence[str] = (),
    calls: Sequence[tuple[str, ...]] = (),
    connections: int = 0,
    tagged_keys: bool = False,
    received: Received | None = None,
) -> list[Finding]:
    """Look at a store and judge it; of a cluster every primary.

    functions: names that must be loaded. calls: what this user must be allowed, as words. connections: how
    many this process opens. tagged_keys: whether key names carry the hash tag that a cluster needs (C6).
    received: what an append waits for where another server takes over when one dies.
    """
    judged: dict[str, list[Finding]] = {}
    for server in await every_server(client):
        facts = await look(server, calls=calls)
        judged[_where(server)] = judge(
            facts, expect, functions=functions, connections=connections, tagged_keys=tagged_keys, received=received
        )
    return _joined(judged)


def _where(server: Redis) -> str:
    values = server.connection_pool.connection_kwargs
    return f"{values.get('host', '')}:{values.get('port', '')}"


def _joined(judged: Mapping[str, Sequence[Finding]]) -> list[Finding]:
    """One line where all servers are alike, else the worst of them with its place."""
    if len(judged) == 1:
        return list(next(iter(judged.values())))
    joined: list[Finding] = []
    for same in zip(*judged.values(), strict=True):
        where, worst = max(zip(judged, same, strict=True), key=lambda one: _LEVELS.index(one[1].level))
        alike = worst.level == "ok" or all(one == worst for one in same)
        seen = worst.seen if alike else f"{worst.seen} (the worst of {len(same)} primaries: {where})"
        joined.append(Finding(worst.name, worst.level, seen, worst.advice))
    return joined


def judge(
    facts: StoreFacts,
    expect: StoreExpectations,
    *,
    functions: Sequence[str] = (),
    connections: int = 0,
    tagged_keys: bool = False,
    received: Received | None = None,
) -> list[Finding]:
    """Judge facts; pure."""
    findings = [_clock(facts, expect), _functions(facts, functions), _rights(facts, expect)]
    if facts.info is None:
        blind = "this user may not ask INFO, so persistence and eviction are unknown"
        return [Finding("server", "warn", blind, "allow +info, or run doctor as an operator"), *findings]
    info = facts.info
    return [
        _server(info),
        _role(info),
        _cluster(info, tagged_keys),
        *([] if received is None else [_replicas(facts, expect, received)]),
        _append_only(facts, info, expect),
        _fsync(facts, expect),
        _slow_disk(info),
        _eviction(info, expect),
        _memory(info),
        _clients(info, connections),
        *findings,
    ]


def require(findings: Iterable[Finding]) -> None:
    """Raise `StoreUnfit` when a finding failed."""
    failed = [finding for finding in findings if finding.level == "fail"]
    if failed:
        raise StoreUnfit(failed)


def server_identity(info: Any) -> tuple[str, str]:
    """Name and version of the server; Valkey reports 7.2.4 as its `redis_version` whatever it is (V2)."""
    name = str(info.get("server_name", "redis"))
    version = info.get(f"{name}_version", info.get("redis_version", "0"))
    return name, str(version)


def _server(info: Any) -> Finding:
    name, version = server_identity(info)
    oldest = OLDEST.get(name)
    seen = f"{name} {version}"
    if oldest is None:
        return Finding("server", "warn", seen, "tested are Redis >= 7.0 and Valkey >= 7.2")
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers < oldest:
        return Finding("server", "fail", seen, f"use {name} {oldest[0]}.{oldest[1]} or newer")
    patches = [int(part) for part in version.split(".")[:3] if part.isdigit()]
    mended = PATCHED[name].get((numbers[0], numbers[-1]))
    if mended is not None and (patches[2] if len(patches) > 2 else 0) < mended:
        advice = f"use {name} {numbers[0]}.{numbers[1]}.{mended} or newer: CVE-2025-49844"
        return Finding("server", "warn", f"{seen}, whose Lua engine has a known hole", advice)
    return Finding("server", "ok", seen)


def _role(info: Any) -> Finding:
    role = str(info.get("role", "unknown"))
    if info.get("loading"):
        return Finding("role", "warn", f"{role}, still loading its data", "wait until it has loaded")
    if role != "master":
        return Finding("role", "fail", "a replica", "give the address of the master")
    return Finding("role", "ok", f"master with {info.get('connected_slaves', 0)} replicas")


def _cluster(info: Any, tagged_keys: bool) -> Finding:
    if not info.get("cluster_enabled"):
        return Finding("cluster", "ok", "no cluster")
    if not tagged_keys:
        return Finding(
            "cluster",
            "fail",
            "a cluster, but key names carry no hash tag",
            "name it redis+cluster://HOST:PORT, and names get their tags; or use a server outside a cluster",
        )
    return Finding("cluster", "ok", "a cluster, with tagged key names")


def _replicas(facts: StoreFacts, expect: StoreExpectations, received: Received) -> Finding:
    """Whether the loss of a server can take an append that was confirmed, and how much else it can take (D9)."""
    info, config = facts.info or {}, facts.config
    there = int(info.get("connected_slaves", 0))
    if received.replicas == 0:
        seen = f"{there} connected, and appends wait for none: the loss of a server takes what it had not passed on"
        return Finding("replicas", "warn", seen, "set store.options.confirm_replicas = 1")
    if there < received.replicas:
        seen = f"{there} connected, and an append waits for {received.replicas}: none is confirmed"
        return Finding("replicas", "warn", seen, "start the replica, or look why it is not in step")
    seen = f"{there} connected; an append is confirmed when {received.replicas} of them have it"
    if config is None:
        return Finding("replicas", "warn", f"{seen}; min-replicas unknown", "allow +config|get, or ask as an operator")
    least, lag = (config.get(name, "0") for name in GUARDS)
    if int(least) < 1:
        level: Level = "fail" if expect.require_min_replicas else "warn"
        seen = f"{seen}; but a master that is cut off goes on taking writes that are lost later"
        return Finding("replicas", level, seen, "set min-replicas-to-write 1 and min-replicas-max-lag 2")
    window = f"others are lost for at most {lag} s and the way to it" if lag != "0" else "others have no bound"
    return Finding("replicas", "ok", f"{seen}; {window}")


def _append_only(facts: StoreFacts, info: Any, expect: StoreExpectations) -> Finding:
    if not info.get("aof_enabled"):
        level: Level = "fail" if expect.require_append_only else "warn"
        return Finding(
            "persistence",
            level,
            "the append-only file is off: a restart loses everything",
            "set appendonly yes",
        )
    if info.get("aof_last_write_status", "ok") != "ok":
        return Finding("persistence", "fail", "the last write to the append-only file failed", "look at disk and log")
    if facts.replays is False:
        return Finding(
            "persistence",
            "fail" if expect.require_append_only else "warn",
            "the user default has no rights, and most servers play their append-only file as that user: a restart "
            "would silently drop whatever a function wrote",
            "ACL SETUSER default reset off ~* &* +@all, in the ACL file as well: off, so that nobody can be it",
        )
    return Finding("persistence", "ok", "the append-only file is on")


def _fsync(facts: StoreFacts, expect: StoreExpectations) -> Finding:
    fsync = (facts.config or {}).get("appendfsync")
    if fsync is None:
        advice = "allow +config|get, or run doctor as an operator"
        return Finding("fsync", "warn", "unknown: this user may not ask CONFIG", advice)
    if facts.info is not None and not facts.info.get("aof_enabled"):
        return Finding("fsync", "warn", "none: the append-only file is off", "set appendonly yes")
    seen = f"{fsync}: a power cut loses {LOSS.get(fsync, 'an unknown part')}"
    if (facts.config or {}).get("no-appendfsync-on-rewrite") == "yes":
        return Finding("fsync", "warn", f"{seen}, and more while a rewrite runs", "set no-appendfsync-on-rewrite no")
    if fsync in _STRENGTH and _STRENGTH.index(fsync) < _STRENGTH.index(expect.appendfsync):
        level: Level = "fail" if expect.require_appendfsync else "warn"
        return Finding("fsync", level, seen, f"set appendfsync {expect.appendfsync}")
    return Finding("fsync", "ok", seen)


def _slow_disk(info: Any) -> Finding:
    delayed = int(info.get("aof_delayed_fsync", 0))
    waiting = int(info.get("aof_pending_bio_fsync", 0))
    seen = f"{delayed} delayed fsyncs since the start, {waiting} waiting"
    if delayed or waiting > 1:
        return Finding("disk", "warn", seen, "a slow disk: a crash may then lose seconds (D3); use a faster one")
    return Finding("disk", "ok", seen)


def _eviction(info: Any, expect: StoreExpectations) -> Finding:
    eviction = str(info.get("maxmemory_policy", "unknown"))
    if eviction == "noeviction":
        return Finding("eviction", "ok", eviction)
    level: Level = "fail" if expect.require_noeviction else "warn"
    return Finding("eviction", level, f"{eviction} may drop the log", "set maxmemory-policy noeviction")


def _memory(info: Any) -> Finding:
    used, limit = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    if not limit:
        seen = f"{used >> 20} MiB used, no limit"
        return Finding("memory", "warn", seen, "set maxmemory: a full store then refuses appends and drains")
    seen = f"{used >> 20} of {limit >> 20} MiB used"
    if used > 0.9 * limit:
        return Finding("memory", "warn", seen, "trim the archived part of the log, or raise maxmemory")
    return Finding("memory", "ok", seen)


def _clients(info: Any, connections: int) -> Finding:
    limit, there = int(info.get("maxclients", 0)), int(info.get("connected_clients", 0))
    seen = f"{there} of {limit or 'unknown'} connections in use" + (
        f", {connections} more needed" if connections else ""
    )
    if limit and there + connections > limit:
        return Finding("connections", "fail", seen, "raise maxclients, and the open-files limit of the server")
    return Finding("connections", "ok", seen)


def _clock(facts: StoreFacts, expect: StoreExpectations) -> Finding:
    if facts.skew_seconds is None:
        return Finding("clock", "warn", "unknown: this user may not ask TIME", "allow +time")
    skew, error = facts.skew_seconds, facts.skew_error_seconds
    seen = f"the store is {skew:+.3f} s from this host (within {error:.3f} s)"
    if abs(skew) - error > expect.skew_seconds:
        return Finding("clock", "warn", seen, "set both clocks by NTP")
    return Finding("clock", "ok", seen)


def _functions(facts: StoreFacts, needed: Sequence[str]) -> Finding:
    if facts.functions is None:
        advice = "allow +function|list, or run doctor as an operator"
        return Finding("functions", "warn", "unknown: this user may not ask FUNCTION LIST", advice)
    missing = [name for name in needed if name not in facts.functions]
    if missing:
        seen = f"{len(missing)} of {len(needed)} are not loaded: {', '.join(missing)}"
        return Finding("functions", "warn", seen, "the next start loads them if its user may")
    return Finding("functions", "ok", f"all {len(needed)} loaded")


def _rights(facts: StoreFacts, expect: StoreExpectations) -> Finding:
    user = facts.user or "unknown"
    if facts.denied:
        seen = f"user {user} may not {', '.join(facts.denied)}"
        return Finding("rights", "fail", seen, "give the user the rules of deploy/redis for its kind")
    if user == "default" and expect.own_user:
        return Finding("rights", "warn", "user default, which may do everything", "make a user for each kind")
    unseen = "" if facts.denied is not None else ", its rights cannot be looked at"
    return Finding("rights", "ok", f"user {user}{unseen}")


def lines(findings: Iterable[Finding]) -> Iterator[str]:
    """Give each finding as a line for people."""
    for finding in findings:
        advice = f" -> {finding.advice}" if finding.advice else ""
        yield f"{finding.level:<4} {finding.name}: {finding.seen}{advice}"
