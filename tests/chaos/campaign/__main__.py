"""The fault campaign: `python -m tests.chaos.campaign --seeds 0-199 --jobs 2`, or `make campaign SEEDS=200`.

Exit status: 0 PASS, 1 FAIL (with the first counterexample and the line that repeats it), 3 UNKNOWN (nothing failed, and
some fault was never exercised). With `--mutant` it is the other way round: 0 when the checker noticed it.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markdown import Markdown
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from tests.chaos.campaign import mutants
from tests.chaos.campaign.plan import HARD
from tests.chaos.campaign.running import Order, run_all
from tests.chaos.campaign.summary import as_json, exit_code, lines, summary, write_report
from tests.chaos.campaign.target import Wanted
from tests.chaos.campaign.targets import TARGETS, make

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.chaos.campaign.verdict import Verdict

REPORTS = Path(__file__).parents[1] / "reports"


def seeds_of(text: str) -> tuple[int, ...]:
    """`200` are the seeds 0 to 199; `7-9` and `3,5,8` are those."""
    if "," in text:
        return tuple(int(part) for part in text.split(","))
    first, dash, last = text.partition("-")
    return tuple(range(int(first), int(last) + 1)) if dash else tuple(range(int(text)))


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.campaign", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=seeds_of, default=None, help="200 (0 to 199), 7-9, or 3,5,8 [20]")
    parser.add_argument("--minutes", type=float, default=0.0, help="begin no seed after so many [no limit]")
    parser.add_argument("--jobs", type=int, default=2, help="seeds at a time [2]")
    parser.add_argument("--target", choices=sorted(TARGETS), default="embedded")
    parser.add_argument("--mutant", default="", help="run a broken variant: the checker has to notice it")
    parser.add_argument("--mutants", action="store_true", help="list the mutants and end")
    parser.add_argument("--json", action="store_true", help="the summary as JSON on stdout")
    parser.add_argument("--report", action="store_true", help=f"write a dated report to {REPORTS.name}/")
    found = parser.parse_args(words)
    if found.seeds is None:
        found.seeds = tuple(range(HARD, HARD + 6)) if found.mutant else seeds_of("20")
    if found.mutant and found.mutant not in mutants.names():
        parser.error(f"there is no mutant {found.mutant!r}: see --mutants")
    return found


def main(words: Sequence[str]) -> int:
    """Run what the command line says."""
    given = _options(words)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: every seed is ended before we go
    if given.mutants:
        sys.stdout.write("\n".join(mutants.names()) + "\n")
        return 0
    order = Order(seeds=given.seeds, target=given.target, jobs=given.jobs, minutes=given.minutes, mutant=given.mutant)
    began = time.monotonic()
    verdicts = _shown(order)
    without = make(given.target, Wanted(seed=0, partitions=1, fsync="no", folder=Path("/tmp"))).without
    found = summary(verdicts, time.monotonic() - began, without)
    if given.mutant:
        return _mutant_said(order, verdicts)
    if given.report:
        command = f"make campaign SEEDS={order.seeds[0]}-{order.seeds[-1]} TARGET={order.target}"
        name = f"{datetime.now(UTC):%Y-%m-%d}-{order.target}"
        write_report(found, REPORTS, name, command)
    if given.json:
        sys.stdout.write(as_json(found) + "\n")
    else:
        console = Console()
        console.print(Markdown("\n".join(lines(found))))
        console.print(f"{found.word}: {len(found.seeds)} seeds in {found.seconds / 60:.1f} minutes")
        for seed in found.failed:
            console.print(f"again: {order.command(seed)}    (kept in {order.keep}/seed-{seed})", soft_wrap=True)
    return exit_code(found.word)


def _mutant_said(order: Order, verdicts: Sequence[Verdict]) -> int:
    """Which invariant named it first, or that nobody noticed."""
    red = [one for one in verdicts if one.word == "FAIL"]
    if not red:
        sys.stdout.write(f"{order.mutant}: SURVIVED {len(verdicts)} seeds\n")
        return 1
    names = sorted({violation.invariant for one in red for violation in one.violations})
    sys.stdout.write(f"{order.mutant}: red in {', '.join(names)} (seed {red[0].seed}): {red[0].violations[0]}\n")
    return 0


def _shown(order: Order) -> list[Verdict]:
    """Run with a bar on a terminal, with a line per seed elsewhere."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]:.1f} seeds/min, {task.fields[bad]} failed"),
        TimeRemainingColumn(compact=True),
    )
    began = time.monotonic()
    done = bad = 0
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"campaign on {order.target}", total=len(order.seeds), rate=0.0, bad=0)

        def tell(verdict: Verdict) -> bool:
            nonlocal done, bad
            done, bad = done + 1, bad + (verdict.word == "FAIL")
            rate = done / (time.monotonic() - began) * 60
            bar.update(task, advance=1, rate=rate, bad=bad)
            if verdict.word == "FAIL" or not console.is_terminal:
                first = f": {verdict.violations[0]}" if verdict.violations else ""
                events = verdict.checked.get("events", 0)
                console.print(
                    f"seed {verdict.seed} {verdict.word} ({verdict.flavour}, {events} events, {verdict.seconds:.0f} s,"
                    f" {done}/{len(order.seeds)}, {rate:.1f}/min){first}"[:600],
                    soft_wrap=True, markup=False, highlight=False,
                )  # fmt: skip
            return not (order.mutant and verdict.word == "FAIL")

        return asyncio.run(run_all(order, tell))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
