"""What the command line shows of a cluster, as data: the same for tables and for --json."""

from __future__ import annotations

import msgspec


class StoreView(msgspec.Struct, frozen=True, kw_only=True):
    """The server: its own name and version, bytes in use, connections."""

    server: str
    version: str
    role: str
    used_memory: int
    clients: int


class LogView(msgspec.Struct, frozen=True, kw_only=True):
    """One log over all partitions; `halted`: why, by partition."""

    name: str
    partitions: int
    entries: int
    bytes: int
    halted: dict[str, str]


class SeatView(msgspec.Struct, frozen=True, kw_only=True):
    """One group on one partition. `state`: ok, halted, torn or lost; a timed actor has no backlog."""

    log: str
    group: str
    actor: str
    partition: int
    timed: bool = False
    owner: str = ""
    owner_name: str = ""
    backlog: int = 0
    undelivered: int = 0
    pending: int = 0
    oldest_seconds: float = 0.0
    parked: int = 0
    retries: int = 0
    position: str = ""
    settled: int = 0
    state: str = "ok"
    why: str = ""


class ProcessView(msgspec.Struct, frozen=True, kw_only=True):
    """One registered process. `state`: alive, or idle when it missed heartbeats for `silent_seconds`."""

    incarnation: str
    state: str
    silent_seconds: float
    host: str
    pid: int
    version: str
    started: str
    serves: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """For people: pid and host."""
        return f"{self.pid}@{self.host}" if self.pid else self.incarnation


class ClusterView(msgspec.Struct, frozen=True):
    """Everything at one moment."""

    store: StoreView
    logs: tuple[LogView, ...]
    seats: tuple[SeatView, ...]
    processes: tuple[ProcessView, ...]


class GroupView(msgspec.Struct, frozen=True, kw_only=True):
    """A group over all partitions of its log. `position`: the one that is furthest behind."""

    log: str
    group: str
    actor: str
    partitions: int
    served: int
    owners: tuple[str, ...]
    backlog: int
    undelivered: int
    pending: int
    oldest_seconds: float
    parked: int
    settled: int
    position: str
    state: str
    timed: bool


def by_group(seats: tuple[SeatView, ...]) -> list[GroupView]:
    """Join the partitions of each group, in the order of `seats`."""
    joined: dict[tuple[str, str], list[SeatView]] = {}
    for seat in seats:
        joined.setdefault((seat.log, seat.group), []).append(seat)
    return [_joined(parts) for parts in joined.values()]


def _joined(parts: list[SeatView]) -> GroupView:
    first = parts[0]
    bad = [part.state for part in parts if part.state != "ok"]
    return GroupView(
        log=first.log,
        group=first.group,
        actor=first.actor,
        partitions=len(parts),
        served=sum(bool(part.owner) for part in parts),
        owners=tuple(sorted({part.owner_name for part in parts if part.owner})),
        backlog=sum(part.backlog for part in parts),
        undelivered=sum(part.undelivered for part in parts),
        pending=sum(part.pending for part in parts),
        oldest_seconds=max(part.oldest_seconds for part in parts),
        parked=sum(part.parked for part in parts),
        settled=sum(part.settled for part in parts),
        position=min((part.position for part in parts), key=_order),
        state=bad[0] if bad else "ok",
        timed=first.timed,
    )


def _order(entry_id: str) -> tuple[int, int]:
    """Order of entry ids; '' stands before all."""
    at, _, number = entry_id.partition("-")
    return (int(at or 0), int(number or 0))
