"""Signals -> metrics, as a subscriber of the `Bus`.

Chosen by the signal's class name: nothing is imported from supervision, and a signal that has no metric
costs one look-up.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.signals import (
        BatchSettled,
        EntriesHandled,
        EntryForged,
        EntryParked,
        HandlerFailed,
        LeaseChanged,
        Resynced,
        Signal,
        StoreRoundTrip,
        WaitDeclared,
        WaitEnded,
    )
    from runtime.supervision.signals import ChildFailed, ChildFatal, ChildStarted, Escalated
    from runtime.telemetry.metrics import Metrics

#: Event types come from outside. Beyond this many per actor they are counted as "other", or a producer that
#: invents types could fill the memory of every Prometheus that scrapes us.
MAX_TYPES_PER_ACTOR = 200

#: What `LeaseChanged.state` says when this process serves the partition.
HELD = frozenset({"taken", "held", "acquired"})


class MetricsSubscriber:
    """Maps each signal to the metrics that it changes."""

    def __init__(self, metrics: Metrics) -> None:
        """`metrics` is changed by each call; the subscriber owns only the bounds of its labels."""
        self._metrics = metrics
        self._types: dict[str, set[str]] = defaultdict(set)
        self._waits: dict[tuple[str, str], set[str]] = defaultdict(set)
        self._by_name: dict[str, Callable[[Any], None]] = {
            "BatchSettled": self._batch_settled,
            "EntriesHandled": self._entries_handled,
            "EntryParked": self._entry_parked,
            "EntryForged": self._entry_forged,
            "HandlerFailed": self._handler_failed,
            "Resynced": self._resynced,
            "WaitDeclared": self._wait_declared,
            "WaitEnded": self._wait_ended,
            "LeaseChanged": self._lease_changed,
            "StoreRoundTrip": self._store_round_trip,
            "ChildStarted": self._child_started,
            "ChildFailed": self._child_failed,
            "ChildFatal": self._child_failed,
            "Escalated": self._escalated,
        }

    def __call__(self, signal: Signal) -> None:
        """Count `signal`; signals without a metric are ignored."""
        handle = self._by_name.get(type(signal).__name__)
        if handle is not None:
            handle(signal)

    def _batch_settled(self, signal: BatchSettled) -> None:
        metrics, partition = self._metrics, str(signal.partition)
        metrics.count("claimstream_batches_total", signal.actor, signal.outcome)
        metrics.count("claimstream_batch_entries_total", signal.actor, signal.outcome, by=signal.entries)
        metrics.count("claimstream_settle_outcomes_total", signal.group, partition, signal.outcome)
        metrics.observe("claimstream_handle_seconds", signal.handle_seconds, signal.actor)
        metrics.observe("claimstream_settle_seconds", signal.settle_seconds, signal.actor)
        if signal.outcome == "ok":
            metrics.observe_position(signal.group, signal.partition, signal.position)

    def _entries_handled(self, signal: EntriesHandled) -> None:
        for event_type, entries in signal.counts.items():
            bounded = self._bounded(signal.actor, event_type)
            self._metrics.count("claimstream_events_total", signal.actor, bounded, by=entries)
        self._metrics.observe("claimstream_end_to_end_seconds", signal.oldest_age_seconds, signal.actor)

    def _bounded(self, actor: str, event_type: str) -> str:
        seen = self._types[actor]
        if event_type not in seen:
            if len(seen) >= MAX_TYPES_PER_ACTOR:
                return "other"
            seen.add(event_type)
        return event_type

    def _entry_parked(self, signal: EntryParked) -> None:
        held = "true" if signal.held else "false"
        self._metrics.count("claimstream_entries_parked_total", signal.actor, held)

    def _entry_forged(self, signal: EntryForged) -> None:
        self._metrics.count("claimstream_entries_forged_total", signal.actor)

    def _handler_failed(self, signal: HandlerFailed) -> None:
        self._metrics.count("claimstream_handler_failures_total", signal.actor)

    def _resynced(self, signal: Resynced) -> None:
        self._metrics.count("claimstream_resyncs_total", signal.group, str(signal.partition), signal.reason)
        self._metrics.observe_position(signal.group, signal.partition, signal.position)

    def _wait_declared(self, signal: WaitDeclared) -> None:
        where = (signal.group, str(signal.partition))
        self._waits[where].add(signal.reason)
        self._metrics.set("claimstream_waiting", 1, *where, signal.reason)

    def _wait_ended(self, signal: WaitEnded) -> None:
        where = (signal.group, str(signal.partition))
        self._waits[where].discard(signal.reason)
        self._metrics.set("claimstream_waiting", 0, *where, signal.reason)

    def _lease_changed(self, signal: LeaseChanged) -> None:
        where = (signal.group, str(signal.partition))
        held = signal.state in HELD
        self._metrics.set("claimstream_lease_held", int(held), *where)
        self._metrics.count("claimstream_lease_changes_total", signal.group, signal.state)
        if not held:
            self._metrics.forget(signal.group, signal.partition)
            for reason in self._waits.pop(where, set()):
                self._metrics.set("claimstream_waiting", 0, *where, reason)

    def _store_round_trip(self, signal: StoreRoundTrip) -> None:
        self._metrics.count("claimstream_store_calls_total", signal.call, signal.outcome)
        self._metrics.observe("claimstream_store_call_seconds", signal.seconds, signal.call)

    def _child_started(self, signal: ChildStarted) -> None:
        if signal.incarnation > 1:
            self._metrics.count("claimstream_restarts_total", signal.supervisor, signal.child)

    def _child_failed(self, signal: ChildFailed | ChildFatal) -> None:
        self._metrics.count("claimstream_child_failures_total", signal.supervisor, signal.child)

    def _escalated(self, signal: Escalated) -> None:
        self._metrics.count("claimstream_escalations_total", signal.supervisor)
