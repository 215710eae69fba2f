from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.cluster.sharing import chosen, share, weight

NAMES = st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=9, unique=True)
SEATS = st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=30, unique=True)


@given(NAMES, SEATS, st.randoms(use_true_random=False))
def test_every_process_computes_the_same_answer_from_the_same_list(
    living: list[str], seats: list[str], random: object
) -> None:
    shuffled = list(living)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert [chosen(seat, living) for seat in seats] == [chosen(seat, shuffled) for seat in seats]


@given(NAMES, SEATS)
def test_every_seat_is_served_by_exactly_one_of_the_living(living: list[str], seats: list[str]) -> None:
    shares = [share(process, seats, living) for process in living]
    assert sorted(seat for one in shares for seat in one) == sorted(seats)


@given(NAMES.filter(lambda names: len(names) > 1), SEATS)
def test_when_one_leaves_only_its_seats_move(living: list[str], seats: list[str]) -> None:
    leaver, *rest = living
    for seat in seats:
        before, after = chosen(seat, living), chosen(seat, rest)
        assert before in (after, leaver)


@given(NAMES.filter(lambda names: len(names) > 1), SEATS)
def test_when_one_joins_it_takes_seats_and_no_other_seat_moves(living: list[str], seats: list[str]) -> None:
    joiner, *before = living
    for seat in seats:
        assert chosen(seat, living) in (chosen(seat, before), joiner)


def test_many_seats_are_shared_about_evenly() -> None:
    living = [f"process-{n}" for n in range(4)]
    seats = [f"log/group/{n}" for n in range(4000)]
    sizes = [len(share(process, seats, living)) for process in living]
    assert min(sizes) > 800  # 1000 each on average; the spread of a fair hash is about 27


def test_the_choice_is_the_same_in_every_version_of_the_program() -> None:
    """Two versions share during a roll-out: with another hash both would want a seat, or none."""
    assert weight("a", "g/0") == 5172913096283044288
    assert [chosen(f"log/group/{n}", ["a", "b", "c"]) for n in range(6)] == ["a", "b", "b", "b", "a", "a"]


def test_with_nobody_alive_there_is_no_answer() -> None:
    with pytest.raises(ValueError, match="nobody is alive"):
        chosen("g/0", [])
