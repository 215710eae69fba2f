"""The arithmetic of the harness, on figures that can be checked by hand."""

from __future__ import annotations

import pytest

from tests.benchmarks.board import Board, Figure, Judgement, outcome
from tests.benchmarks.figures import NotMeasured, percentile, ratios, schedule, spread, steady_rate
from tests.benchmarks.rows.growth import merged


def test_a_rate_leaves_the_warm_part_out() -> None:
    slow_start = [(0.0, 0), (10.0, 100), (11.0, 600), (12.0, 1100)]
    # 10 % of 1,100 is 110: the first mark at or after it stands at 11 s
    assert steady_rate(slow_start) == pytest.approx(500.0)


def test_a_rate_over_all_counts_from_the_first_mark() -> None:
    assert steady_rate([(1.0, 50), (2.0, 150), (3.0, 250)], warm=0.0) == pytest.approx(100.0)


@pytest.mark.parametrize("marks", [[], [(1.0, 100)], [(1.0, 100), (1.0, 200)]])
def test_marks_that_give_no_rate_are_refused(marks: list[tuple[float, int]]) -> None:
    with pytest.raises(NotMeasured):
        steady_rate(marks)


def test_a_spread_is_median_least_and_greatest() -> None:
    found = spread([5.0, 1.0, 9.0, 3.0, 4.0])
    assert (found.median, found.low, found.high, found.rounds) == (4.0, 1.0, 9.0, 5)
    with pytest.raises(NotMeasured):
        spread([])


def test_ratios_compare_round_with_round() -> None:
    assert ratios([10.0, 30.0], [5.0, 10.0]) == [2.0, 3.0]


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [float(n) for n in range(1, 101)]
    assert percentile(values, 0.5) == 50.0
    assert percentile(values, 0.99) == 99.0
    assert percentile([7.0], 0.999) == 7.0
    assert percentile(values, 0.0) == 1.0


def test_an_open_loop_is_due_whatever_happened_before() -> None:
    assert schedule(10.0, 4, 5) == [10.0, 10.25, 10.5, 10.75, 11.0]


def test_marks_of_two_processes_add_up_in_the_order_of_time() -> None:
    assert merged([[(1.0, 10), (3.0, 30)], [(2.0, 5), (4.0, 6)]]) == [(1.0, 10), (2.0, 15), (3.0, 35), (4.0, 36)]


def _board(judgement: Judgement, **rounds: list[float | None]) -> Board:
    board = Board()
    board.declare(*(Figure(id=name, row="B1", label=name, unit="x") for name in rounds))
    board.judge(judgement)
    for board.round in range(len(next(iter(rounds.values())))):
        for name, values in rounds.items():
            value = values[board.round]
            if value is not None:
                board.put(name, value)
    return board


def test_a_judgement_divides_by_the_best_of_the_others() -> None:
    one = Judgement(row="B1", text="", over="ours", under=("slow", "fast"), floor=2, aim=5)
    board = _board(one, ours=[60.0, 80.0, 90.0], slow=[1.0, 2.0, 3.0], fast=[20.0, 20.0, 30.0])
    (found,) = board.verdicts()
    assert found.against == "fast"
    assert found.value.median == 3.0
    assert found.outcome == "floor"


def test_a_round_in_which_one_side_is_missing_is_no_ratio() -> None:
    one = Judgement(row="B1", text="", over="ours", under=("theirs",), floor=2, aim=5)
    (found,) = _board(one, ours=[60.0, 80.0], theirs=[None, 10.0]).verdicts()
    assert (found.value.rounds, found.value.median) == (1, 8.0)


def test_what_was_never_measured_is_not_judged() -> None:
    one = Judgement(row="B1", text="", over="ours", under=("theirs",), floor=2, aim=5)
    assert _board(one, ours=[60.0], theirs=[None]).verdicts() == []


@pytest.mark.parametrize(
    ("value", "better", "expected"),
    [
        (30, "more", "aim"), (25, "more", "aim"), (15, "more", "floor"), (14.9, "more", "below"),
        (1.4, "less", "aim"), (2.5, "less", "floor"), (2.6, "less", "below"),
    ],
)  # fmt: skip
def test_floor_and_aim_are_reached_from_their_own_side(value: float, better: str, expected: str) -> None:
    floor, aim = (15, 25) if better == "more" else (2.5, 1.5)
    assert outcome(value, Judgement(row="", text="", over="", floor=floor, aim=aim, better=better)) == expected  # type: ignore[arg-type]
