"""Every metric of claimstream, declared once: name, kind, unit, help, labels.

Names are those that a query uses. Dashboards, alert rules and documents are tested against this table.
Labels are bounded: actors, groups, partitions, closed lists of outcomes; never the id of an entry or entity.
"""

from __future__ import annotations

from typing import Literal

import msgspec

#: Seconds. Handling and settling take 0.5 ms to a few seconds; an embedded store answers in less than 1 ms.
CALL_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
#: Seconds. From append to applied: milliseconds when all is well, minutes after an outage.
LATENCY_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1800.0)
#: Seconds. Above 0.1 s something blocks the loop; the watchdog acts after several seconds.
LAG_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class MetricSpec(msgspec.Struct, frozen=True):
    """One metric as it is exposed; `buckets` (upper bounds, in `unit`) only for histograms."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


def _counter(name: str, unit: str, text: str, *labels: str) -> MetricSpec:
    return MetricSpec(name, "counter", unit, text, labels)


def _gauge(name: str, unit: str, text: str, *labels: str) -> MetricSpec:
    return MetricSpec(name, "gauge", unit, text, labels)


def _histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> MetricSpec:
    return MetricSpec(name, "histogram", "seconds", text, labels, buckets)


METRICS: tuple[MetricSpec, ...] = (
    # the flow
    _counter("claimstream_events_total", "events", "Entries whose effects are applied.", "actor", "type"),
    _counter("claimstream_batches_total", "batches", "Batches by the answer of settle.", "actor", "outcome"),
    _counter(
        "claimstream_batch_entries_total",
        "entries",
        "Entries in batches, by the answer of settle.",
        "actor",
        "outcome",
    ),
    _histogram("claimstream_handle_seconds", "Time in handlers, per batch.", CALL_BUCKETS, "actor"),
    _histogram("claimstream_settle_seconds", "Time of the settle call, per batch.", CALL_BUCKETS, "actor"),
    _histogram(
        "claimstream_end_to_end_seconds",
        "From append to applied effects: the oldest entry of each batch.",
        LATENCY_BUCKETS,
        "actor",
    ),
    _counter("claimstream_settle_outcomes_total", "answers", "Answers of settle.", "group", "partition", "outcome"),
    _counter("claimstream_handler_failures_total", "failures", "Handlers that raised.", "actor"),
    _counter(
        "claimstream_entries_parked_total",
        "entries",
        "Entries parked; held=true when only because an earlier one of the same entity is parked.",
        "actor",
        "held",
    ),
    _counter(
        "claimstream_entries_forged_total",
        "entries",
        "Entries that look like facts and that append did not write.",
        "actor",
    ),
    _counter(
        "claimstream_resyncs_total",
        "resyncs",
        "Groups put back to their position.",
        "group",
        "partition",
        "reason",
    ),
    # the state of each (group, partition), from the store's sampler
    _gauge(
        "claimstream_backlog_entries",
        "entries",
        "Entries not settled: undelivered + pending.",
        "group",
        "partition",
    ),
    _gauge(
        "claimstream_backlog_undelivered_entries",
        "entries",
        "Entries not handed to the group.",
        "group",
        "partition",
    ),
    _gauge(
        "claimstream_backlog_pending_entries",
        "entries",
        "Entries handed over, not settled.",
        "group",
        "partition",
    ),
    _gauge(
        "claimstream_backlog_oldest_seconds",
        "seconds",
        "Age of the oldest entry not settled.",
        "group",
        "partition",
    ),
    _gauge("claimstream_parked_entries", "entries", "Entries that wait in parking.", "group", "partition"),
    _gauge(
        "claimstream_position_milliseconds",
        "milliseconds",
        "Position: the time part of the last applied entry's id, Unix time.",
        "group",
        "partition",
    ),
    _gauge(
        "claimstream_settled_entries",
        "entries",
        "Position as a count of settled entries.",
        "group",
        "partition",
    ),
    _gauge("claimstream_stream_entries", "entries", "Length of the stream.", "stream", "partition"),
    _gauge("claimstream_stream_bytes", "bytes", "Memory of the stream in the store.", "stream", "partition"),
    _gauge("claimstream_waiting", "flag", "1 while a runner waits on purpose.", "group", "partition", "reason"),
    # leases and the store
    _gauge("claimstream_lease_held", "flag", "1 while this process holds the lease.", "group", "partition"),
    _counter("claimstream_lease_changes_total", "changes", "Leases taken, lost, released.", "group", "state"),
    _counter("claimstream_store_calls_total", "calls", "Round trips to the store.", "call", "outcome"),
    _gauge("claimstream_store_reachable", "flag", "1 while the store answers the sampler of this process."),
    _gauge("claimstream_store_refusals", "refusals", "Entries of the store's ACL LOG, with repetitions.", "reason"),
    _histogram("claimstream_store_call_seconds", "Time of a round trip to the store.", CALL_BUCKETS, "call"),
    # supervision and the process
    _counter(
        "claimstream_child_failures_total",
        "failures",
        "Supervised children that failed.",
        "supervisor",
        "child",
    ),
    _counter(
        "claimstream_restarts_total",
        "restarts",
        "Supervised children that came up again.",
        "supervisor",
        "child",
    ),
    _counter("claimstream_escalations_total", "escalations", "Supervisors that gave up.", "supervisor"),
    _histogram("claimstream_loop_lag_seconds", "How late the event loop woke up.", LAG_BUCKETS),
    _gauge("claimstream_build_info", "flag", "Always 1; the labels tell the version.", "version", "python"),
    # exposed by the one endpoint of a fleet only
    _gauge("claimstream_process_reachable", "flag", "1 when the worker process answered this request."),
)

BY_NAME: dict[str, MetricSpec] = {spec.name: spec for spec in METRICS}
