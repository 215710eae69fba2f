"""B1 and B2: consume, decode, settle with a handler that does nothing, beside the peers and the bare client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.bench_run import attempt
from tests.benchmarks.board import Board, Figure, Judgement
from tests.benchmarks.contestants import BARE, OURS, PEERS

if TYPE_CHECKING:
    from tests.benchmarks.bench_run import BenchRun
    from tests.benchmarks.contestants import Contestant

SERVE_COMMANDS = ("fcall", "xreadgroup", "xack")


def rate_of(one: Contestant) -> str:
    """The figure of its events per second."""
    return f"B1 {one.name}"


def _also(one: Contestant) -> tuple[tuple[str, Figure], ...]:
    """What is noted beside the rate."""
    return (
        ("cpu", Figure(id=f"B1 {one.name} cpu", row="B1 cpu", label=one.label, unit="us/event", better="less")),
        ("rss", Figure(id=f"B7 {one.name} rss", row="B7", label=one.label, unit="MB", better="less")),
        ("server", Figure(id=f"B8 {one.name} server", row="B8 cpu", label=one.label, unit="us/event", better="less")),
    )


class _Consumers:
    needs: tuple[str, ...] = ()
    once = False
    contestants: tuple[Contestant, ...] = ()

    def declare(self, board: Board) -> None:
        """A rate for each, and its memory and processor time."""
        for one in self.contestants:
            unit = "events/s"
            board.declare(Figure(id=rate_of(one), row="B2" if one is BARE else "B1", label=one.label, unit=unit))
            board.declare(*(figure for _, figure in _also(one)))

    async def measure(self, bench: BenchRun) -> None:
        """One after the other, in an order that turns with the rounds: nobody always runs first."""
        turn = bench.board.round % len(self.contestants)
        for one in (*self.contestants[turn:], *self.contestants[:turn]):
            await attempt(bench.board, (rate_of(one),), lambda one=one: _measure(bench, one))  # type: ignore[misc]


async def _measure(bench: BenchRun, one: Contestant) -> None:
    outcome = await bench.contest(one)
    board = bench.board
    board.put(rate_of(one), outcome.rate)
    board.put(f"B1 {one.name} cpu", outcome.answer["cpu_us"])
    board.put(f"B7 {one.name} rss", outcome.answer["rss_end_kib"] * 1024 / 1e6)
    board.put(f"B8 {one.name} server", outcome.server.cpu_seconds * 1e6 / outcome.count)
    if one in (OURS, BARE):
        board.put(f"B8 {one.name} serve", outcome.server.cost(*SERVE_COMMANDS) / outcome.count)


class Consume(_Consumers):
    """B1: ours beside the peers."""

    name = "B1"
    contestants = (OURS, *PEERS)

    def declare(self, board: Board) -> None:
        """Ours over the best Python peer; and over those that answer for each message, as ours does."""
        super().declare(board)
        _declare_serve(board, OURS)
        python = [one for one in PEERS if one.name != "bullmq"]
        each = [one for one in python if not one.group_of_entries]
        board.judge(
            Judgement(
                row="B1", text="over the best Python peer", over=rate_of(OURS),
                under=tuple(map(rate_of, python)), floor=15, aim=25,
            ),
            Judgement(
                row="B1", text="over the best Python peer with one call per message", over=rate_of(OURS),
                under=tuple(map(rate_of, each)), floor=15, aim=25,
            ),
        )  # fmt: skip


class Ceiling(_Consumers):
    """B2: the bare client."""

    name = "B2"
    needs = ("B1",)
    contestants = (BARE,)

    def declare(self, board: Board) -> None:
        """Ours as a part of what the bare client does."""
        super().declare(board)
        _declare_serve(board, BARE)
        board.judge(
            Judgement(
                row="B2", text="of the bare loop", over=rate_of(OURS), under=(rate_of(BARE),), floor=0.35, aim=0.6
            )
        )


def _declare_serve(board: Board, one: Contestant) -> None:
    board.declare(
        Figure(
            id=f"B8 {one.name} serve", row="B8", label=f"{one.name}: read and settle", unit="us/event", better="less"
        )
    )
