"""Every failpoint of the source x every way to fail there: real processes on a real store, started again, checked.

The count of points and outcomes is printed; a point in the source at which nothing happened is a failure.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from runtime.failpoints import Action
from tests.chaos.crash_points.house import House, nursery
from tests.chaos.crash_points.orders import THINGS
from tests.chaos.crash_points.source import points_in_source
from tests.chaos.crash_points.things_house import ThingsHouse
from tests.support.hosts import outside

if TYPE_CHECKING:
    from pathlib import Path

    from runtime.store.clients import StoreAddress

pytestmark = pytest.mark.permanent_keys("*")

OF_CLAIMS = ("pay",)
"""Rooms that only the whole application has."""

ORDINARY = (Action.EXIT, Action.RAISE)
ALL = tuple(Action)


def points(*, claims: bool) -> list[str]:
    """The points of one kind of house, those that end the process last."""
    found = [one for one in points_in_source() if (one.partition(".")[0] in OF_CLAIMS) == claims]
    return sorted(found, key=lambda one: (one.startswith(("alone", "leave", "drain")), one))


def test_every_point_has_a_literal_name_at_one_place() -> None:
    found = points_in_source()
    odd = {name: files for name, files in found.items() if not re.fullmatch(r"[a-z]+\.[a-z]+", name) or len(files) > 1}
    assert not odd, f"a search of the source must find each step, once: {odd}"
    assert len(found) > 30


async def strike_all(house: ThingsHouse, actions: tuple[Action, ...]) -> Counter[tuple[str, Action]]:
    """Everything that can happen at every point."""
    done: Counter[tuple[str, Action]] = Counter()
    for point in points(claims=False):
        for action in actions:
            await house.strike(point, action)
            done[point, action] += 1
    return done


@pytest.mark.timeout(300)
@pytest.mark.parametrize("actions", [ORDINARY, pytest.param(ALL, marks=pytest.mark.chaos)], ids=["ordinary", "all"])
async def test_a_process_that_fails_at_any_step_loses_nothing_and_does_nothing_twice(
    store_address: StoreAddress, tmp_path: Path, actions: tuple[Action, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    async with nursery() as nurses, outside(store_address) as client:
        house = ThingsHouse(House(nurses, THINGS, store_address.url, tmp_path), client)
        done = await strike_all(house, actions)
        await house.verdict()
        await house.house.end()
    missed = {(point, action) for point in points(claims=False) for action in actions} - set(done)
    assert not missed, f"points of the source at which nothing happened: {sorted(missed)}"
    with capsys.disabled():
        print(f"\ncrash points: {len(points(claims=False))} points x {len(actions)} = {sum(done.values())} outcomes")  # noqa: T201
