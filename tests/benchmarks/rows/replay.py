"""B10: a projection rebuilt from a long log. Served logs are verified where they are served (B9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.bench_run import Home, attempt
from tests.benchmarks.board import Board, Figure, Judgement
from tests.benchmarks.rows.claims import WORKER
from tests.benchmarks.rows.growth import verify_of
from tests.benchmarks.running import CannotRun, ours, run
from tests.benchmarks.server import fill
from workers.keys import CLAIM_LOG

if TYPE_CHECKING:
    from tests.benchmarks.bench_run import BenchRun, Scale


REPLAYING = ours("replaying")


class Replay:
    """B10. Measured once: it takes minutes."""

    name = "B10"
    needs: tuple[str, ...] = ("B9",)
    once = True

    def __init__(self, scale: Scale) -> None:
        """The longest log of the scale is the one whose verification is judged."""
        self._claims = scale.claim_lengths[-1]

    def declare(self, board: Board) -> None:
        """The rate of the rebuilding, that of the live group before it, and two judgements."""
        board.declare(
            Figure(
                id="B10 replay", row="B10", label="analytics rebuilt from the log, compared, swapped", unit="events/s"
            ),
            Figure(id="B10 live", row="B10", label="analytics as a group that begins at the start", unit="events/s"),
        )
        board.judge(
            Judgement(row="B10", text="replay", over="B10 replay", floor=40_000, aim=100_000, unit="events/s"),
            Judgement(
                row="B10", text="verify", over=verify_of(self._claims), floor=40_000, aim=100_000, unit="events/s"
            ),
        )

    async def measure(self, bench: BenchRun) -> None:
        """The live group first: a replay goes up to where it stands, and is compared with what it made."""
        await attempt(bench.board, ("B10 live", "B10 replay"), lambda: _replay(bench))


async def _replay(bench: BenchRun) -> None:
    with Home() as home:
        await bench.server.empty()
        order = bench.order(home=home, claims=0, serves=("analytics",), count=0)
        await run(WORKER, "load", order)
        await fill(bench.server, CLAIM_LOG, bench.corpus, bench.scale.replayed)
        live = await bench.measured(WORKER, order)
        if troubles := live.answer["troubles"]:
            raise CannotRun(f"handlers failed or parked: {troubles}")
        bench.board.put("B10 live", live.rate)
        answer = await run(REPLAYING, "work", order)
    if (answer["count"], answer["differences"], answer["swapped"]) != (bench.scale.replayed, 0, True):
        raise CannotRun(f"the replay of {bench.scale.replayed:,} events is not that of the live group: {answer}")
    bench.board.put("B10 replay", answer["count"] / answer["seconds"])
