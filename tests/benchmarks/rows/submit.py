"""B5, 64 concurrent appends beside 64 concurrent bare XADDs; B8, what both cost the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.bench_run import attempt
from tests.benchmarks.board import Board, Figure, Judgement
from tests.benchmarks.contestants import BARE, OURS
from tests.benchmarks.running import ours
from workers.keys import CLAIM_LOG

if TYPE_CHECKING:
    from tests.benchmarks.bench_run import BenchRun

SUBMITTING = ours("submitting")


class Submit:
    """B5: the append path, with snapshot, history, result and timers, beside XADD alone."""

    name = "B5"
    needs: tuple[str, ...] = ("B4",)
    once = False

    def declare(self, board: Board) -> None:
        """Both rates and what each call costs the server."""
        board.declare(
            Figure(id="B5 append", row="B5", label="64 concurrent appends", unit="appends/s"),
            Figure(id="B5 xadd", row="B5", label="64 concurrent bare XADDs", unit="XADDs/s"),
            Figure(id="B8 append", row="B8", label="claimstream: append", unit="us/event", better="less"),
            Figure(id="B8 xadd", row="B8", label="bare: XADD", unit="us/event", better="less"),
            Figure(id="B8 xadd bytes", row="B8", label="bare: an entry in the log", unit="bytes", better="less"),
        )
        board.judge(Judgement(row="B5", text="of bare XADD", over="B5 append", under=("B5 xadd",), floor=0.6, aim=0.9))

    async def measure(self, bench: BenchRun) -> None:
        """Both, in an order that turns with the rounds."""
        paths = ["append", "xadd"]
        for path in paths if bench.board.round % 2 == 0 else reversed(paths):
            await attempt(bench.board, (f"B5 {path}",), lambda path=path: _submit(bench, path))  # type: ignore[misc]


async def _submit(bench: BenchRun, path: str) -> None:
    await bench.server.empty()
    order = bench.order(count=bench.scale.appends, path=path)
    outcome = await bench.measured(SUBMITTING, order)
    count = outcome.answer["count"]
    bench.board.put(f"B5 {path}", count / outcome.answer["seconds"])
    command = "fcall" if path == "append" else "xadd"
    bench.board.put(f"B8 {path}", outcome.server.cost(command) / count)
    if path == "xadd":
        weight = int(await bench.server.ask("MEMORY", "USAGE", CLAIM_LOG, "SAMPLES", 0))
        bench.board.put("B8 xadd bytes", weight / count)


class ServerCost:
    """B8: append, read and settle together over XADD, XREADGROUP and XACK."""

    name = "B8"
    needs: tuple[str, ...] = ("B1", "B2", "B5")
    once = False

    def declare(self, board: Board) -> None:
        """Two sums of what the other rows measured."""
        board.declare(
            Figure(id="B8 ours", row="B8", label="claimstream: together", unit="us/event", better="less"),
            Figure(id="B8 bare", row="B8", label="bare: together", unit="us/event", better="less"),
        )
        board.judge(
            Judgement(
                row="B8", text="server time over bare, one group", over="B8 ours", under=("B8 bare",),
                floor=2.5, aim=1.5, better="less",
            )
        )  # fmt: skip

    async def measure(self, bench: BenchRun) -> None:
        """Add up."""
        board = bench.board
        for total, parts in (
            ("B8 ours", ("B8 append", f"B8 {OURS.name} serve")),
            ("B8 bare", ("B8 xadd", f"B8 {BARE.name} serve")),
        ):
            values = [value for part in parts if (value := board.now(part)) is not None]
            if len(values) == len(parts):
                board.put(total, sum(values))
            else:
                board.fail(total, "a part of it was not measured")
