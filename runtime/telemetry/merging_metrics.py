"""Metrics of several processes -> one text that Prometheus parses. Pure.

Each family appears once, each sample gets the label `process`.
Concatenating the texts would repeat HELP and TYPE of a family, which parsers refuse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from runtime.telemetry.metric_table import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from prometheus_client.samples import Sample

REACHABLE = BY_NAME["claimstream_process_reachable"]


def merge_metrics(texts: Mapping[str, str], away: Sequence[str] = ()) -> bytes:
    """Merge `texts` (process -> exposition text, format 0.0.4); `away` names processes that did not answer.

    A text that cannot be parsed counts as away. In a rolling upgrade a family may have changed its type: the
    first process decides, samples of another type are left out.
    """
    merged: dict[str, Metric] = {}
    reachable: dict[str, int] = dict.fromkeys(away, 0)
    for process, text in texts.items():
        try:
            families = list(text_string_to_metric_families(text))
        except ValueError:
            reachable[process] = 0
            continue
        reachable[process] = 1
        for family in families:
            _add(merged, family, process)
    merged[REACHABLE.name] = _reachable(reachable)
    return generate_latest(_Families(merged.values()))


def _add(merged: dict[str, Metric], family: Metric, process: str) -> None:
    known = merged.get(family.name)
    if known is None:
        known = merged[family.name] = Metric(family.name, family.documentation, family.type)
    if known.type == family.type:
        known.samples += [_labelled(sample, process) for sample in family.samples]


def _labelled(sample: Sample, process: str) -> Sample:
    return sample._replace(labels={**sample.labels, "process": process})


def _reachable(processes: Mapping[str, int]) -> Metric:
    family = Metric(REACHABLE.name, REACHABLE.help, "gauge")
    for process, value in sorted(processes.items()):
        family.add_sample(REACHABLE.name, {"process": process}, value)
    return family


class _Families(Collector):
    """What `generate_latest` wants to collect from."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families
