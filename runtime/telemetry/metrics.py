"""Metrics of one process, in a registry of their own; nothing global, nothing at import.

The hot path is one `BatchSettled` and one `EntriesHandled` for each batch: label children are cached, so a
signal costs a few dictionary look-ups and increments.
"""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Any, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.registry import Collector

from runtime.telemetry.metric_table import METRICS, MetricSpec
from runtime.telemetry.samples import BacklogSample

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from prometheus_client.metrics_core import Metric

__all__ = ["CONTENT_TYPE", "BacklogSample", "Metrics", "position_milliseconds"]

#: The text format that `Metrics.render` writes (Prometheus exposition format 0.0.4).
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

#: Gauges of one (group, partition) that this process may no longer tell once another process serves it.
_OWNED_GAUGES = (
    "claimstream_backlog_entries",
    "claimstream_backlog_undelivered_entries",
    "claimstream_backlog_pending_entries",
    "claimstream_backlog_oldest_seconds",
    "claimstream_parked_entries",
    "claimstream_position_milliseconds",
    "claimstream_settled_entries",
)

_M = TypeVar("_M", Counter, Gauge, Histogram)


class Metrics:
    """All metrics of `metric_table`, each created once in `registry`."""

    def __init__(self, *, version: str = "0", process_figures: bool = True) -> None:
        """`version` goes to the build info; `process_figures` adds memory, CPU and files of this process."""
        self.registry = CollectorRegistry()
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._histograms: dict[str, Histogram] = {}
        self._children: dict[tuple[str, ...], Any] = {}
        for spec in METRICS:
            if spec.name != "claimstream_process_reachable":
                self._declare(spec)
        if process_figures:
            ProcessCollector(namespace="claimstream", registry=self.registry)
        self.set("claimstream_build_info", 1, version, platform.python_version())

    def _declare(self, spec: MetricSpec) -> None:
        if spec.kind == "counter":
            self._counters[spec.name] = Counter(spec.name, spec.help, spec.labels, registry=self.registry)
        elif spec.kind == "gauge":
            self._gauges[spec.name] = Gauge(spec.name, spec.help, spec.labels, registry=self.registry)
        else:
            self._histograms[spec.name] = Histogram(
                spec.name, spec.help, spec.labels, buckets=spec.buckets, registry=self.registry
            )

    def _child(self, family: Mapping[str, _M], name: str, labels: tuple[str, ...]) -> _M:
        """The child for these label values; resolved once, then one look-up."""
        key = (name, *labels)
        child = self._children.get(key)
        if child is None:
            metric = family[name]
            child = self._children[key] = metric.labels(*labels) if labels else metric
        return child

    def count(self, name: str, *labels: str, by: float = 1) -> None:
        """Add `by` to the counter `name`. KeyError when no such counter is declared."""
        self._child(self._counters, name, labels).inc(by)

    def set(self, name: str, value: float, *labels: str) -> None:
        """Set the gauge `name`. KeyError when no such gauge is declared."""
        self._child(self._gauges, name, labels).set(value)

    def observe(self, name: str, value: float, *labels: str) -> None:
        """Put `value` (seconds) into the histogram `name`. KeyError when no such histogram is declared."""
        self._child(self._histograms, name, labels).observe(value)

    def observe_loop_lag(self, seconds: float) -> None:
        """One measurement of the event loop's lag."""
        self.observe("claimstream_loop_lag_seconds", seconds)

    def observe_backlog(self, sample: BacklogSample) -> None:
        """Expose what the store's sampler found; called once per (group, partition) and sampling interval."""
        where = (sample.group, str(sample.partition))
        self.set("claimstream_backlog_entries", sample.backlog, *where)
        self.set("claimstream_backlog_undelivered_entries", sample.undelivered, *where)
        self.set("claimstream_backlog_pending_entries", sample.pending, *where)
        self.set("claimstream_backlog_oldest_seconds", sample.oldest_seconds, *where)
        self.set("claimstream_parked_entries", sample.parked, *where)
        self.set("claimstream_stream_entries", sample.stream_entries, sample.stream, where[1])
        self.set("claimstream_stream_bytes", sample.stream_bytes, sample.stream, where[1])
        if sample.settled_entries is not None:
            self.set("claimstream_settled_entries", sample.settled_entries, *where)
        self.observe_position(sample.group, sample.partition, sample.position)

    def observe_position(self, group: str, partition: int, position: str) -> None:
        """Expose the time part of a position; an unreadable or empty one changes nothing."""
        milliseconds = position_milliseconds(position)
        if milliseconds is not None:
            self.set("claimstream_position_milliseconds", milliseconds, group, str(partition))

    def forget(self, group: str, partition: int) -> None:
        """Drop the gauges of a (group, partition) that another process serves now: an old figure is a lie."""
        for name in _OWNED_GAUGES:
            if self._children.pop((name, group, str(partition)), None) is not None:
                self._gauges[name].remove(group, str(partition))

    def value(self, sample: str, **labels: str) -> float | None:
        """The value of a sample as exposed (also `_bucket`, `_count`, `_sum`); None when not there."""
        return self.registry.get_sample_value(sample, labels)

    def render(self) -> bytes:
        """All metrics as text, see `CONTENT_TYPE`."""
        return generate_latest(_WithoutCreationTimes(self.registry.collect()))


class _WithoutCreationTimes(Collector):
    """Leaves out the `_created` series: a third of the text that no dashboard of ours reads."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        for family in self._families:
            family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
            yield family


def position_milliseconds(position: str) -> int | None:
    """The time part of an entry id (`1700000000000-3` -> 1700000000000); None when it is not an entry id."""
    head = position.partition("-")[0]
    return int(head) if head.isascii() and head.isdigit() else None
