"""B10: a projection rebuilt from a long log, and the log verified."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.bench_run import Home, attempt
from tests.benchmarks.board import Board, Figure, Judgement
from tests.benchmarks.rows.claims import WORKER
from tests.benchmarks.running import CannotRun, ours, run
from tests.benchmarks.server import fill
from workers.keys import CLAIM_LOG

if TYPE_CHECKING:
    from tests.benchmarks.bench_run import BenchRun

VERIFYING = ours("verifying")


class Replay:
    """B10. Measured once: it takes minutes."""

    name = "B10"
    needs: tuple[str, ...] = ()
    once = True

    def declare(self, board: Board) -> None:
        """Two rates."""
        board.declare(
            Figure(id="B10 replay", row="B10", label="analytics rebuilt from the log", unit="events/s"),
            Figure(id="B10 verify", row="B10", label="verify", unit="events/s"),
        )
        board.judge(
            Judgement(row="B10", text="replay", over="B10 replay", floor=40_000, aim=100_000, unit="events/s"),
            Judgement(row="B10", text="verify", over="B10 verify", floor=40_000, aim=100_000, unit="events/s"),
        )

    async def measure(self, bench: BenchRun) -> None:
        """A group that begins at the start of a log that is full already; then the same log verified."""
        await attempt(bench.board, ("B10 replay",), lambda: _replay(bench))
        await attempt(bench.board, ("B10 verify",), lambda: _verify(bench))


async def _replay(bench: BenchRun) -> None:
    with Home() as home:
        await bench.server.empty()
        order = bench.order(home=home, claims=0, serves=("analytics",), count=0)
        await run(WORKER, "load", order)
        await fill(bench.server, CLAIM_LOG, bench.corpus, bench.scale.replayed)
        outcome = await bench.measured(WORKER, order)
    if troubles := outcome.answer["troubles"]:
        raise CannotRun(f"handlers failed or parked: {troubles}")
    bench.board.put("B10 replay", outcome.rate)


async def _verify(bench: BenchRun) -> None:
    """Over claims that were really served: their projections have to be there to be compared."""
    with Home() as home:
        await bench.server.empty()
        order = bench.order(home=home, claims=max(bench.scale.replayed // 5, 20), count=0)
        await run(WORKER, "load", order)
        await run(WORKER, "work", order)
        answer = await run(VERIFYING, "work", order)
    bench.board.put("B10 verify", answer["count"] / answer["seconds"])
