"""Every failpoint of the source x every way to fail there: real processes on a real store, started again, checked.

The count of points and outcomes is printed; a point in the source at which nothing happened is a failure.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Protocol

import pytest

from runtime.failpoints import Action
from tests.chaos.crash_points.claims_house import ClaimsHouse
from tests.chaos.crash_points.house import House, nursery
from tests.chaos.crash_points.orders import CLAIMS, THINGS, bank_settings
from tests.chaos.crash_points.source import points_in_source
from tests.chaos.crash_points.things_house import ThingsHouse
from tests.support.hosts import outside
from tests.support.notices import owned_threads
from tests.support.small_cluster import small_application
from tests.support.windows import window
from workers.stub_bank.server import serving_bank

if TYPE_CHECKING:
    from pathlib import Path

    from runtime.store.clients import StoreAddress

pytestmark = pytest.mark.permanent_keys("*")

OF_CLAIMS = ("pay",)
"""Rooms of the source's points that need claims and a bank; all others are struck with generic actors."""

ACTIONS = [
    pytest.param((Action.EXIT, Action.RAISE), id="ordinary"),
    pytest.param(tuple(Action), id="all", marks=pytest.mark.chaos),
]


class Striking(Protocol):
    """A house of either kind."""

    house: House

    async def strike(self, point: str, action: Action) -> None:
        """Let it happen there, start again what died, finish, check. Fails when nothing happens."""
        ...

    async def verdict(self) -> None:
        """What has to hold in the end."""
        ...


def points(*, of_claims: bool) -> list[str]:
    """The points of one kind of house, those that end the process last."""
    found = [one for one in points_in_source() if (one.partition(".")[0] in OF_CLAIMS) == of_claims]
    return sorted(found, key=lambda one: (one.startswith(("alone", "leave", "drain")), one))


def test_every_point_has_a_literal_name_at_one_place() -> None:
    found = points_in_source()
    odd = {name: files for name, files in found.items() if not re.fullmatch(r"[a-z]+\.[a-z]+", name) or len(files) > 1}
    assert not odd, f"a search of the source must find each step, once: {odd}"
    assert len(found) > 30


async def strike_all(house: Striking, found: list[str], actions: tuple[Action, ...]) -> int:
    """Everything that can happen at every point; how much that was."""
    for point in found:
        for action in actions:
            await house.strike(point, action)
    await house.verdict()
    await house.house.end()
    return len(found) * len(actions)


def tell(what: str, found: list[str], outcomes: int, house: House, capsys: pytest.CaptureFixture[str]) -> None:
    """Print what was done, into any run's output."""
    deaths = Counter(house.deaths)
    with capsys.disabled():
        print(  # noqa: T201  # the count is what the run is for
            f"\ncrash points of {what}: {len(found)} points, {outcomes} outcomes, processes by exit code {dict(deaths)}"
        )


@window("W1", "W8", "W14", "W15", "W18", "W39", "W45")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("actions", ACTIONS)
async def test_a_process_that_fails_at_any_step_loses_nothing_and_does_nothing_twice(
    store_address: StoreAddress, tmp_path: Path, actions: tuple[Action, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    found = points(of_claims=False)
    async with nursery() as nurses, outside(store_address) as client:
        house = ThingsHouse(House(nurses, THINGS, store_address.url, tmp_path), client)
        outcomes = await strike_all(house, found, actions)
    tell("the runtime", found, outcomes, house.house, capsys)


@window("W35")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("actions", ACTIONS)
async def test_a_process_that_fails_at_any_step_of_paying_pays_each_claim_once(
    store_address: StoreAddress, tmp_path: Path, actions: tuple[Action, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """W35: also between the mark and the call, and between the call and its outcome."""
    found = points(of_claims=True)
    async with (
        owned_threads(),
        nursery() as nurses,
        serving_bank() as (url, bank),
        small_application(store_address, tmp_path, simulation=False, more=bank_settings(url)) as app,
    ):
        house = ClaimsHouse(House(nurses, CLAIMS, store_address.url, tmp_path, url), app, bank)
        outcomes = await strike_all(house, found, actions)
    tell("paying", found, outcomes, house.house, capsys)
