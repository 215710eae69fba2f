"""The arithmetic of the benchmark: rates from marks, medians with their range, ratios, percentiles. Pure."""

from __future__ import annotations

import math
from statistics import median
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

Mark = tuple[float, int]
"""A moment (seconds on a monotonic clock) and how many events were done by then."""

WARM = 0.1
"""Part of a run that is not counted: imports, connections and the first caches belong to no event."""


class NotMeasured(ValueError):
    """The marks do not give a rate."""


class Spread(msgspec.Struct, frozen=True):
    """One figure of several rounds."""

    median: float
    low: float
    high: float
    rounds: int


def spread(values: Sequence[float]) -> Spread:
    """Median, least and greatest. Raises `NotMeasured` when there is no value."""
    if not values:
        raise NotMeasured("no round gave a value")
    return Spread(median(values), min(values), max(values), len(values))


def steady_rate(marks: Sequence[Mark], warm: float = WARM) -> float:
    """Events per second from the first mark at or after the warm part up to the last.

    Both ends are marks of the same kind, so what one batch takes before its mark cancels out. Raises
    `NotMeasured` when fewer than two marks are left or no time passed.
    """
    if not marks:
        raise NotMeasured("nothing was done")
    end, total = marks[-1]
    begin, before = next((mark for mark in marks if mark[1] >= total * warm), marks[-1])
    if total <= before or end <= begin:
        raise NotMeasured(f"{len(marks)} marks over {total} events are too few for a rate")
    return (total - before) / (end - begin)


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Round by round: what stood beside each other in time is compared, so that slow noise cancels out."""
    return [mine / other for mine, other in zip(ours, theirs, strict=True)]


def percentile(values: Sequence[float], part: float) -> float:
    """The nearest-rank percentile: the least value with at least `part` (0..1) of all at or below it."""
    if not values:
        raise NotMeasured("no value")
    ordered = sorted(values)
    return ordered[max(math.ceil(part * len(ordered)) - 1, 0)]


def schedule(begin: float, rate: float, count: int) -> list[float]:
    """When each event of an open loop is due: evenly spaced, whatever became of the ones before.

    A latency is counted from these moments, so an event that was sent late because the sender was held up
    counts its wait (no coordinated omission).
    """
    return [begin + place / rate for place in range(count)]
