"""What health means: does each runner advance? Pure: signals, samples and the time are arguments.

A runner with backlog and without a successful settle for `stall_after_seconds` is stalled, unless it
declared why it waits (`runner_progress` has the arithmetic). A stall turns `/livez` red, a declared wait
never does: restarting would not help. Neither is healthy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime.signals import (
    BatchSettled,
    EntriesHandled,
    LeaseChanged,
    Resynced,
    Signal,
    StoreRoundTrip,
    WaitDeclared,
    WaitEnded,
)
from runtime.telemetry.progress_types import HealthReport, RunnerHealth, RunnerState
from runtime.telemetry.runner_progress import (
    DECLARED_WAITS,
    HALTING_OUTCOMES,
    LEASE_HELD,
    ProgressOptions,
    RunnerProgress,
    Wait,
    wait_text,
)

if TYPE_CHECKING:
    from runtime.telemetry.samples import BacklogSample

__all__ = ["DECLARED_WAITS", "HealthReport", "Progress", "ProgressOptions", "RunnerHealth", "RunnerState"]

_Key = tuple[str, int]


class Progress:
    """Collects what signals and samples say, and turns it into a `HealthReport` when asked.

    Every method takes `now` in monotonic seconds where time matters. A process starts as not ready.
    """

    def __init__(self, options: ProgressOptions | None = None) -> None:
        """Nothing is served yet, nothing has started."""
        self.options = options or ProgressOptions()
        self._runners: dict[_Key, RunnerProgress] = {}
        self._released: set[_Key] = set()
        self._process_waits: dict[str, Wait] = {}
        self._starting = True
        self._draining = False
        self._store_away: str | None = None
        self._leases_missing: str | None = None
        self._latency_ms: float | None = None
        self._last_beat: float | None = None

    # what the host says

    def started(self) -> None:
        """Start-up is over: work can be taken."""
        self._starting = False

    def draining(self) -> None:
        """The drain has begun: readiness goes off and stays off."""
        self._draining = True

    def serve(self, actor: str, group: str, partition: int, now: float) -> None:
        """This process serves (group, partition) from now; so a runner that never says a word is seen too."""
        self._released.discard((group, partition))
        known = self._runners.get((group, partition))
        if known is None:
            self._runners[group, partition] = RunnerProgress(actor, group, partition, now)
        elif actor:
            known.actor = actor

    def release(self, group: str, partition: int) -> None:
        """This process does not serve (group, partition) any more; late signals do not bring it back."""
        self._released.add((group, partition))
        self._runners.pop((group, partition), None)

    def store_reachable(self, reachable: bool, detail: str = "") -> None:
        """Whether the store answered the last time that somebody asked; `detail` says what went wrong."""
        self._store_away = None if reachable else detail or "the store does not answer"

    def leases_available(self, available: bool, detail: str = "") -> None:
        """Whether leases can be had; `detail` says why not."""
        self._leases_missing = None if available else detail or "no lease can be had"

    def process_waits(self, reason: str, detail: str, now: float) -> None:
        """The whole process waits on purpose, for example halted because the store was rolled back."""
        self._process_waits[reason] = Wait(detail, now)

    def process_wait_ended(self, reason: str) -> None:
        """The wait of the whole process is over."""
        self._process_waits.pop(reason, None)

    def beat(self, now: float) -> None:
        """The event loop runs. Once beats have come, their absence means that it is blocked."""
        self._last_beat = now

    def observe_backlog(self, sample: BacklogSample, now: float) -> None:
        """A fresh sample; ignored when this process does not serve that partition."""
        runner = self._runners.get((sample.group, sample.partition))
        if runner is None:
            return
        runner.sample, runner.sampled_at = sample, now
        runner.position = sample.position or runner.position
        if sample.backlog == 0:
            runner.backlog_since = None
        elif runner.backlog_since is None:
            runner.backlog_since = now

    # what signals say

    def on_signal(self, signal: Signal, now: float) -> None:
        """Take in one signal; those that say nothing about health are ignored."""
        if isinstance(signal, BatchSettled):
            self._batch_settled(signal, now)
        elif isinstance(signal, StoreRoundTrip):
            if signal.outcome == "ok":
                self._latency_ms = signal.seconds * 1000
        elif isinstance(signal, WaitDeclared):
            self._wait_declared(signal, now)
        elif isinstance(signal, WaitEnded):
            runner = self._runner_of(signal, now)
            if runner is not None and runner.waits.pop(signal.reason, None) is not None:
                runner.wait_ended = now
        elif isinstance(signal, LeaseChanged):
            if signal.state in LEASE_HELD:
                self.serve("", signal.group, signal.partition, now)
            else:
                self.release(signal.group, signal.partition)
        elif isinstance(signal, Resynced):
            runner = self._runner_of(signal, now)
            if runner is not None:
                runner.position = signal.position
        elif isinstance(signal, EntriesHandled):
            self._runner_of(signal, now)

    def _runner_of(
        self, signal: BatchSettled | EntriesHandled | Resynced | WaitDeclared | WaitEnded, now: float
    ) -> RunnerProgress | None:
        key = (signal.group, signal.partition)
        if key in self._released:
            return None
        runner = self._runners.get(key)
        if runner is None or runner.actor != signal.actor:
            self.serve(signal.actor, signal.group, signal.partition, now)
        return self._runners[key]

    def _batch_settled(self, signal: BatchSettled, now: float) -> None:
        runner = self._runner_of(signal, now)
        if runner is None:
            return
        if signal.outcome == "ok":
            runner.last_ok = now
            runner.position = signal.position
            runner.applied += signal.entries
            runner.waits.clear()  # who settles does not wait, even if the end of the wait was never told
        elif signal.outcome in HALTING_OUTCOMES:
            runner.waits.setdefault("halted", Wait(f"settle answered {signal.outcome}", now))

    def _wait_declared(self, signal: WaitDeclared, now: float) -> None:
        runner = self._runner_of(signal, now)
        if runner is not None and signal.reason in DECLARED_WAITS:
            since = runner.waits[signal.reason].since if signal.reason in runner.waits else now
            runner.waits[signal.reason] = Wait(signal.detail, since)

    # the verdict

    def report(self, now: float) -> HealthReport:
        """The verdict at `now`."""
        runners = [runner.health(now, self.options) for _, runner in sorted(self._runners.items())]
        stalled = [runner.reason for runner in runners if runner.state == RunnerState.STALLED]
        live = [*self._loop_reasons(now), *stalled]
        store = self._store_reason()
        ready = self._ready_reasons(store)
        health = [*live, *ready, *self._waits_for_people(now), *self._missing_samples(now)]
        return HealthReport(
            live_reasons=tuple(live),
            ready_reasons=tuple(ready),
            health_reasons=tuple(dict.fromkeys(health)),
            store_connected=store is None,
            store_latency_ms=self._latency_ms,
            leases_available=self._leases_missing is None,
            runners=tuple(runners),
        )

    def _loop_reasons(self, now: float) -> list[str]:
        if self._last_beat is None or now - self._last_beat <= self.options.loop_blocked_seconds:
            return []
        return [f"the event loop was blocked for {now - self._last_beat:.0f} s"]

    def _store_reason(self) -> str | None:
        """Why the store counts as disconnected: the host said so, or a runner or the process waits for it."""
        if self._store_away is not None:
            return f"store: {self._store_away}"
        waiting = [wait for where, reason, wait in self._all_waits() if reason == "store_away"]
        return f"store: {waiting[0].detail or 'away'}" if waiting else None

    def _ready_reasons(self, store: str | None) -> list[str]:
        reasons = ["starting"] if self._starting else []
        if self._draining:
            reasons.append("draining")
        if store is not None:
            reasons.append(store)
        if self._leases_missing is not None:
            reasons.append(f"leases: {self._leases_missing}")
        return reasons

    def _waits_for_people(self, now: float) -> list[str]:
        """Waits that make `/health` red: all, except a back-off that is shorter than a stall."""
        return [
            wait_text(where, reason, wait.detail)
            for where, reason, wait in self._all_waits()
            if reason != "backoff" or now - wait.since > self.options.stall_after_seconds
        ]

    def _all_waits(self) -> list[tuple[str, str, Wait]]:
        process = [("process", reason, wait) for reason, wait in self._process_waits.items()]
        return process + [
            (runner.label, reason, wait)
            for _, runner in sorted(self._runners.items())
            for reason, wait in runner.waits.items()
        ]

    def _missing_samples(self, now: float) -> list[str]:
        limit = self.options.sample_stale_seconds
        return [
            f"{runner.label}: no backlog figure for {now - (runner.sampled_at or runner.served_since):.0f} s"
            for _, runner in sorted(self._runners.items())
            if now - (runner.sampled_at or runner.served_since) > limit
        ]
