"""B3, B4 and the import of B5: the real actors over real claims."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.benchmarks.bench_run import Home, attempt
from tests.benchmarks.board import Board, Figure, Judgement
from tests.benchmarks.contestants import OURS
from tests.benchmarks.rows.consume import rate_of
from tests.benchmarks.running import CannotRun, ours, run
from workers.keys import CLAIM_LOG

if TYPE_CHECKING:
    from tests.benchmarks.bench_run import BenchRun, Outcome

WORKER = ours("claims_worker")
PARTITIONS = 8


async def serve_claims(
    bench: BenchRun, claims: int, serves: tuple[str, ...] = (), **more: Any
) -> tuple[dict[str, Any], Outcome]:
    """Import so many claims on an emptied server, then serve them to their rest; what both said."""
    with Home() as home:
        return await served(bench, home, claims, serves, **more)


async def served(
    bench: BenchRun, home: str, claims: int, serves: tuple[str, ...] = (), **more: Any
) -> tuple[dict[str, Any], Outcome]:
    """The same with the key vault in a folder of the caller, so that what was served can be read afterwards."""
    await bench.server.empty()
    order = bench.order(home=home, claims=claims, serves=serves, count=0, **more)
    imported = await run(WORKER, "load", order)
    outcome = await bench.measured(WORKER, order)
    if troubles := outcome.answer["troubles"]:
        raise CannotRun(f"handlers failed or parked: {troubles}")
    return imported, outcome


def claim_events(outcome: Outcome) -> float:
    """Events of the claim log per second, each handled by every group; what groups of other logs did is in the time.

    The rate counts what all groups settled, from a tenth of it to the last: scaled so that the whole of it is the log.
    """
    return outcome.rate * int(outcome.answer["log"]) / outcome.count


class Processor:
    """B3: the claims processor with all its rules."""

    name = "B3"
    needs: tuple[str, ...] = ("B1",)
    once = False

    def declare(self, board: Board) -> None:
        """As a part of the actor that does nothing."""
        board.declare(
            Figure(id="B3", row="B3", label="claims processor, full rules", unit="events/s"),
            Figure(id="B3 cpu", row="B3", label="its processor time", unit="us/event", better="less"),
        )
        board.judge(
            Judgement(row="B3", text="of B1", over="B3", under=(rate_of(OURS),), floor=0.25, aim=0.5),
            Judgement(
                row="B3", text="processor time per event, over that of B1", over="B3 cpu",
                under=(f"B1 {OURS.name} cpu",), floor=4, aim=2, better="less",
            ),
        )  # fmt: skip

    async def measure(self, bench: BenchRun) -> None:
        """Serve an imported portfolio with this one actor."""

        async def once() -> None:
            _, outcome = await serve_claims(bench, bench.scale.claims * 2, ("claims-processor",))
            bench.board.put("B3", outcome.rate)
            bench.board.put("B3 cpu", outcome.answer["cpu_us"])

        await attempt(bench.board, ("B3", "B3 cpu"), once)


class AllActors:
    """B4 and the import of B5: everything in one process; and what a claim weighs in all."""

    name = "B4"
    needs: tuple[str, ...] = ()
    once = False

    def declare(self, board: Board) -> None:
        """Events through every group, claims in, bytes of it all."""
        board.declare(
            Figure(id="B4", row="B4", label="all actors in one process, each event by each group", unit="events/s"),
            Figure(id="B4 parts", row="B4", label=f"the same over {PARTITIONS} partitions", unit="events/s"),
            Figure(id="B5 import", row="B5", label="import of a file", unit="claims/s"),
            Figure(id="B8 event bytes", row="B8", label="an event in the log", unit="bytes", better="less"),
            Figure(id="B8 claim bytes", row="B8", label="a claim in all", unit="bytes", better="less"),
        )
        board.judge(
            Judgement(row="B4", text="end to end", over="B4", floor=4_000, aim=10_000, unit="events/s"),
            Judgement(
                row="B4",
                text=f"end to end, {PARTITIONS} partitions",
                over="B4 parts",
                floor=4_000,
                aim=10_000,
                unit="events/s",
            ),
            Judgement(row="B5", text="import", over="B5 import", floor=10_000, aim=10_000, unit="claims/s"),
        )

    async def measure(self, bench: BenchRun) -> None:
        """Import, serve until all rest, weigh."""

        async def parted() -> None:
            _, outcome = await serve_claims(bench, bench.scale.claims, partitions=PARTITIONS)
            bench.board.put("B4 parts", claim_events(outcome))

        async def once() -> None:
            await bench.server.empty()
            empty = await bench.server.used_memory()
            imported, outcome = await serve_claims(bench, bench.scale.claims)
            log = int(outcome.answer["log"])
            bench.board.put("B4", claim_events(outcome))
            bench.board.put("B5 import", imported["claims"] / imported["seconds"])
            weight = int(await bench.server.ask("MEMORY", "USAGE", CLAIM_LOG, "SAMPLES", 0))
            bench.board.put("B8 event bytes", weight / log)
            used = await bench.server.used_memory() - empty
            bench.board.put("B8 claim bytes", used / imported["claims"])

        await attempt(bench.board, ("B4", "B5 import", "B8 event bytes", "B8 claim bytes"), once)
        await attempt(bench.board, ("B4 parts",), parted)
