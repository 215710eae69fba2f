"""Metrics: what signals and samples become, as Prometheus reads it."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from runtime.signals import (
    Bus,
    EntriesHandled,
    EntryParked,
    HandlerFailed,
    LeaseChanged,
    Resynced,
    StoreRoundTrip,
)
from runtime.supervision.signals import ChildFailed, ChildFatal, ChildStarted, Escalated
from runtime.telemetry.metric_table import BY_NAME, METRICS
from runtime.telemetry.metrics import Metrics, position_milliseconds
from runtime.telemetry.metrics_subscriber import MAX_TYPES_PER_ACTOR, MetricsSubscriber
from tests.support.telemetry import sample, settled, wait_over, waits

HERE = {"group": "g", "partition": "0"}


def fed(*signals: object) -> Metrics:
    metrics, bus = Metrics(version="1.2.3"), Bus()
    bus.subscribe(MetricsSubscriber(metrics))
    for signal in signals:
        bus.emit(signal)  # type: ignore[arg-type]
    return metrics


def test_every_metric_is_declared_once_with_our_prefix_a_help_and_a_unit() -> None:
    assert len(BY_NAME) == len(METRICS)
    for spec in METRICS:
        assert spec.name.startswith("claimstream_"), spec
        assert spec.help, spec
        assert spec.unit, spec
        assert (spec.kind == "counter") == spec.name.endswith("_total"), spec
        assert (spec.kind == "histogram") == bool(spec.buckets), spec
        if spec.unit in {"seconds", "bytes", "milliseconds"}:
            assert spec.name.endswith(spec.unit), spec


def test_a_scrape_shows_exactly_the_declared_metrics_and_those_of_the_process() -> None:
    metrics = fed(settled())
    families = {family.name for family in text_string_to_metric_families(metrics.render().decode())}
    declared = {spec.name.removesuffix("_total") for spec in METRICS} - {"claimstream_process_reachable"}
    ours = {name for name in families if not name.startswith("claimstream_process_")}
    assert ours == declared
    assert "claimstream_process_resident_memory_bytes" in families


def test_the_parser_reads_back_each_value_that_was_set() -> None:
    metrics = fed(settled(entries=7))
    metrics.observe_backlog(sample(30, 12))
    read = {
        (point.name, *sorted(point.labels.items())): point.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for point in family.samples
    }
    where = (("group", "g"), ("partition", "0"))
    assert read["claimstream_backlog_entries", *where] == 42
    assert read["claimstream_batch_entries_total", ("actor", "actor-g"), ("outcome", "ok")] == 7
    assert read["claimstream_build_info", *sorted(metrics_labels(metrics).items())] == 1


def metrics_labels(metrics: Metrics) -> dict[str, str]:
    family = next(known for known in metrics.registry.collect() if known.name == "claimstream_build_info")
    assert family.samples[0].labels["version"] == "1.2.3"
    return dict(family.samples[0].labels)


def test_no_creation_times_are_exposed() -> None:
    assert b"_created" not in fed(settled()).render()


def test_backlog_is_undelivered_plus_pending_with_the_age_of_the_oldest() -> None:
    metrics = Metrics()
    metrics.observe_backlog(sample(30, 12))
    assert metrics.value("claimstream_backlog_entries", **HERE) == 42
    assert metrics.value("claimstream_backlog_undelivered_entries", **HERE) == 30
    assert metrics.value("claimstream_backlog_pending_entries", **HERE) == 12
    assert metrics.value("claimstream_backlog_oldest_seconds", **HERE) == 42.0
    assert metrics.value("claimstream_parked_entries", **HERE) == 2
    assert metrics.value("claimstream_settled_entries", **HERE) == 990
    assert metrics.value("claimstream_position_milliseconds", **HERE) == 1_700_000_000_123


def test_a_stream_that_many_groups_read_is_exposed_once() -> None:
    metrics = Metrics()
    metrics.observe_backlog(sample(group="a"))
    metrics.observe_backlog(sample(group="b"))
    assert metrics.value("claimstream_stream_entries", stream="log", partition="0") == 1000
    assert metrics.value("claimstream_stream_bytes", stream="log", partition="0") == 64_000
    assert metrics.render().count(b"claimstream_stream_bytes{") == 1


def test_batches_are_counted_by_actor_and_outcome_and_timed() -> None:
    metrics = fed(settled(), settled(), settled("fenced"))
    assert metrics.value("claimstream_batches_total", actor="actor-g", outcome="ok") == 2
    assert metrics.value("claimstream_batches_total", actor="actor-g", outcome="fenced") == 1
    assert metrics.value("claimstream_settle_outcomes_total", outcome="fenced", **HERE) == 1
    assert metrics.value("claimstream_handle_seconds_count", actor="actor-g") == 3
    assert metrics.value("claimstream_settle_seconds_sum", actor="actor-g") == pytest.approx(0.0021)


def test_a_refused_batch_does_not_move_the_position() -> None:
    metrics = fed(settled("fenced"))
    assert metrics.value("claimstream_position_milliseconds", **HERE) is None
    MetricsSubscriber(metrics)(settled("ok"))
    assert metrics.value("claimstream_position_milliseconds", **HERE) == 1_700_000_000_999


def test_events_are_counted_by_type_with_their_latency() -> None:
    metrics = fed(EntriesHandled("a", "g", 0, {"made": 3, "sent": 1}, 0.04))
    assert metrics.value("claimstream_events_total", actor="a", type="made") == 3
    assert metrics.value("claimstream_end_to_end_seconds_bucket", actor="a", le="0.05") == 1
    assert metrics.value("claimstream_end_to_end_seconds_bucket", actor="a", le="0.025") == 0


def test_a_producer_that_invents_types_cannot_fill_the_memory() -> None:
    invented = {f"type-{number}": 1 for number in range(MAX_TYPES_PER_ACTOR + 50)}
    metrics = fed(EntriesHandled("a", "g", 0, invented, 0.0))
    assert metrics.value("claimstream_events_total", actor="a", type="other") == 50
    assert metrics.render().count(b"claimstream_events_total{") == MAX_TYPES_PER_ACTOR + 1


def test_a_wait_shows_while_it_lasts() -> None:
    metrics = fed(waits("halted"))
    assert metrics.value("claimstream_waiting", reason="halted", **HERE) == 1
    MetricsSubscriber(metrics)(wait_over("halted"))
    assert metrics.value("claimstream_waiting", reason="halted", **HERE) == 0


def test_a_lost_lease_takes_the_figures_of_its_partition_along() -> None:
    metrics = Metrics()
    tell = MetricsSubscriber(metrics)
    tell(LeaseChanged("g", 0, "taken"))
    tell(waits("store_away"))
    metrics.observe_backlog(sample(5))
    metrics.observe_backlog(sample(6, group="other"))
    assert metrics.value("claimstream_lease_held", **HERE) == 1
    tell(LeaseChanged("g", 0, "lost"))
    assert metrics.value("claimstream_lease_held", **HERE) == 0
    assert metrics.value("claimstream_backlog_entries", **HERE) is None
    assert metrics.value("claimstream_waiting", reason="store_away", **HERE) == 0
    assert metrics.value("claimstream_backlog_entries", group="other", partition="0") == 6
    metrics.observe_backlog(sample(7))
    assert metrics.value("claimstream_backlog_entries", **HERE) == 7


def test_parking_failures_resyncs_and_store_calls_are_counted() -> None:
    metrics = fed(
        EntryParked("a", "g", 0, "1-1", "unreadable: text from outside", False),
        EntryParked("a", "g", 0, "1-2", "held", True),
        HandlerFailed("a", "g", 0, 10, 1, 3, "boom"),
        Resynced("a", "g", 0, "takeover", "12-0"),
        StoreRoundTrip("settle", "error", 0.2),
    )
    assert metrics.value("claimstream_entries_parked_total", actor="a", held="false") == 1
    assert metrics.value("claimstream_entries_parked_total", actor="a", held="true") == 1
    assert metrics.value("claimstream_handler_failures_total", actor="a") == 1
    assert metrics.value("claimstream_resyncs_total", reason="takeover", **HERE) == 1
    assert metrics.value("claimstream_store_calls_total", call="settle", outcome="error") == 1
    assert b"text from outside" not in metrics.render()


def test_a_first_start_is_no_restart() -> None:
    child = {"supervisor": "host", "child": "reader"}
    metrics = fed(
        ChildStarted("host", "reader", 1, 0.1),
        ChildFailed("host", "reader", 1, "boom", True, True),
        ChildStarted("host", "reader", 2, 0.1),
        ChildFatal("host", "reader", 2, "wrong"),
        Escalated("host", "reader", "boom", 5.0, 4.0),
    )
    assert metrics.value("claimstream_restarts_total", **child) == 1
    assert metrics.value("claimstream_child_failures_total", **child) == 2
    assert metrics.value("claimstream_escalations_total", supervisor="host") == 1


def test_two_registries_in_one_process_know_nothing_of_each_other() -> None:
    first, second = fed(settled()), fed()
    assert first.value("claimstream_batches_total", actor="actor-g", outcome="ok") == 1
    assert second.value("claimstream_batches_total", actor="actor-g", outcome="ok") is None


def test_loop_lag_is_a_histogram() -> None:
    metrics = Metrics()
    metrics.observe_loop_lag(0.3)
    assert metrics.value("claimstream_loop_lag_seconds_bucket", le="0.25") == 0
    assert metrics.value("claimstream_loop_lag_seconds_bucket", le="0.5") == 1


@pytest.mark.parametrize(("position", "expected"), [("12-3", 12), ("", None), ("x-1", None), ("0-0", 0)])
def test_the_time_part_of_a_position_is_read_or_left(position: str, expected: int | None) -> None:
    assert position_milliseconds(position) == expected
