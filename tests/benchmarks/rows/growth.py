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
from tests.benchmarks.figures import WARM, Mark, NotMeasured, steady_rate
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
"""Events at the end of the log over which the rate with all actors is taken."""
WINDOW = 9_000
"""Events at the end of the log over which the rate of B1 is taken, the same for every length: a run of 0.1 s and one of
3 s differ in more than the length of the log."""
REPEATS = 15
"""Such windows of one log, whose rates are joined; the group begins anew before each."""
PARTITIONS = 8
BUSY_TURNS = {"light": 4_000, "heavy": 16_000}
"""Turns of an empty loop per entry: some 50 and 200 microseconds. Two workers and the server share the cores, so on two
of them only the heavy handler is the bottleneck."""
BALANCED = 0.5
"""Part of a run with several processes until the seats are shared out (leases move within seconds)."""


MOST_SECONDS = 1800.0
"""For a verification of a million events."""


class Growth:
    """B9. The served claims are measured in the first round only: they take many minutes."""

    name = "B9"
    needs: tuple[str, ...] = ()
    once = False

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
        for busy, partitions, processes in SHARES:
            board.declare(
                Figure(
                    id=_shared(busy, partitions, processes), row="B9",
                    label=f"{busy} handler, {partitions} partitions, {processes} processes", unit="events/s",
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
            *(
                Judgement(
                    row="B9", text=f"2 processes over 1, {busy} handler", over=_shared(busy, PARTITIONS, 2),
                    under=(_shared(busy, PARTITIONS, 1),), floor=1.6, aim=1.8,
                )
                for busy in BUSY_TURNS
            ),
        )  # fmt: skip

    async def measure(self, bench: BenchRun) -> None:
        """Every length, then every share."""
        board = bench.board
        for length in self._lengths:
            await attempt(board, (f"B9 log {length}",), lambda length=length: _length(bench, length))  # type: ignore[misc]
        for busy, partitions, processes in SHARES:
            await attempt(
                board,
                (_shared(busy, partitions, processes),),
                lambda share=(busy, partitions, processes): _share(bench, *share),  # type: ignore[misc]
            )
        for claims in self._claims if board.round == 0 else ():
            figures = (f"B9 claims {claims}", verify_of(claims))
            await attempt(board, figures, lambda claims=claims: _claims(bench, claims))  # type: ignore[misc]


def verify_of(claims: int) -> str:
    """The figure of the verification of so many claims."""
    return f"B10 verify {claims}"


SHARES = tuple((busy, *share) for busy in BUSY_TURNS for share in ((1, 1), (PARTITIONS, 1), (PARTITIONS, 2)))
"""Handler, partitions, processes."""


def _shared(busy: str, partitions: int, processes: int) -> str:
    return f"B9 {busy} {partitions} partitions {processes} processes"


async def _length(bench: BenchRun, length: int) -> None:
    """The rate at the end of a log of this length: a group that has settled all before it serves what is left."""
    tail = min(10_000, length)
    await bench.server.empty()
    order = bench.order(count=tail)
    await run(OURS.program, "load", order)
    await fill(bench.server, CLAIM_LOG, bench.corpus, length - tail)
    begin = (await bench.server.ask("XREVRANGE", CLAIM_LOG, "+", "-", "COUNT", 1) or [[b"0-0"]])[0][0]
    await fill(bench.server, CLAIM_LOG, bench.corpus, tail, first=length // len(bench.corpus) + 1)
    spent, done = 0.0, 0
    for _ in range(REPEATS):
        await _stand(bench, begin, length - tail)
        marks = (await bench.measured(OURS.program, order)).marks
        (began, before), (end, total) = window(marks, WINDOW)
        spent, done = spent + end - began, done + total - before
    bench.board.put(f"B9 log {length}", done / spent)


async def _stand(bench: BenchRun, position: bytes, settled: int) -> None:
    """Let the group stand there, as if it had served all before: by hand, since no function sets a position back."""
    keys = Keyspace(claim_log(1))
    await bench.server.ask("XGROUP", "DESTROY", keys.log(), GROUP)
    await bench.server.ask("XGROUP", "CREATE", keys.log(), GROUP, position, "ENTRIESREAD", settled)
    await bench.server.ask("HSET", keys.position(GROUP), "id", position, "settled", settled, "token", "")


def window(marks: Sequence[Mark], events: int) -> tuple[Mark, Mark]:
    """The first mark with at most so many events behind it, and the last. Raises `NotMeasured` where they are one."""
    end = marks[-1] if marks else (0.0, 0)
    begin = next((mark for mark in marks if end[1] - mark[1] <= events), end)
    if begin[1] == end[1] or begin[0] >= end[0]:
        raise NotMeasured(f"{len(marks)} marks are too few for a window of {events} events")
    return begin, end


async def _claims(bench: BenchRun, claims: int) -> None:
    """Serve so many claims; then, while their projections are there, verify them."""
    with Home() as home:
        _, outcome = await served(bench, home, claims)
        share = max(WARM, 1 - TAIL / max(outcome.count, 1))
        rate = steady_rate(outcome.marks, share)
        bench.board.put(f"B9 claims {claims}", rate * int(outcome.answer["log"]) / outcome.count)
        answer = await run(VERIFYING, "work", bench.order(home=home, count=0), MOST_SECONDS)
        bench.board.put(verify_of(claims), answer["count"] / answer["seconds"])


async def _share(bench: BenchRun, busy: str, partitions: int, processes: int) -> None:
    turns = BUSY_TURNS[busy]
    count = bench.scale.shared_events * BUSY_TURNS["light"] // turns  # about as many seconds for each handler
    await bench.server.empty()
    order = bench.order(count=count, partitions=partitions, rounds=turns, until_told=True)
    await run(OURS.program, "load", order)
    keys = Keyspace(claim_log(partitions))
    streams = [keys.log(number) for number in range(partitions)]
    await fill_partitions(bench.server, streams, keys.partition_of, bench.corpus, count)
    await bench.server.rest()
    workers = [await start(OURS.program, "work", order) for _ in range(processes)]
    try:
        await _until_settled(bench, keys, partitions, count)
        answers = [await worker.answer(60, told=True) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    marks = merged([_marks(answer) for answer in answers])
    bench.board.put(_shared(busy, partitions, processes), steady_rate(marks, BALANCED))


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
