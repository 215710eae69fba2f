"""The words of health: state of a runner, and the report that the endpoint and a fleet exchange."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class RunnerState(StrEnum):
    """What a runner does now; only `STALLED` is a reason to restart its process."""

    ADVANCING = "advancing"
    IDLE = "idle"
    WAITING = "waiting"
    STALLED = "stalled"


class RunnerHealth(msgspec.Struct, frozen=True):
    """One runner: state, why, and since how many seconds; `waits` maps declared reasons to their detail.

    `undelivered`, `pending`, `parked` and `oldest_seconds` are of the last sample, None before the first.
    """

    actor: str
    group: str
    partition: int
    state: RunnerState
    reason: str = ""
    since_seconds: float = 0.0
    undelivered: int | None = None
    pending: int | None = None
    parked: int | None = None
    oldest_seconds: float | None = None
    position: str = ""
    settled_entries: int | None = None
    entries_applied: int = 0
    waits: dict[str, str] = msgspec.field(default_factory=dict)
    process: str = ""


class HealthReport(msgspec.Struct, frozen=True):
    """Health of a process (or a fleet): three verdicts, each with the reasons against it.

    live: a restart would not help. ready: work may be sent. healthy: nothing needs a person.
    """

    live_reasons: tuple[str, ...] = ()
    ready_reasons: tuple[str, ...] = ()
    health_reasons: tuple[str, ...] = ()
    store_connected: bool = True
    store_latency_ms: float | None = None
    leases_available: bool = True
    processes: tuple[str, ...] = ()
    runners: tuple[RunnerHealth, ...] = ()

    @property
    def live(self) -> bool:
        """False when this process should be started again."""
        return not self.live_reasons

    @property
    def ready(self) -> bool:
        """False when it cannot take work now: store away, no lease, starting, draining."""
        return not self.ready_reasons

    @property
    def healthy(self) -> bool:
        """False when anything is wrong, also what a restart cannot mend (halted, store full)."""
        return not self.health_reasons
