"""`make bench`: claimstream beside the frameworks that people would pick instead; ratios, with their conditions.

Run: `python -m tests.benchmarks.bench [--rows B1,B2] [--rounds 5] [--scale small|full] [--fsync everysec] [--out DIR]`.
Every contestant runs in every round, one after the other on the same server, so that noise meets all of them.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks import conditions as under
from tests.benchmarks import corpus
from tests.benchmarks.bench_run import SCALES, BenchRun, Row, Scale
from tests.benchmarks.board import Board
from tests.benchmarks.contestants import BATCH
from tests.benchmarks.report import table, write
from tests.benchmarks.rows.claims import AllActors, Processor
from tests.benchmarks.rows.consume import Ceiling, Consume
from tests.benchmarks.rows.growth import Growth
from tests.benchmarks.rows.latency import Latency
from tests.benchmarks.rows.memory import Memory
from tests.benchmarks.rows.replay import Replay
from tests.benchmarks.rows.submit import ServerCost, Submit
from tests.benchmarks.running import ENVIRONMENTS, ROOT
from tests.benchmarks.server import BenchServer, bench_server

if TYPE_CHECKING:
    from collections.abc import Sequence

CORPUS_CLAIMS = 300


def all_rows(scale: Scale) -> dict[str, Row]:
    """Every row, in the order in which a round measures them."""
    rows: tuple[Row, ...] = (
        Consume(), Ceiling(), Processor(), AllActors(), Submit(), Latency(), ServerCost(), Memory(), Growth(scale),
        Replay(scale),
    )  # fmt: skip
    return {row.name: row for row in rows}


def chosen(rows: dict[str, Row], names: Sequence[str]) -> list[Row]:
    """These rows and those that they need, in their order. ValueError: there is no such row."""
    if unknown := [name for name in names if name not in rows]:
        raise ValueError(f"there is no row {unknown[0]!r}; there are: {', '.join(rows)}")
    wanted: set[str] = set()
    waiting = list(names or rows)
    while waiting:
        name = waiting.pop()
        if name not in wanted:
            wanted.add(name)
            waiting += rows[name].needs
    return [row for name, row in rows.items() if name in wanted]


async def bench(names: Sequence[str], rounds: int, scale_name: str, fsync: str, out: Path) -> Board:
    """Measure and write; the board."""
    load = under.load_average()
    scale = SCALES[scale_name]
    rows = chosen(all_rows(scale), names)
    board = Board()
    for row in rows:
        row.declare(board)
    with tempfile.TemporaryDirectory(prefix="cs-corpus-") as folder:
        file = Path(folder) / "corpus.jsonl"
        events = corpus.write(file, CORPUS_CLAIMS)
        board.note(f"{len(events):,} different events, {corpus.size(events):,.0f} bytes each in the mean")
        async with bench_server(fsync) as server:
            _say(f"load average {load[0]:.2f}; server {server.version}; rows {', '.join(row.name for row in rows)}")
            run = BenchRun(server, board, scale, events, file)
            for board.round in range(rounds):
                for row in rows:
                    if board.round == 0 or not row.once:
                        _say(f"round {board.round + 1} of {rounds}: {row.name}")
                        await row.measure(run)
            found = _conditions(server, load, scale_name, rounds, fsync)
    _say("")
    _say(table(board, found))
    for path in write(board, found, out):
        _say(f"written: {path}")
    return board


def _conditions(
    server: BenchServer, load: tuple[float, float, float], scale: str, rounds: int, fsync: str
) -> under.Conditions:
    processor, memory = under.machine()
    packages = under.our_packages()
    for environment, names in (
        ("peers", ("faststream", "taskiq", "taskiq-redis", "pydocket", "streaq")),
        ("saq", ("saq",)),
        ("arq", ("arq",)),
    ):
        packages |= under.peer_packages(ENVIRONMENTS / environment / "bin" / "python", names)
    return under.Conditions(
        started=datetime.now(UTC).isoformat(timespec="minutes"),
        cores=os.cpu_count() or 0,
        processor=processor,
        memory_gib=memory,
        load_average=load,
        python=platform.python_version(),
        packages=packages,
        node=under.node_version(),
        server=server.version,
        appendfsync=fsync,
        transport="TCP on the loopback, the same for all",
        batch=BATCH,
        scale=scale,
        rounds=rounds,
        revision=under.revision(ROOT),
    )


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201  # a program of the command line


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; the exit code. A missed floor is a finding and no error: it stands in the table."""
    parser = argparse.ArgumentParser(prog="bench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", default="", help="B1,B2 ... (default: all)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", choices=sorted(SCALES), default="small")
    parser.add_argument("--fsync", choices=("everysec", "always", "no"), default="everysec")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks")
    given = parser.parse_args(arguments)
    names = [name.strip() for name in given.rows.split(",") if name.strip()]
    try:
        asyncio.run(bench(names, given.rounds, given.scale, given.fsync, given.out))
    except ValueError as problem:
        sys.stderr.write(f"bench: {problem}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
