"""B6: from when an event was due to when its effect can be seen, at a fixed rate (open loop), beside FastStream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.bench_run import attempt
from tests.benchmarks.board import Board, Figure, Judgement
from tests.benchmarks.figures import percentile
from tests.benchmarks.running import CannotRun, Program, ours, peer, run, start

if TYPE_CHECKING:
    from tests.benchmarks.bench_run import BenchRun

SIDES = {"claimstream": ours("latency"), "faststream": peer("peers", "faststream_latency")}
PARTS = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
WARM_SECONDS = 1


class Latency:
    """B6."""

    name = "B6"
    needs: tuple[str, ...] = ()
    once = False

    def declare(self, board: Board) -> None:
        """Three percentiles of each side."""
        for side in SIDES:
            board.declare(
                *(
                    Figure(id=f"B6 {side} {part}", row="B6", label=f"{side}, {part}", unit="ms", better="less")
                    for part in PARTS
                )
            )
        mine, theirs = "B6 claimstream", "B6 faststream"
        board.judge(
            Judgement(row="B6", text="p50", over=f"{mine} p50", floor=2, aim=2, better="less", unit="ms"),
            Judgement(row="B6", text="p99", over=f"{mine} p99", floor=15, aim=5, better="less", unit="ms"),
            Judgement(
                row="B6", text="p50 over FastStream's", over=f"{mine} p50", under=(f"{theirs} p50",), floor=1, aim=1,
                better="less",
            ),
            Judgement(
                row="B6", text="p99 over FastStream's", over=f"{mine} p99", under=(f"{theirs} p99",), floor=1, aim=1,
                better="less",
            ),
        )  # fmt: skip

    async def measure(self, bench: BenchRun) -> None:
        """Both sides, in an order that turns with the rounds."""
        sides = list(SIDES)
        for side in sides if bench.board.round % 2 == 0 else reversed(sides):
            figures = tuple(f"B6 {side} {part}" for part in PARTS)
            await attempt(bench.board, figures, lambda side=side: _measure(bench, side))  # type: ignore[misc]


async def _measure(bench: BenchRun, side: str) -> None:
    scale = bench.scale
    rate, seconds = scale.latency_rate, scale.latency_seconds + WARM_SECONDS
    latencies = await _latencies(bench, SIDES[side], rate, rate * seconds)
    counted = latencies[rate * WARM_SECONDS :]
    for part, share in PARTS.items():
        bench.board.put(f"B6 {side} {part}", percentile(counted, share) * 1000)


async def _latencies(bench: BenchRun, program: Program, rate: int, count: int) -> list[float]:
    """Seconds of each event, in the order in which their effects came."""
    await bench.server.empty()
    order = bench.order(rate=rate, count=count)
    await run(program, "load", order)
    worker = await start(program, "work", order)
    try:
        await run(program, "send", order)
        answer = await worker.answer(60)
    finally:
        worker.kill()
    if len(answer["latencies"]) < count:
        raise CannotRun(f"{len(answer['latencies'])} of {count} events were seen")
    return [float(one) for one in answer["latencies"]]
