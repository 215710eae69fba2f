"""B9: the same work with a longer log, more partitions, more processes. The served logs are verified too (B10)."""

from __future__ import annotations

import asyncio
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from runtime.store.keys import Keyspace
from runtime.store.position import look
from tests.benchmarks.bench_run import Home, attempt
from tests.benchmarks.board import Board, Figure, Judgement
from tests.benchmarks.contestants import OURS
from tests.benchmarks.figures import WARM, Mark, steady_rate
from tests.benchmarks.programs.noop_worker import GROUP
from tests.benchmarks.rows.claims import served
from tests.benchmarks.running import ours, run, start
from tests.benchmarks.server import fill, fill_partitions
from workers.keys import CLAIM_LOG, claim_log

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.bench_run import BenchRun, Scale

VERIFYING = ours("verifying")
TAIL = 200_000
"""Events at the end of the log over which its rate is taken."""
PARTITIONS = 8
BUSY_ROUNDS = 4_000
"""Turns of an empty loop per entry: some 80 microseconds, so that the handler is the bottleneck."""
BALANCED = 0.5
"""Part of a run with several processes until the seats are shared out (leases move within seconds)."""


MOST_SECONDS = 1800.0
"""For a verification of a million events."""


class Growth:
    """B9. Measured once: it takes minutes."""

    name = "B9"
    needs: tuple[str, ...] = ()
    once = True

    def __init__(self, scale: Scale) -> None:
        """The lengths are those of the scale."""
        self._lengths = scale.lengths
        self._claims = scale.claim_lengths

    def declare(self, board: Board) -> None:
        """Rates at each length, and with 1 and 2 processes."""
        for length in self._lengths:
            board.declare(Figure(id=f"B9 log {length}", row="B9", label=f"B1 at {length:,} events", unit="events/s"))
        for claims in self._claims:
            label = f"B4 with {claims:,} claims in the log"
            board.declare(Figure(id=f"B9 claims {claims}", row="B9", label=label, unit="events/s"))
            label = f"verify of {claims:,} claims that were served"
            board.declare(Figure(id=verify_of(claims), row="B10", label=label, unit="events/s"))
        for partitions, processes in ((1, 1), (PARTITIONS, 1), (PARTITIONS, 2)):
            board.declare(
                Figure(
                    id=_shared(partitions, processes), row="B9",
                    label=f"busy handler, {partitions} partitions, {processes} processes", unit="events/s",
                )
            )  # fmt: skip
        least, most = f"B9 log {self._lengths[0]}", f"B9 log {self._lengths[-1]}"
        board.judge(
            Judgement(
                row="B9", text="longest log over shortest (flat)", over=most, under=(least,), floor=0.9, aim=0.97
            ),
            Judgement(
                row="B9", text="B4, most claims over fewest (flat)", over=f"B9 claims {self._claims[-1]}",
                under=(f"B9 claims {self._claims[0]}",), floor=0.9, aim=0.97,
            ),
            Judgement(
                row="B9", text="2 processes over 1", over=_shared(PARTITIONS, 2), under=(_shared(PARTITIONS, 1),),
                floor=1.6, aim=1.8,
            ),
        )  # fmt: skip

    async def measure(self, bench: BenchRun) -> None:
        """Every length, then every share."""
        board = bench.board
        for length in self._lengths:
            await attempt(board, (f"B9 log {length}",), lambda length=length: _length(bench, length))  # type: ignore[misc]
        for claims in self._claims:
            figures = (f"B9 claims {claims}", verify_of(claims))
            await attempt(board, figures, lambda claims=claims: _claims(bench, claims))  # type: ignore[misc]
        for partitions, processes in ((1, 1), (PARTITIONS, 1), (PARTITIONS, 2)):
            await attempt(
                board,
                (_shared(partitions, processes),),
                lambda partitions=partitions, processes=processes: _share(bench, partitions, processes),  # type: ignore[misc]
            )


def verify_of(claims: int) -> str:
    """The figure of the verification of so many claims."""
    return f"B10 verify {claims}"


def _shared(partitions: int, processes: int) -> str:
    return f"B9 {partitions} partitions {processes} processes"


async def _length(bench: BenchRun, length: int) -> None:
    await bench.server.empty()
    order = bench.order(count=length)
    await run(OURS.program, "load", order)
    await fill(bench.server, CLAIM_LOG, bench.corpus, length)
    outcome = await bench.measured(OURS.program, order)
    bench.board.put(f"B9 log {length}", steady_rate(outcome.marks, max(WARM, 1 - TAIL / length)))


async def _claims(bench: BenchRun, claims: int) -> None:
    """Serve so many claims; then, while their projections are there, verify them."""
    with Home() as home:
        _, outcome = await served(bench, home, claims)
        share = max(WARM, 1 - TAIL / max(outcome.count, 1))
        rate = steady_rate(outcome.marks, share)
        bench.board.put(f"B9 claims {claims}", rate * int(outcome.answer["log"]) / outcome.count)
        answer = await run(VERIFYING, "work", bench.order(home=home, count=0), MOST_SECONDS)
        bench.board.put(verify_of(claims), answer["count"] / answer["seconds"])


async def _share(bench: BenchRun, partitions: int, processes: int) -> None:
    count = bench.scale.shared_events
    await bench.server.empty()
    order = bench.order(count=count, partitions=partitions, rounds=BUSY_ROUNDS, until_told=True)
    await run(OURS.program, "load", order)
    keys = Keyspace(claim_log(partitions))
    streams = [keys.log(number) for number in range(partitions)]
    await fill_partitions(bench.server, streams, keys.partition_of, bench.corpus, count)
    workers = [await start(OURS.program, "work", order) for _ in range(processes)]
    try:
        await _until_settled(bench, keys, partitions, count)
        answers = [await worker.answer(60, told=True) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    marks = merged([_marks(answer) for answer in answers])
    bench.board.put(_shared(partitions, processes), steady_rate(marks, BALANCED))


async def _until_settled(bench: BenchRun, keys: Keyspace, partitions: int, count: int) -> None:
    async with asyncio.timeout(900):
        while True:
            looks = [await look(bench.server.client, keys, GROUP, number) for number in range(partitions)]
            if sum(one.settled for one in looks) >= count:
                return
            await asyncio.sleep(0.2)


def _marks(answer: dict[str, Any]) -> list[Mark]:
    return [(float(at), int(seen)) for at, seen in answer["marks"]]


def merged(runs: Sequence[Sequence[Mark]]) -> list[Mark]:
    """The marks of several processes as those of one: what each added, in the order of time."""
    added = sorted(
        (at, seen - before)
        for marks in runs
        for (at, seen), before in zip(marks, [0, *(one[1] for one in marks)], strict=False)
    )
    return list(zip((at for at, _ in added), accumulate(more for _, more in added), strict=True))
