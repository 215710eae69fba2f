"""What a cluster does now, read from its store alone: no worker has to run, and nothing is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from runtime.cluster.registry import ProcessCard
from runtime.errors import Halted
from runtime.store.checks import server_identity
from runtime.store.facts import look as look_at_server
from runtime.store.keys import PROCESS_DESCRIPTIONS, PROCESSES, Keyspace, LogSpec
from runtime.store.position import look
from runtime.store.reads import Reads
from runtime.store.trouble import STORE_ERRORS, translated
from workers.cli.views import ClusterView, LogView, ProcessView, SeatView, StoreView
from workers.routing import ROUTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from redis.asyncio import Redis

    from config.settings import Settings
    from runtime.answers import Look
    from runtime.cluster.lease import LeaseOptions

_GROUP = b"group:"


async def survey(client: Redis, settings: Settings, specs: Iterable[LogSpec]) -> ClusterView:
    """Look at everything once. Raises store faults; a log that is not there is left out."""
    reads = Reads(client)
    server = await _store(client)
    now = await _now(client)
    processes = await _processes(reads, settings.host.lease, now)
    logs: list[LogView] = []
    seats: list[SeatView] = []
    for spec in await stored_specs(reads, specs):
        keys = Keyspace(spec)
        logs.append(await _log(reads, keys))
        for group, actor, timed in await groups_of(reads, keys):
            for partition in range(spec.partitions):
                seat = await _seat(client, keys, group, actor, partition, now, timed=timed)
                seats.append(_owned(seat, await reads.one("GET", keys.lease(group, partition)), processes))
    return ClusterView(server, tuple(logs), tuple(seats), tuple(processes))


async def stored_specs(reads: Reads, specs: Iterable[LogSpec]) -> list[LogSpec]:
    """Each log as it was made, with the partitions that the store knows. Missing ones are left out."""
    found: list[LogSpec] = []
    for spec in specs:
        for tagged in (False, True):
            one = LogSpec(spec.name, spec.entity, spec.entity_field, 1, tagged, spec.sequenced)
            stored = await reads.one("HGET", Keyspace(one).state(0), "partitions")
            if stored is not None:
                found.append(LogSpec(spec.name, spec.entity, spec.entity_field, int(stored), tagged, spec.sequenced))
                break
    return found


async def groups_of(reads: Reads, keys: Keyspace) -> list[tuple[str, str, bool]]:
    """(group, actor, timed) of a log: every group that it ever had, and the timed actors on it."""
    name = keys.spec.name
    actors = {route.group: route.actor for route in ROUTES if route.log == name}
    fields = await reads.one("HKEYS", keys.state(0))
    groups = sorted(field.removeprefix(_GROUP).decode() for field in fields if field.startswith(_GROUP))
    timed = [(route.group, route.actor, True) for route in ROUTES if route.timed and route.log == name]
    return [*((group, actors.get(group, "-"), False) for group in groups), *timed]


async def _now(client: Redis) -> float:
    """Seconds since 1970 by the store's clock."""
    try:
        seconds, micros = await client.time()
    except STORE_ERRORS as problem:
        raise translated(problem) from problem
    return int(seconds) + int(micros) / 1e6


async def _store(client: Redis) -> StoreView:
    try:
        info = (await look_at_server(client)).info or {}
    except STORE_ERRORS as problem:
        raise translated(problem) from problem
    name, version = server_identity(info)
    return StoreView(
        server=name,
        version=version,
        role=str(info.get("role", "unknown")),
        used_memory=int(info.get("used_memory", 0)),
        clients=int(info.get("connected_clients", 0)),
    )


async def _processes(reads: Reads, lease: LeaseOptions, now: float) -> list[ProcessView]:
    """The registered processes; one that misses its heartbeats is idle until it is taken off the list."""
    expiries, cards = await reads.many([("ZRANGE", PROCESSES, 0, -1, "WITHSCORES"), ("HGETALL", PROCESS_DESCRIPTIONS)])
    described = _pairs(cards)
    found: list[ProcessView] = []
    for incarnation, expiry in _scored(expiries):
        silent = max(0.0, now - (float(expiry) / 1000 - lease.ttl_seconds))
        card = _card(described.get(incarnation))
        found.append(
            ProcessView(
                incarnation=incarnation.decode(),
                state="idle" if silent > 2 * lease.beat_seconds else "alive",
                silent_seconds=round(silent, 1),
                host=card.host if card else "",
                pid=card.pid if card else 0,
                version=card.version if card else "",
                started=card.started if card else "",
                serves=card.serves if card else (),
            )
        )
    return sorted(found, key=lambda process: (process.host, process.pid))


def _card(text: bytes | None) -> ProcessCard | None:
    try:
        return msgspec.json.decode(text or b"", type=ProcessCard)
    except msgspec.MsgspecError:
        return None


async def _log(reads: Reads, keys: Keyspace) -> LogView:
    partitions = range(keys.spec.partitions)
    lengths = await reads.many([("XLEN", keys.log(partition)) for partition in partitions])
    sizes = await reads.many([("MEMORY USAGE", keys.log(partition)) for partition in partitions])
    halted = await reads.many([("HGET", keys.state(partition), "halted") for partition in partitions])
    return LogView(
        name=keys.spec.name,
        partitions=keys.spec.partitions,
        entries=sum(lengths),
        bytes=sum(size or 0 for size in sizes),
        halted={str(n): why.decode() for n, why in enumerate(halted) if why},
    )


async def _seat(
    client: Redis, keys: Keyspace, group: str, actor: str, partition: int, now: float, *, timed: bool
) -> SeatView:
    base = SeatView(log=keys.spec.name, group=group, actor=actor, partition=partition, timed=timed)
    if timed:
        return base
    try:
        seen = await look(client, keys, group, partition)
    except Halted as problem:
        return _changed(base, state="lost", why=str(problem))
    return _changed(base, **_figures(seen, now))


def _figures(seen: Look, now: float) -> dict[str, Any]:
    pending = max(seen.pending, 0)
    oldest = max(0.0, now - int(seen.oldest.partition("-")[0]) / 1000) if seen.oldest else 0.0
    state, why = ("torn", seen.torn) if seen.torn else ("halted", seen.halted) if seen.halted else ("ok", "")
    return {
        "backlog": max(seen.backlog, 0),
        "undelivered": max(seen.backlog - pending, 0),
        "pending": pending,
        "oldest_seconds": round(oldest, 1),
        "parked": seen.parked,
        "retries": seen.retries,
        "position": seen.position,
        "settled": seen.settled,
        "state": state,
        "why": why,
    }


def _owned(seat: SeatView, owner: bytes | None, processes: Sequence[ProcessView]) -> SeatView:
    incarnation = owner.decode() if owner else ""
    named = next((process.name for process in processes if process.incarnation == incarnation), incarnation)
    return _changed(seat, owner=incarnation, owner_name=named)


def _changed(seat: SeatView, **values: Any) -> SeatView:
    changed: SeatView = msgspec.structs.replace(seat, **values)
    return changed


def _pairs(reply: Any) -> dict[bytes, bytes]:
    if isinstance(reply, dict):
        return reply
    return {reply[n]: reply[n + 1] for n in range(0, len(reply), 2)}


def _scored(reply: Any) -> list[tuple[bytes, float]]:
    """ZRANGE WITHSCORES: pairs in RESP3, a flat list in RESP2."""
    if reply and isinstance(reply[0], (list, tuple)):
        return [(member, float(score)) for member, score in reply]
    return [(reply[n], float(reply[n + 1])) for n in range(0, len(reply), 2)]
