"""Seeds as processes, a few at a time: each in a folder of its own, with a deadline, judged where it ran."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tests.chaos.campaign import mutants
from tests.chaos.campaign.verdict import Verdict, Violation
from tests.support.source_tree import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SEED_SECONDS = 240.0
"""Until a seed is ended from outside; one takes some twelve seconds."""

KEPT = ROOT / ".campaign" / "failed"
"""Where history, dump and logs of a seed that failed are kept; ignored by git."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be run."""

    seeds: tuple[int, ...]
    target: str = "embedded"
    jobs: int = 2
    minutes: float = 0.0
    """No seed begins after so many; 0: all are run."""
    mutant: str = ""
    keep: Path = KEPT

    def command(self, seed: int) -> str:
        """The one line that repeats a seed."""
        words = f"{Path(sys.executable).name} -m tests.chaos.campaign --seeds {seed}-{seed}"
        words += f" --target {self.target}" if self.target != "embedded" else ""
        return words + (f" --mutant '{self.mutant}'" if self.mutant else "")


async def run_all(order: Order, tell: Callable[[Verdict], bool]) -> list[Verdict]:
    """Run the seeds; `tell` gets each verdict as it comes, and says whether to go on."""
    loop = asyncio.get_running_loop()
    until = loop.time() + order.minutes * 60 if order.minutes else float("inf")
    waiting = list(reversed(order.seeds))
    found: list[Verdict] = []
    prefix = _namespace()

    async def work() -> None:
        while waiting and loop.time() < until:
            seed = waiting.pop()
            verdict = await _run(order, seed, prefix)
            found.append(verdict)
            if not tell(verdict):
                waiting.clear()

    await asyncio.gather(*(work() for _ in range(order.jobs)))
    return sorted(found, key=lambda one: one.seed)


def _namespace() -> list[str]:
    """A mount namespace for each seed, where we may: what it mounts ends with it, whatever happens to it."""
    words = ["unshare", "--mount", "--propagation", "private"]
    with suppress(OSError):
        if subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0:
            return words
    return []


async def _run(order: Order, seed: int, prefix: Iterable[str]) -> Verdict:
    folder = Path(tempfile.mkdtemp(prefix="cc-", dir="/tmp"))  # short: a socket's path ends at 107 bytes
    env = dict(os.environ) | ({mutants.VARIABLE: order.mutant} if order.mutant else {})
    with (folder / "run.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *prefix, sys.executable, "-m", "tests.chaos.campaign.seed_run", str(folder), order.target, str(seed),
            cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        try:
            await asyncio.wait_for(process.wait(), SEED_SECONDS)
            verdict = _verdict(folder, seed)
        except TimeoutError:
            verdict = Verdict(seed, "FAIL", [Violation("run", f"it did not end within {SEED_SECONDS:g} s")], {})
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    if verdict.word == "FAIL" and not order.mutant:
        await asyncio.to_thread(_keep, order, seed, folder)
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    return verdict


def _verdict(folder: Path, seed: int) -> Verdict:
    path = folder / "verdict.json"
    if path.exists():
        return msgspec.json.decode(path.read_bytes(), type=Verdict)
    last = (folder / "run.log").read_text(errors="replace")[-1500:]
    return Verdict(seed, "FAIL", [Violation("run", f"it ended without a verdict: {last}")], {})


def _keep(order: Order, seed: int, folder: Path) -> None:
    """Everything that a person needs to look at it again, without the store's own files."""
    kept = order.keep / f"seed-{seed}"
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(folder, kept, ignore=shutil.ignore_patterns("store", "s", "s2"))
    (kept / "again.txt").write_text(order.command(seed) + "\n")
