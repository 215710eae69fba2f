"""What a partition of the master costs: appends that were answered and are gone afterwards, by level of confirmation.

`python -m tests.chaos.topologies.loss_window --rounds 5` cuts the master of a watched pair off from its replica and
the sentinels while a producer goes on with it, lets the replica take over, joins them again, and looks which of the
answered appends the new master has. It writes `tests/chaos/reports/<date>-loss-window.md`.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from runtime.embedded.locate import locate
from runtime.errors import Halted, StoreUnavailable
from runtime.store.append import Appended
from tests.chaos.topologies.at_work import Work, at_work
from tests.chaos.topologies.sentinels import DOWN_AFTER_MS, WatchedPair, watched_pair
from tests.support.things import facts

REPORTS = Path(__file__).parents[1] / "reports"

BEFORE_SECONDS = 1.0
"""The producer is at work for so long before the cut."""

AFTER_SECONDS = 1.0
"""So long both masters stand side by side before the parts are joined again."""


class Level(NamedTuple):
    """A deployment: what an append waits for, and what a lonely master may still take."""

    name: str
    confirm_replicas: int
    min_replicas: int


LEVELS = (
    Level("unconfirmed", 0, 0),
    Level("unconfirmed, min-replicas-to-write 1, max-lag 1", 0, 1),
    Level("confirmed by a replica (WAIT 1)", 1, 0),
)


class Round(NamedTuple):
    """Answered appends, those of them that are gone, and the seconds from the cut to the last one that is gone."""

    answered: int
    lost: int
    window: float


class Producer:
    """Appends one fact after the other, each once, and notes when each was answered."""

    def __init__(self, work: Work) -> None:
        self.answered: dict[str, float] = {}
        self._work = work
        self._stop = False

    async def run(self) -> None:
        """Until it is told to stop, or the partition is halted. An unknown outcome is not asked for again."""
        number = 0
        while not self._stop:
            name = f"T{number}"
            number += 1
            try:
                answer = await self._work.appender.append(facts(name, 0, 1, command=name))
            except StoreUnavailable:
                await asyncio.sleep(0.01)
                continue
            except Halted:
                return
            assert isinstance(answer, Appended)
            self.answered[f"{name}-1"] = time.monotonic()
            await asyncio.sleep(0.001)

    def stop(self) -> None:
        """The append at hand is the last one."""
        self._stop = True


async def one_round(level: Level) -> Round:
    """Cut, take over, join, count."""
    with tempfile.TemporaryDirectory(prefix="cs-loss-") as folder:
        async with watched_pair(Path(folder), fsync="always", min_replicas=level.min_replicas, maximum_lag=1) as pair:
            async with at_work(
                pair.url, partitions=1, producing=False, confirm_replicas=level.confirm_replicas
            ) as work:
                return await _cut(pair, work)


async def _cut(pair: WatchedPair, work: Work) -> Round:
    producer = Producer(work)
    producing = asyncio.create_task(producer.run())
    await asyncio.sleep(BEFORE_SECONDS)
    old = await pair.primary()
    cut = time.monotonic()
    await pair.cut_off(old)
    new = await pair.promoted(old)
    await asyncio.sleep(AFTER_SECONDS)
    await pair.join(old)
    await pair.whole()
    producer.stop()
    await asyncio.wait({producing}, timeout=20.0)
    producing.cancel()
    await asyncio.wait({producing})
    there = set()
    with suppress(StoreUnavailable):
        rows = await new.run("XRANGE", work.keys.log(0), "-", "+")
        there = {row[1][1].decode() for row in rows}
    assert there, "the new master has a log"
    gone = [at for name, at in producer.answered.items() if name not in there]
    return Round(len(producer.answered), len(gone), max((at - cut for at in gone), default=0.0))


def report(found: dict[str, list[Round]]) -> str:
    """The table, with its conditions."""
    binary = locate()
    rows = [
        "# What a partition of the master costs",
        "",
        "A master is cut off from its replica and the sentinels and goes on answering the producer that is with it.",
        f"The replica takes over, both stand side by side for {AFTER_SECONDS:g} s, then",
        "they are joined and a sentinel makes a replica of the old one. *gone*: appends that were answered and are not",
        "in the log of the new master. *window*: seconds from the cut to the last answer that is gone. Nothing but",
        "`min-replicas-to-write` bounds it; without, the old master answers until it is found.",
        "",
        f"Conditions: {binary.name} {binary.version}, 1 primary, 1 replica, 3 sentinels, appendfsync always.",
        f"Down-after {DOWN_AFTER_MS} ms, one producer. Repeat with `python -m tests.chaos.topologies.loss_window`.",
        "",
        "| confirmed by | rounds | answered | gone | window, median s | window, greatest s |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, rounds in found.items():
        windows = [one.window for one in rounds]
        rows.append(
            f"| {name} | {len(rounds)} | {sum(one.answered for one in rounds):,} | {sum(one.lost for one in rounds):,}"
            f" | {statistics.median(windows):.2f} | {max(windows):.2f} |"
        )
    return "\n".join(rows) + "\n"


async def measured(rounds: int) -> dict[str, list[Round]]:
    """Every level in turn, so often."""
    found: dict[str, list[Round]] = {level.name: [] for level in LEVELS}
    for number in range(rounds):
        for level in LEVELS:
            one = await one_round(level)
            found[level.name].append(one)
            sys.stderr.write(f"round {number + 1}/{rounds}, {level.name}: {one.lost} of {one.answered} gone\n")
    return found


def main() -> int:
    """Measure, write, and fail when an append that a replica confirmed is gone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    found = asyncio.run(measured(given.rounds))
    text = report(found)
    (REPORTS / f"{datetime.now(UTC):%Y-%m-%d}-loss-window.md").write_text(text)
    sys.stdout.write(text)
    return 1 if any(one.lost for one in found[LEVELS[-1].name]) else 0


if __name__ == "__main__":
    sys.exit(main())
