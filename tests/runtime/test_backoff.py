from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.backoff import BackoffOptions, ceiling, delay

OPTIONS = BackoffOptions(first_seconds=0.5, factor=2.0, cap_seconds=4.0)


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 0.5), (2, 1.0), (3, 2.0), (4, 4.0), (5, 4.0), (100, 4.0)])
def test_the_ceiling_doubles_from_the_first_delay_up_to_the_cap(attempt: int, seconds: float) -> None:
    assert ceiling(OPTIONS, attempt) == pytest.approx(seconds)


@pytest.mark.parametrize(("random", "seconds"), [(0.0, 0.0), (0.25, 0.5), (0.5, 1.0)])
def test_the_delay_is_the_drawn_part_of_the_ceiling(random: float, seconds: float) -> None:
    assert delay(OPTIONS, 3, random) == pytest.approx(seconds)


@given(attempt=st.integers(1, 10**9), random=st.floats(0, 1))
def test_no_delay_exceeds_the_cap_however_long_it_has_been_failing(attempt: int, random: float) -> None:
    assert 0 <= delay(OPTIONS, attempt, random) <= OPTIONS.cap_seconds


@given(attempt=st.integers(1, 100))
def test_a_factor_of_one_never_grows(attempt: int) -> None:
    constant = BackoffOptions(first_seconds=1.0, factor=1.0, cap_seconds=5.0)
    assert ceiling(constant, attempt) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"first_seconds": 0.0},
        {"first_seconds": -1.0},
        {"first_seconds": 20.0, "cap_seconds": 10.0},
        {"cap_seconds": math.inf},
        {"factor": 0.5},
    ],
)
def test_options_that_cannot_mean_a_delay_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="backoff"):
        BackoffOptions(**wrong)


def test_attempts_count_failed_tries_from_one() -> None:
    with pytest.raises(ValueError, match="from 1"):
        ceiling(OPTIONS, 0)
