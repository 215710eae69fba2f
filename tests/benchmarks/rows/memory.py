"""B7: memory of a worker that goes on and on; the log is trimmed behind it as retention would."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.store.keys import Keyspace
from runtime.store.position import look
from tests.benchmarks.bench_run import attempt
from tests.benchmarks.board import Board, Figure, Judgement
from tests.benchmarks.contestants import OURS
from tests.benchmarks.programs.noop_worker import GROUP
from tests.benchmarks.running import run, start
from tests.benchmarks.server import fill
from workers.keys import CLAIM_LOG, claim_log

if TYPE_CHECKING:
    from tests.benchmarks.bench_run import BenchRun

AHEAD = 100_000
"""Entries that wait in the log at most."""
SLICE = 50_000


class Memory:
    """B7. Measured once: it takes minutes."""

    name = "B7"
    needs: tuple[str, ...] = ("B1",)
    once = True

    def declare(self, board: Board) -> None:
        """Its size when warm and how much it grew."""
        board.declare(
            Figure(id="B7 warm", row="B7", label="worker, after a tenth of the long run", unit="MB", better="less"),
            Figure(id="B7 end", row="B7", label="worker, at the end of the long run", unit="MB", better="less"),
            Figure(id="B7 growth", row="B7", label="growth over the long run", unit="MB", better="less"),
        )
        board.judge(
            Judgement(row="B7", text="memory of a worker", over="B7 end", floor=90, aim=60, better="less", unit="MB"),
            Judgement(
                row="B7", text="end over warm (flat)", over="B7 end", under=("B7 warm",), floor=1.05, aim=1.02,
                better="less",
            ),
        )  # fmt: skip

    async def measure(self, bench: BenchRun) -> None:
        """Feed a worker slice by slice."""
        await attempt(bench.board, ("B7 warm", "B7 end", "B7 growth"), lambda: _long_run(bench))


async def _long_run(bench: BenchRun) -> None:
    total = bench.scale.memory_events
    await bench.server.empty()
    order = bench.order(count=total)
    await run(OURS.program, "load", order)
    worker = await start(OURS.program, "work", order)
    answering = asyncio.create_task(worker.answer(3600))
    keys = Keyspace(claim_log(1))
    added, warm, last = 0, 0.0, 0.0
    try:
        while not answering.done():
            seen = await look(bench.server.client, keys, GROUP, 0)
            if added < total and added - seen.settled < AHEAD:
                count = min(SLICE, total - added)
                await fill(bench.server, CLAIM_LOG, bench.corpus, count, first=added // len(bench.corpus) + 1)
                added += count
                await bench.server.ask("XTRIM", CLAIM_LOG, "MINID", seen.position)
            last = _resident(worker.pid) or last
            if not warm and seen.settled >= total // 10:
                warm = last
            await asyncio.sleep(0.05)
        await answering
    finally:
        worker.kill()
        answering.cancel()
    bench.board.put("B7 warm", warm)
    bench.board.put("B7 end", last)
    bench.board.put("B7 growth", last - warm)


def _resident(pid: int) -> float:
    """Megabytes of a process that are in RAM now; 0 when it has ended."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    lines = [line.split()[1] for line in text.splitlines() if line.startswith("VmRSS")]
    return int(lines[0]) * 1024 / 1e6 if lines else 0.0
