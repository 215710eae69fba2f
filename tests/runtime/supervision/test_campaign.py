"""Everything at once, by chance: what must hold whatever happens in which order."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest

from runtime.backoff import BackoffOptions
from runtime.supervision import (
    ChildDone,
    ChildFailed,
    ChildSpec,
    ChildStarted,
    ChildStopped,
    IntensityOptions,
    Started,
    State,
    Strategy,
    Supervisor,
    SupervisorStarted,
)
from runtime.testing.failable import Failable
from runtime.testing.signal_log import SignalLog

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = "abcde"
STEPS = 150
ALIVE = {State.STARTING, State.RUNNING, State.STOPPING}


class _Campaign:
    """A supervisor, its children, and a seeded opponent."""

    def __init__(self, strategy: Strategy, seed: int) -> None:
        self.dice = random.Random(seed)
        self.log = SignalLog()
        self.journal: list[str] = []
        self.children = {name: Failable(name, journal=self.journal) for name in NAMES}
        self.removals: list[anyio.Event] = []
        self.seen_at_start: list[tuple[str, dict[str, State]]] = []
        self.supervisor = Supervisor(
            "root",
            [self._spec(child) for child in self.children.values()],
            strategy=strategy,
            intensity=IntensityOptions(limit=math.inf),
            backoff=BackoffOptions(first_seconds=0.0001, cap_seconds=0.0005),
            emit=self.log,
            random=self.dice.random,
        )

    def _spec(self, child: Failable) -> ChildSpec:
        """Its spec, with a look at what the supervisor knew when it started this child."""

        async def run(started: Started) -> None:
            states = {each.name: each.state for each in self.supervisor.children()}
            self.seen_at_start.append((child.name, states))
            await child.run(started)

        return ChildSpec(name=child.name, run=run, stop=child.stop)

    async def run(self, *moves: Callable[[Failable], None]) -> None:
        with anyio.fail_after(15):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self.supervisor.run)
                await self.log.wait_for(SupervisorStarted)
                for _ in range(STEPS):
                    self.dice.choice(moves)(self.children[self.dice.choice(NAMES)])
                    for _ in range(self.dice.randrange(6)):
                        await anyio.lowlevel.checkpoint()
                    if self.dice.random() < 0.2:
                        await anyio.sleep(0.0005)  # lets backoffs end; nothing below depends on it
                self.supervisor.stop()

    def remove(self, child: Failable) -> None:
        self.removals.append(self.supervisor.remove(child.name))

    def add(self, child: Failable) -> None:
        self.supervisor.add(self._spec(child))


def _fail(child: Failable) -> None:
    child.fail()


def _finish(child: Failable) -> None:
    child.finish()


def _cancel(child: Failable) -> None:
    if child.running:
        child.cancel_as_a_stranger()


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("strategy", list(Strategy))
async def test_whatever_happens_no_child_runs_twice_and_a_stop_ends_all(strategy: Strategy, seed: int) -> None:
    campaign = _Campaign(strategy, seed)
    await campaign.run(_fail, _finish, _cancel, campaign.remove, campaign.add)
    assert not [child.name for child in campaign.children.values() if child.running]
    assert all(gone.is_set() for gone in campaign.removals)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("strategy", [Strategy.REST_FOR_ONE, Strategy.ONE_FOR_ALL])
async def test_whatever_fails_a_child_starts_only_when_all_before_it_are_up_and_none_behind_it_is(
    strategy: Strategy, seed: int
) -> None:
    campaign = _Campaign(strategy, seed)
    await campaign.run(_fail, _finish)
    assert len(campaign.seen_at_start) > 2 * len(NAMES)
    for name, states in campaign.seen_at_start:
        before, behind = NAMES[: NAMES.index(name)], NAMES[NAMES.index(name) + 1 :]
        assert {states[each] for each in before} <= {State.RUNNING}, f"{name} started too early: {states}"
        assert not {states[each] for each in behind} & ALIVE, f"{name} started though it was needed: {states}"


@pytest.mark.parametrize("seed", range(4))
async def test_every_start_that_was_told_has_exactly_one_end_that_was_told(seed: int) -> None:
    campaign = _Campaign(Strategy.ONE_FOR_ONE, seed)
    await campaign.run(_fail, _finish, _cancel)
    for name in NAMES:
        starts = len(campaign.log.all(ChildStarted, child=name))
        ends = sum(len(campaign.log.all(kind, child=name)) for kind in (ChildFailed, ChildDone, ChildStopped))
        # One that failed before its word of being up was read has an end only, never a start only.
        assert campaign.children[name].starts == ends
        assert starts <= ends
