"""What is known of one served (group, partition), and what that says about it. Pure: the time is an argument.

The silence of a runner is measured from the latest of: last success, backlog first seen, start of serving,
end of a wait; so neither an idle night nor an outage turns into a stall at the first entry after it. Its
backlog is the last sample's, and only if that is newer than the last success: a dead sampler accuses nobody.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from runtime.telemetry.progress_types import RunnerHealth, RunnerState

if TYPE_CHECKING:
    from runtime.telemetry.samples import BacklogSample

#: Reasons to wait that a restart would not mend; any other reason does not excuse a runner.
DECLARED_WAITS: Final = frozenset({"store_away", "store_full", "halted", "reader_too_old", "backoff", "lease"})

#: Answers of settle after which the partition stands until an operator resumes it.
HALTING_OUTCOMES: Final = frozenset({"lost", "torn", "halted"})

#: `LeaseChanged.state` when this process serves the partition.
LEASE_HELD: Final = frozenset({"taken", "held", "acquired"})


class ProgressOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of health, all in seconds."""

    #: Longer than the slowest honest batch and several sampling intervals: a restart costs more than a late
    #: alarm.
    stall_after_seconds: float = 30.0
    #: Without a fresh backlog figure for so long `/health` says so; it never turns `/livez` red.
    sample_stale_seconds: float = 60.0
    #: The loop's heartbeat comes several times a second; the watchdog thread acts on its own limit.
    loop_blocked_seconds: float = 5.0


@dataclass(slots=True)
class Wait:
    """A wait in force: why in words, and since when (monotonic seconds)."""

    detail: str
    since: float


@dataclass(slots=True)
class RunnerProgress:
    """What is known of one served (group, partition). Times are monotonic seconds."""

    actor: str
    group: str
    partition: int
    served_since: float
    last_ok: float | None = None
    backlog_since: float | None = None
    wait_ended: float | None = None
    sample: BacklogSample | None = None
    sampled_at: float | None = None
    position: str = ""
    applied: int = 0
    waits: dict[str, Wait] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """`group/partition`, as reasons name it."""
        return f"{self.group}/{self.partition}"

    def outstanding(self) -> int | None:
        """Backlog of the last sample, None when there is none that is newer than the last success."""
        if self.sample is None or self.sampled_at is None:
            return None
        if self.last_ok is not None and self.sampled_at < self.last_ok:
            return None
        return self.sample.backlog

    def quiet_seconds(self, now: float) -> float:
        """How long it has had work and no success; see the module."""
        marks = (self.served_since, self.last_ok, self.backlog_since, self.wait_ended)
        return now - max(mark for mark in marks if mark is not None)

    def health(self, now: float, options: ProgressOptions) -> RunnerHealth:
        """The runner as a report shows it."""
        state, reason, seconds = self.state(now, options)
        sample = self.sample
        return RunnerHealth(
            actor=self.actor,
            group=self.group,
            partition=self.partition,
            state=state,
            reason=reason,
            since_seconds=round(seconds, 3),
            undelivered=sample.undelivered if sample else None,
            pending=sample.pending if sample else None,
            parked=sample.parked if sample else None,
            oldest_seconds=sample.oldest_seconds if sample else None,
            position=self.position,
            settled_entries=sample.settled_entries if sample else None,
            entries_applied=self.applied,
            waits={reason: wait.detail for reason, wait in sorted(self.waits.items())},
        )

    def state(self, now: float, options: ProgressOptions) -> tuple[RunnerState, str, float]:
        """State, the reason for people ("" when all is well), and for how many seconds."""
        if self.waits:
            reason, wait = min(self.waits.items(), key=lambda item: item[1].since)
            return RunnerState.WAITING, wait_text(self.label, reason, wait.detail), now - wait.since
        outstanding, quiet = self.outstanding(), self.quiet_seconds(now)
        if outstanding is None:
            state = RunnerState.IDLE if self.last_ok is None else RunnerState.ADVANCING
            return state, "", quiet
        if outstanding == 0:
            return RunnerState.IDLE, "", quiet
        if quiet <= options.stall_after_seconds:
            return RunnerState.ADVANCING, "", quiet
        text = f"{self.label}: {outstanding} entries of backlog and nothing settled for {quiet:.0f} s"
        return RunnerState.STALLED, text, quiet


def wait_text(where: str, reason: str, detail: str) -> str:
    """A wait in words: where, why, and the detail if there is one."""
    return f"{where}: {reason}: {detail}" if detail else f"{where}: {reason}"
