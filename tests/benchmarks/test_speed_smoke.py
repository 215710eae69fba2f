"""A small form of B1, B2 and B4: nobody loses the speed unseen. Ratios only, with generous bounds.

Each bound is a third or less of what was measured under load (docs/benchmarks/NOTES.md); processor time is compared
where the wall clock would only measure who else is on the machine.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.benchmarks import corpus
from tests.benchmarks.bench_run import SCALES, BenchRun, Home
from tests.benchmarks.board import Board
from tests.benchmarks.contestants import BARE, OURS
from tests.benchmarks.rows.claims import serve_claims
from tests.benchmarks.server import bench_server
from workers.keys import CLAIM_LOG
from workers.routing import groups

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

TRIES = 2
"""A burst of somebody else's work may spoil one measurement; a loss of speed spoils all."""

LEAST_OF_BARE = 0.10
"""B2: of the processor time per event, bare over ours (0.25 when this was written)."""
MOST_OF_NOOP = 20.0
"""B4: processor time per event and group, over that of an actor that does nothing (3 to 6 when this was written)."""


@asynccontextmanager
async def small_run() -> AsyncIterator[BenchRun]:
    with Home() as folder:
        file = Path(folder) / "corpus.jsonl"
        events = corpus.write(file, 100)
        async with bench_server() as server:
            yield BenchRun(server, Board(), SCALES["tiny"], events, file)


async def test_consuming_costs_no_more_than_a_few_bare_reads() -> None:
    found: list[float] = []
    async with small_run() as bench:
        for _ in range(TRIES):
            bare = (await bench.contest(BARE)).answer["cpu_us"]
            ours = (await bench.contest(OURS)).answer["cpu_us"]
            found.append(bare / ours)
            if found[-1] >= LEAST_OF_BARE:
                return
    pytest.fail(f"an event costs {1 / max(found):.0f} times what a bare read of it costs")


async def test_an_event_is_settled_with_its_batch_and_not_alone() -> None:
    async with small_run() as bench:
        outcome = await bench.contest(OURS)
    settles = outcome.server.calls["fcall"] + outcome.server.calls["xreadgroup"]
    assert settles < outcome.count / 50, f"{settles} calls for {outcome.count} events"


async def test_all_actors_stay_within_sight_of_one_that_does_nothing() -> None:
    found: list[float] = []
    async with small_run() as bench:
        for _ in range(TRIES):
            noop = (await bench.contest(OURS)).answer["cpu_us"]
            _, outcome = await serve_claims(bench, bench.scale.claims * 2)
            # a count of settled entries over all groups, so this is per event and group
            found.append(outcome.answer["cpu_us"] / noop)
            assert outcome.count >= len(groups(simulation=False)[CLAIM_LOG]) * outcome.answer["log"]
            if found[-1] <= MOST_OF_NOOP:
                return
    pytest.fail(f"an event costs each group {min(found):.0f} times what it costs an actor that does nothing")
