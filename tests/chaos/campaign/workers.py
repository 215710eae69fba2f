"""The worker processes of one seed: real `claimstream run`, each in a slot with a proxy and a clock of its own.

A slot is what a pod name is: its process may die and is then followed by another one, as by a manager.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime.fleet import death_with_parent
from tests.chaos.campaign import mutants, worker
from tests.chaos.campaign.proxy import Proxy
from tests.support.commands import environment
from tests.support.source_tree import ROOT
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.chaos.campaign.clock_shim import Clock
    from tests.chaos.campaign.history import History
    from tests.chaos.campaign.target import Target

LEASE_SECONDS = 1.0
DRAIN_SECONDS = 5.0
REPLY_SECONDS = 1.5
BLOCKED_SECONDS = 2.5
START_SECONDS = 40.0
"""Until a process says that it is ready, on a machine that others use as well."""

SETTINGS = {
    "CLAIMSTREAM_HOST__LEASE__TTL_SECONDS": str(LEASE_SECONDS),
    "CLAIMSTREAM_HOST__LEASE__BEAT_SECONDS": "0.2",
    "CLAIMSTREAM_HOST__LEASE__MARGIN_SECONDS": "0.1",
    "CLAIMSTREAM_HOST__SERVING__READ__BLOCK_MS": "200",
    "CLAIMSTREAM_HOST__LOOP__BLOCKED_SECONDS": str(BLOCKED_SECONDS),
    "CLAIMSTREAM_STORE__OPTIONS__CLIENTS__BLOCK_MS": "200",
    "CLAIMSTREAM_STORE__OPTIONS__CLIENTS__REPLY_SECONDS": str(REPLY_SECONDS),
    "CLAIMSTREAM_STOPPING__DRAIN_SECONDS": str(DRAIN_SECONDS),
}
"""What differs from the profile `test`: a lease of a second, replies that are given up soon, shorter reads."""


class Slot:
    """One place for a worker."""

    def __init__(self, name: str, proxy: Proxy | None, clock: Clock) -> None:
        """Nobody is in it."""
        self.name = name
        self.proxy = proxy
        self.clock = clock
        self.process: subprocess.Popen[bytes] | None = None
        self.told: dict[str, Any] = {}
        self.log: Path | None = None
        self.lives = 0
        self.stopped = False
        self.leave_dead = False

    @property
    def pid(self) -> int:
        """Of whoever is in it."""
        assert self.process is not None
        return self.process.pid

    @property
    def alive(self) -> bool:
        """Does a process run in it?"""
        return self.process is not None and self.process.poll() is None

    def workers(self) -> list[int]:
        """Process ids of those that do the work: the children of a parent, or the process itself."""
        with suppress(OSError):
            children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
            return [int(pid) for pid in children] or [self.pid]
        return [self.pid]

    def ready(self) -> bool:
        """Has it said that it is up? False while it starts, and when it has ended."""
        if self.told:
            return True
        if self.process is None or self.process.stdout is None or not self.alive:
            return False
        line = self.process.stdout.read()
        if line:
            self.told = json.loads(line.splitlines()[0])
        return bool(line)

    def errors(self) -> str:
        """What it wrote on stderr."""
        return self.log.read_text(errors="replace") if self.log is not None else ""

    def send(self, number: signal.Signals) -> None:
        """A signal, unless it is gone."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)


class Workers:
    """All slots, and the manager that starts again what has died."""

    def __init__(self, target: Target, folder: Path, history: History, partitions: int, processes: int) -> None:
        """`processes` above 1: each slot is a parent with so many workers below it."""
        self.target = target
        self.folder = folder
        self.history = history
        self.partitions = partitions
        self.processes = processes
        self.more: dict[str, str] = {}
        """Further settings of workers and clients."""
        self.slots: list[Slot] = []
        self._keeping: asyncio.Task[None] | None = None

    @property
    def data_dir(self) -> Path:
        """Beside it are keys and the notifications' log file; shared by all processes."""
        return self.folder / "data" / "store"

    def settings(self, url: str = "") -> Mapping[str, str]:
        """Environment of a worker or client, over this proxy if one is named."""
        return {
            **SETTINGS,
            "CLAIMSTREAM_LOG__PARTITIONS": str(self.partitions),
            "CLAIMSTREAM_EMBEDDED__DATA_DIR": str(self.data_dir),
            worker.FOLDER: str(self.folder),
            **{name: os.environ[name] for name in (mutants.VARIABLE,) if name in os.environ},
            **self.target.settings(url),
            **self.more,
        }

    async def add(self, name: str, clock: Clock, *, tcp: bool) -> Slot:
        """One more slot with a process in it, which is not waited for."""
        proxy = None
        if self.target.proxied:
            path = None if tcp else str(self.folder / "s" / f"{name}.sock")
            proxy = await Proxy.start(self.target.upstream(), path)
        slot = Slot(name, proxy, clock)
        self.slots.append(slot)
        self.launch(slot)
        return slot

    def launch(self, slot: Slot) -> None:
        """Start a process in a slot."""
        slot.lives += 1
        slot.told = {}
        slot.log = self.folder / f"{slot.name}-{slot.lives}.log"
        words = ["run", "--json", "--port", "0"]
        if self.processes > 1:
            words += ["--processes", str(self.processes)]
        env = environment({**self.settings(slot.proxy.url if slot.proxy else ""), **slot.clock.environment()})
        env |= {name: value for name, value in self.settings().items() if name.startswith("CLAIMSTREAM_TEST_")}
        with slot.log.open("wb") as stderr:
            slot.process = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.campaign.worker", *words],
                cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr,
                preexec_fn=death_with_parent(),
            )  # fmt: skip
        assert slot.process.stdout is not None
        os.set_blocking(slot.process.stdout.fileno(), False)
        self.history.write(slot.name, "process", pid=slot.pid, event="born", code=0)

    def keep(self) -> None:
        """From now on start again whoever ends."""
        self._keeping = asyncio.create_task(self._keep(), name="keeper of the workers")

    async def _keep(self) -> None:
        while True:
            for slot in self.slots:
                if not slot.alive and not slot.leave_dead:
                    self._bury(slot)
                    self.launch(slot)
            await asyncio.sleep(0.2)

    def _bury(self, slot: Slot) -> None:
        if slot.process is None:
            return
        code = slot.process.wait()
        assert slot.process.stdout is not None
        slot.process.stdout.close()
        self.history.write(slot.name, "process", pid=slot.pid, event="ended", code=code)
        slot.process = None

    async def all_ready(self) -> None:
        """Wait until a process is up in every slot that is to have one."""
        await until(
            lambda: all(slot.ready() for slot in self.slots if not slot.leave_dead),
            within=START_SECONDS, what="all workers are up",
        )  # fmt: skip

    async def drained(self, slot: Slot, within: float) -> tuple[float, int]:
        """Ask for the end (SIGTERM); seconds until it came, and the exit code."""
        slot.leave_dead = True
        assert slot.process is not None
        began = time.monotonic()
        slot.send(signal.SIGTERM)
        process = slot.process
        await until(lambda: process.poll() is not None, within=within, what=f"{slot.name} has drained")
        took, code = time.monotonic() - began, int(process.returncode)
        self._bury(slot)
        return took, code

    async def resources(self, slot: Slot) -> dict[str, int]:
        """Tasks, descriptors and memory of the process in a slot, by its own word; {} for a parent of several."""
        if self.processes > 1 or not slot.alive:
            return {}
        path = self.folder / f"resources-{slot.pid}.json"
        path.unlink(missing_ok=True)
        slot.send(signal.SIGUSR2)
        await until(path.exists, within=15.0, what=f"{slot.name} wrote its resources")
        found: dict[str, int] = json.loads(path.read_text())
        return found

    def answers(self) -> dict[str, int]:
        """How often the store's answer was not a plain OK, by word, over all processes that ever were."""
        found: dict[str, int] = {}
        for path in self.folder.glob("answers-*.txt"):
            for word in path.read_text(errors="replace").splitlines():
                found[word] = found.get(word, 0) + 1
        return found

    async def stop_keeping(self) -> None:
        """Whoever ends now stays dead."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait({self._keeping})
            self._keeping = None

    async def close(self) -> None:
        """Leave no process and no proxy."""
        await self.stop_keeping()
        for slot in self.slots:
            if slot.alive:
                slot.send(signal.SIGCONT)
                for pid in slot.workers():
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                assert slot.process is not None
                slot.process.kill()
            self._bury(slot)
            if slot.proxy is not None:
                await slot.proxy.close()
