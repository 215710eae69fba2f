from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.supervision.intensity import (
    Intensity,
    IntensityOptions,
    check_reachable,
    steady_level,
)

OPTIONS = IntensityOptions(limit=5.0, half_life_seconds=30.0)


def _after(*moments: float) -> Intensity:
    intensity = Intensity()
    for moment in moments:
        intensity = intensity.after_failure(OPTIONS, moment)
    return intensity


def test_each_failure_counts_one() -> None:
    assert _after(100.0, 100.0, 100.0).level == 3.0


@pytest.mark.parametrize(("seconds", "level"), [(0, 4.0), (30, 2.0), (60, 1.0), (300, 4.0 / 1024)])
def test_the_intensity_halves_with_each_half_life(seconds: float, level: float) -> None:
    assert _after(7.0, 7.0, 7.0, 7.0).level_at(OPTIONS, 7.0 + seconds) == pytest.approx(level)


def test_a_burst_above_the_limit_is_exceeded_and_the_same_number_spread_out_is_not() -> None:
    assert _after(0, 0, 0, 0, 0, 0).exceeds(OPTIONS)
    assert not _after(*range(0, 600, 30)).exceeds(OPTIONS)


def test_exactly_the_limit_is_still_allowed() -> None:
    assert not _after(0, 0, 0, 0, 0).exceeds(OPTIONS)


def test_a_clock_that_steps_back_decays_nothing_and_raises_nothing() -> None:
    assert _after(100.0, 100.0).level_at(OPTIONS, 50.0) == 2.0


@given(interval=st.floats(0.1, 1000))
def test_a_steady_rate_settles_where_the_formula_says(interval: float) -> None:
    intensity = _after(*(number * interval for number in range(5000)))
    assert intensity.level == pytest.approx(steady_level(OPTIONS, interval), rel=1e-3)


def test_a_limit_that_a_hopeless_child_would_never_exceed_is_refused() -> None:
    with pytest.raises(ValueError, match="never exceeds the limit"):
        check_reachable(OPTIONS, longest_delay=60.0)
    check_reachable(OPTIONS, longest_delay=10.0)
    check_reachable(IntensityOptions(limit=math.inf), longest_delay=3600.0)


@pytest.mark.parametrize("wrong", [{"limit": 0.5}, {"limit": math.nan}, {"half_life_seconds": 0.0}])
def test_options_that_never_or_always_escalate_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="intensity"):
        IntensityOptions(**wrong)
