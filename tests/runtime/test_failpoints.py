"""Failpoints: inert unless armed, once at the wanted visit, each action as it says; refused where work is real."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

import pytest

from config.fields import SettingsError
from config.loading import load
from runtime import failpoints
from runtime.failpoints import VARIABLE, Action, FailpointReached, Plan, armed, parse
from tests.support.store import command
from tests.support.waiting import until
from tests.support.windows import window

if TYPE_CHECKING:
    from pathlib import Path

    from redis.asyncio import Redis

POINTS = 20_000
DEAREST_NS = 5_000
"""Nanoseconds that a point may cost at most: 50 times what it costs (0.1 us), for a machine that does other work."""


async def test_a_point_that_nobody_armed_costs_next_to_nothing() -> None:
    costs = []
    for _ in range(5):  # the cheapest round: the others may have waited for a core
        started = time.perf_counter()
        for _ in range(POINTS // 5):
            await failpoints.reach("room.step")
            failpoints.hit("room.step")
        costs.append((time.perf_counter() - started) / (POINTS // 5) * 1e9)
    assert min(costs) < DEAREST_NS


async def test_a_point_acts_once_at_the_wanted_visit_and_counts_all_of_them() -> None:
    with armed("room.step=raise@2") as watch:
        await failpoints.reach("room.step")
        with pytest.raises(FailpointReached, match=r"room\.step"):
            await failpoints.reach("room.step")
        await failpoints.reach("room.step")
        failpoints.hit("room.other")
    assert watch.reached == {"room.step": 3, "room.other": 1}
    assert watch.acted == [Plan("room.step", Action.RAISE, 2)]
    await failpoints.reach("room.step")
    assert watch.reached["room.step"] == 3


async def test_a_task_that_is_cancelled_at_a_point_ends_as_cancelled() -> None:
    with armed("room.step=cancel,thread.step=cancel"):
        task = asyncio.create_task(failpoints.reach("room.step"))
        await asyncio.wait({task})
        assert task.cancelled()
        with pytest.raises(asyncio.CancelledError):
            failpoints.hit("thread.step")


async def test_who_hangs_at_a_point_ends_when_it_is_cancelled_and_a_thread_when_the_test_is_over() -> None:
    with armed("room.step=hang,thread.step=hang") as watch:
        task = asyncio.create_task(failpoints.reach("room.step"))
        thread = threading.Thread(target=failpoints.hit, args=("thread.step",))
        thread.start()
        await until(lambda: len(watch.acted) == 2, what="both hang")
        assert not task.done()
        assert thread.is_alive()
        task.cancel()
        await asyncio.wait({task})
    thread.join(5.0)
    assert not thread.is_alive()


@window("W1", "W15")
async def test_a_call_that_is_on_its_way_at_a_point_was_made_and_its_answer_is_lost(commands: Redis) -> None:
    """W1, W15: nobody knows the outcome, and the connection is good for nothing any more."""
    with armed("call.sent=raise@2"):
        assert await failpoints.sent("call.sent", command(commands, "INCR", "n")) == 1
        with pytest.raises(FailpointReached):
            await failpoints.sent("call.sent", command(commands, "INCR", "n"))

    async def done() -> bool:
        return bool(await command(commands, "GET", "n") == b"2")

    await until(done, what="the call was made all the same")
    await command(commands, "DEL", "n")


def test_the_environment_arms_a_child_and_is_cleared(tmp_path: Path) -> None:
    report = tmp_path / "report"
    environment = {VARIABLE: "room.step=raise", failpoints.REPORT_VARIABLE: str(report), "HOME": "/"}
    try:
        failpoints.arm_from_environment(environment)
        assert environment == {"HOME": "/"}
        with pytest.raises(FailpointReached):
            failpoints.hit("room.step")
    finally:
        failpoints.disarm()
    assert report.read_text() == "reached room.step\nacted room.step raise\n"


def test_the_installed_program_refuses_to_start_with_armed_points() -> None:
    with pytest.raises(SettingsError, match=VARIABLE):
        load("local", environment={VARIABLE: "settle.before=exit"})


@pytest.mark.parametrize("text", ["settle", "settle.before", "settle.before=die", "settle.before=exit@0", "a.b=exit;c"])
def test_what_cannot_be_armed_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected point=action@nth, with action one of exit, raise, hang, cancel"):
        parse(text)
