"""What the rows of one run share: server, corpus, scale, board; and how a contestant is run and measured."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from tests.benchmarks.figures import Mark, steady_rate
from tests.benchmarks.running import ENVIRONMENTS, PEER_SECONDS, WORK_SECONDS, CannotRun, Program, run
from tests.benchmarks.server import HOST, BenchServer, ServerWork, difference, fill
from workers.keys import CLAIM_LOG

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.benchmarks.board import Board
    from tests.benchmarks.contestants import Contestant
    from tests.benchmarks.corpus import Fields


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """How much of everything."""

    events: int
    claims: int
    appends: int
    latency_rate: int
    latency_seconds: int
    memory_events: int
    lengths: tuple[int, ...]
    claim_lengths: tuple[int, ...]
    shared_events: int
    replayed: int


SCALES = {
    "tiny": Scale(
        events=10_000, claims=60, appends=500, latency_rate=200, latency_seconds=2, memory_events=20_000,
        lengths=(5_000, 20_000), claim_lengths=(50, 100), shared_events=8_000, replayed=2_000,
    ),
    "small": Scale(
        events=40_000, claims=400, appends=4_000, latency_rate=1_000, latency_seconds=5, memory_events=200_000,
        lengths=(10_000, 100_000), claim_lengths=(200, 1_000), shared_events=60_000, replayed=20_000,
    ),
    "full": Scale(
        events=300_000, claims=5_000, appends=40_000, latency_rate=1_000, latency_seconds=30,
        memory_events=10_000_000, lengths=(10_000, 1_000_000, 5_000_000), claim_lengths=(2_000, 200_000),
        shared_events=200_000, replayed=1_000_000,
    ),
}  # fmt: skip
"""`full` is for a quiet machine; `tiny` shows that everything runs and measures nothing."""


class Outcome(msgspec.Struct, frozen=True):
    """One measured run of a contestant."""

    rate: float
    marks: list[Mark]
    answer: dict[str, Any]
    server: ServerWork
    count: int


class BenchRun:
    """One run of the harness."""

    def __init__(
        self, server: BenchServer, board: Board, scale: Scale, corpus: list[Fields], corpus_file: Path
    ) -> None:
        """`corpus_file` holds the corpus, for the programs."""
        self.server = server
        self.board = board
        self.scale = scale
        self.corpus = corpus
        self.corpus_file = corpus_file

    def order(self, **more: Any) -> dict[str, Any]:
        """What every program is told, and more."""
        told = {
            "host": HOST, "port": self.server.port, "corpus": str(self.corpus_file),
            "modules": str(ENVIRONMENTS / "node"), "count": 0,
        }  # fmt: skip
        return told | more

    async def contest(self, one: Contestant) -> Outcome:
        """Load and measure one contestant of row B1 on an emptied server. Raises `CannotRun`."""
        count = max(int(self.scale.events * one.share), 500)
        await self.server.empty()
        order = self.order(count=count, **one.settings)
        await run(one.program, "load", order)
        if one.filled:
            await fill(self.server, CLAIM_LOG, self.corpus, count)
        return await self.measured(one.program, order, PEER_SECONDS if one.peer else WORK_SECONDS)

    async def measured(self, program: Program, order: dict[str, Any], seconds: float = WORK_SECONDS) -> Outcome:
        """Run the `work` of a program and look what the server did meanwhile."""
        await self.server.rest()
        before = await self.server.work()
        answer = await run(program, "work", order, seconds)
        after = await self.server.work()
        marks = [(float(at), int(seen)) for at, seen in answer["marks"]]
        count = marks[-1][1] if marks else 0
        rate = steady_rate(marks) if marks else 0.0
        return Outcome(rate, marks, answer, difference(before, after), count)


class Row(Protocol):
    """One row of the issue's table."""

    @property
    def name(self) -> str:
        """As in the issue."""
        ...

    @property
    def needs(self) -> tuple[str, ...]:
        """Rows whose figures of the same round it uses."""
        ...

    @property
    def once(self) -> bool:
        """Measured in the first round only, because it takes minutes."""
        ...

    def declare(self, board: Board) -> None:
        """Name the figures and judgements."""
        ...

    async def measure(self, bench: BenchRun) -> None:
        """Measure one round; what cannot run is noted on the board."""
        ...


async def attempt(board: Board, figures: tuple[str, ...], measure: Callable[[], Awaitable[None]]) -> None:
    """Measure; a contestant that cannot run leaves its reason with its figures, and the others go on."""
    try:
        await measure()
    except (CannotRun, ValueError, KeyError) as problem:
        for figure in figures:
            board.fail(figure, f"{type(problem).__name__}: {problem}")


class Home:
    """A folder for the key vault of one application, gone afterwards."""

    def __init__(self) -> None:
        """Made at once: it is a temporary folder."""
        self._folder = tempfile.TemporaryDirectory(prefix="cs-bench-")

    def __enter__(self) -> str:
        """Its path."""
        return self._folder.name

    def __exit__(self, *_: object) -> None:
        """Remove it."""
        self._folder.cleanup()
