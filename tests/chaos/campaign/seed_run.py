"""One seed, from an empty folder to a history and a dump in it: start, load, faults, calm, floors, rest, drain.

`python -m tests.chaos.campaign.seed_run FOLDER TARGET SEED` leaves `history.jsonl`, `dump.json` and `outcome.json`.
The run judges nothing but by the witness `claimstream verify`; `checker.py` then judges what it left: `verdict.json`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from config.loading import load
from runtime.errors import Halted
from runtime.store.address import StoreAddress
from runtime.store.position import look
from tests.chaos.campaign import faults, measures, mutants
from tests.chaos.campaign.bank import Bank
from tests.chaos.campaign.checker import judged
from tests.chaos.campaign.clock_shim import Clock, built
from tests.chaos.campaign.embedded_target import AWAY
from tests.chaos.campaign.history import History
from tests.chaos.campaign.load import Book, Client, RawProducer
from tests.chaos.campaign.plan import SMALL, plan_of
from tests.chaos.campaign.proxy import Proxy
from tests.chaos.campaign.scene import Scene
from tests.chaos.campaign.target import Wanted, opened
from tests.chaos.campaign.targets import make
from tests.chaos.campaign.workers import Workers
from tests.support.commands import environment
from tests.support.waiting import NotInTimeError, until
from workers.bootstrap import open_application

if TYPE_CHECKING:
    import random

    from runtime.answers import Look
    from runtime.store.keys import Keyspace
    from tests.chaos.campaign.plan import Plan
    from tests.chaos.campaign.target import Target

REST_SECONDS = 60.0
"""Until everything is drained after the last fault (I14), on a machine that others use too."""

DAMAGE_SECONDS = 8.0
"""How long nothing has to happen behind a damaged log: a worker may just be starting, on a busy machine."""

MOMENTS = 3
"""How often the ordinary run tries a fault that came at a wrong moment: no other seed makes up for it there."""

CLIENTS, PRODUCERS = 3, 1
DISK_MIB = 64
"""The disk that a fault fills: more than twice what a seed writes (25 MiB), so that it is full by the fault alone."""


class Outcome(msgspec.Struct):
    """What a run says about itself, beside history and dump."""

    seed: int
    plan: Any
    conditions: dict[str, str] = {}
    answers: dict[str, int] = {}
    seconds: float = 0.0
    verify: str = ""
    """What `claimstream verify` found: '' when all was well."""
    error: str = ""


async def run_seed(folder: Path, target_name: str, seed: int) -> Outcome:
    """Run one seed. An error of the run itself is in the outcome, not raised."""
    began = time.monotonic()
    chance = _chance(seed)
    empty = make(target_name, Wanted(seed=seed, partitions=1, fsync="no", folder=folder))
    plan = plan_of(seed, empty.without)
    if empty.partitions is not None:
        plan = msgspec.structs.replace(plan, partitions=empty.partitions)
    wanted = Wanted(seed=seed, partitions=plan.partitions, fsync=plan.fsync, folder=folder)
    target = make(target_name, wanted)
    outcome = Outcome(seed, plan)
    for name in ("s", "data"):
        (folder / name).mkdir(mode=0o700, exist_ok=True)
    if plan.disk and target.data_dir is not None:
        _mount(target.data_dir)
    history = History(folder / "history.jsonl")
    try:
        async with opened(target):
            outcome.conditions = dict(target.conditions())
            history.write("campaign", "begin", plan=msgspec.to_builtins(plan), conditions=outcome.conditions)
            async with AsyncExitStack() as stack:
                await _Run(plan, target, folder, history, chance, stack, outcome).run()
    except Exception as problem:
        outcome.error = f"{type(problem).__name__}: {problem}"[:2000]
        notes = getattr(problem, "__notes__", [])
        outcome.error += "".join(f"\n{note}"[:2000] for note in notes)
    finally:
        history.close()
        if plan.disk and target.data_dir is not None:
            _unmount(target.data_dir)
    outcome.seconds = time.monotonic() - began
    (folder / "outcome.json").write_bytes(msgspec.json.encode(outcome))
    return outcome


def _chance(seed: int) -> random.Random:
    import random

    return random.Random(seed)


def _mount(path: Path) -> None:
    """A small file system for the store's data, if we may; the fault that needs it looks whether it is there."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m,mode=0700", "none", str(path)],
        capture_output=True, check=False,
    )  # fmt: skip


def _unmount(path: Path) -> None:
    if os.path.ismount(path):
        subprocess.run(["umount", "-l", str(path)], capture_output=True, check=False)


class _Run:
    """The steps of one seed."""

    def __init__(
        self,
        plan: Plan,
        target: Target,
        folder: Path,
        history: History,
        chance: random.Random,
        stack: AsyncExitStack,
        outcome: Outcome,
    ) -> None:
        """The target runs; what is opened is closed by `stack`."""
        self.plan = plan
        self.target = target
        self.folder = folder
        self.history = history
        self.chance = chance
        self.stack = stack
        self.outcome = outcome
        self.workers = Workers(target, folder, history, plan.partitions, plan.processes)
        self.book = Book(chance, history)
        if plan.seed == SMALL:
            self.book.pause = 0.06
        self.proxies: list[Proxy] = []
        self.bank: Bank | None = None

    async def run(self) -> None:
        """All of it."""
        scene = await self.begin()
        everybody: list[Client | RawProducer] = [*scene.clients, *scene.producers]
        loads = [asyncio.create_task(one.run(), name=one.name) for one in everybody]
        try:
            await asyncio.sleep(0.8)
            for name in self.plan.faults:
                for _ in range(MOMENTS if self.plan.seed == SMALL else 1):
                    if await scene.strike(name):
                        break
                await scene.pause(0.0, 0.25)
                for task in loads:
                    if task.done():
                        task.result()
            await asyncio.sleep(0.3)
            await self.calm()
            if self.plan.flavour == "catch-up":
                await measures.catch_up(scene)
            if self.plan.flavour in ("mixed", "catch-up"):
                await measures.takeover(scene)
        finally:
            self.book.stopping = True
            self.book.allowed.set()
            _, late = await asyncio.wait(loads, timeout=20.0)
            for task in late:
                task.cancel()
            await asyncio.wait(loads)
        for task in loads:
            if not task.cancelled():
                task.result()
        await self.end(scene)

    async def begin(self) -> Scene:
        """Workers, records, clients, producers."""
        library = built(Path("/tmp/claimstream-campaign"))
        if self.plan.bank:
            self.bank = Bank()
            self.workers.more["CLAIMSTREAM_BANK__URL"] = await self.stack.enter_async_context(self.bank.open())
        clocked = any("clock" in name for name in self.plan.faults)
        for number in range(self.plan.slots):
            clock = Clock(library if clocked else None, self.folder / f"clock-{number}")
            await self.workers.add(f"worker-{number}", clock, tcp=self.plan.tcp)
            if number == 0:
                await self.workers.all_ready()  # the first one makes logs and keys
                await measures.base(
                    Scene(self.plan, self.target, self.workers, self.book, [], [], self.history, self.folder)
                )
        self.stack.push_async_callback(self.workers.close)
        self.workers.keep()
        clients = [Client(f"client-{n}", await self._application(f"client-{n}"), self.book) for n in range(CLIENTS)]
        await measures.load_records(clients[0])
        producers = []
        for number in range(PRODUCERS):
            producer = RawProducer(
                f"raw-{number}", await self._proxied(f"raw-{number}"), self.book, self.plan.partitions
            )
            self.stack.push_async_callback(producer.close)
            producers.append(producer)
        await self.workers.all_ready()
        scene = Scene(self.plan, self.target, self.workers, self.book, producers, clients, self.history, self.folder)
        scene.client_proxies = self.proxies[:CLIENTS]
        return scene

    async def _proxied(self, name: str) -> str:
        """The URL of a proxy of that name."""
        if not self.target.proxied:
            return self.target.settings()["REDIS_URL"]
        path = None if self.plan.tcp else str(self.folder / "s" / f"{name}.sock")
        proxy = await Proxy.start(self.target.upstream(), path)
        self.proxies.append(proxy)
        self.stack.push_async_callback(proxy.close)
        return proxy.url

    async def _application(self, name: str) -> Any:
        """An application over a connection of its own."""
        env = environment(self.workers.settings(await self._proxied(name)))
        settings = load("test", environment=env)
        address = settings.store.address()
        assert isinstance(address, StoreAddress)
        app = await open_application(settings, address)
        self.stack.push_async_callback(app.close)
        return app

    async def calm(self) -> None:
        """The last fault is over: everything passes, everybody is up again."""
        for proxy in [*self.proxies, *(slot.proxy for slot in self.workers.slots if slot.proxy is not None)]:
            proxy.calm()
        for slot in self.workers.slots:
            slot.clock.set(0)
        await self.target.writable(within=30.0)
        if self.plan.flavour == "damage":
            return
        await self.workers.all_ready()

    async def end(self, scene: Scene) -> None:
        """Rest, resources, drain, dump."""
        began = time.monotonic()
        rested, detail = await self._rested(scene)
        if self.bank is not None and rested:
            rested, detail = await self.bank.everything_told(scene, REST_SECONDS)
            if rested:
                rested, detail = await self._rested(scene)
        self.history.write("campaign", "end", rested=rested, seconds=round(time.monotonic() - began, 3), detail=detail)
        if self.plan.flavour != "damage" and rested:
            await measures.resources(scene)
            await self._verified(scene)
        await self.workers.stop_keeping()
        for slot in self.workers.slots:
            if slot.alive:
                await self._drain(slot)
        self.outcome.answers = self.workers.answers()
        (await self.target.dump()).write(self.folder / "dump.json")

    async def _drain(self, slot: Any) -> None:
        """At rest a drain takes no time worth mentioning."""
        try:
            took, code = await self.workers.drained(slot, within=15.0)
        except NotInTimeError:
            slot.send(signal.SIGKILL)
            took, code = 15.0, -9
        self.history.write(slot.name, "measure", name="last drain seconds", value=took, limit=7.0, unit="s")
        if code not in (0, 3) or (code == 3 and self.plan.flavour != "damage"):
            self.history.write(slot.name, "measure", name="last drain exit code", value=code, limit=0, unit="")

    async def _rested(self, scene: Scene) -> tuple[bool, str]:
        """Wait until no group has anything to do, seen twice with nothing added in between."""
        before, seen = -1, {}

        async def resting() -> bool:
            nonlocal before, seen
            try:
                seen = await looks(scene)
            except AWAY:
                return False
            added = sum(one.added for one in seen.values()) if all(one.at_rest for one in seen.values()) else -1
            same = added >= 0 and added == before
            before = added
            return same

        if self.plan.flavour == "damage":
            await self._others_rest(scene)
            return False, "damaged on purpose"
        try:
            await until(resting, within=REST_SECONDS, what="every group is at rest")
        except NotInTimeError:
            busy = {name: str(one) for name, one in seen.items() if not one.at_rest}
            return False, f"not at rest: {busy}"[:1500]
        return True, ""

    async def _others_rest(self, scene: Scene) -> None:
        """After damage: until whatever can still be done is done, and time for whoever would make it worse.

        A log that feeds a damaged one never comes to rest, so the end is that nothing was settled for a while.
        """
        quiet_since, before = time.monotonic(), -1
        deadline = time.monotonic() + REST_SECONDS
        while time.monotonic() < min(quiet_since + DAMAGE_SECONDS, deadline):
            await asyncio.sleep(0.1)
            settled = await self._settled(scene)
            if settled != before:
                quiet_since, before = time.monotonic(), settled

    async def _settled(self, scene: Scene) -> int:
        """Entries settled by all groups that can be looked at."""
        total = 0
        for keys in scene.keyspaces:
            for partition in range(keys.spec.partitions):
                with suppress(Halted, *AWAY):
                    total += sum(one.settled for one in (await looks_at(scene, keys, partition)).values())
        return total

    async def _verified(self, scene: Scene) -> None:
        """The product's own verification, as one more witness."""
        if "trim what everybody has settled" in self.plan.faults:
            return  # it has to see the whole log
        from workers.verifying import verify

        report = await verify(scene.clients[0]._app)
        wrong = {name: one.first for name, one in report.invariants.items() if one.violations}
        self.outcome.verify = "" if report.ok else str(wrong)[:3000]


async def looks(scene: Scene) -> dict[str, Look]:
    """Every group of every partition of every log, by name."""
    found: dict[str, Look] = {}
    for keys in scene.keyspaces:
        for partition in range(keys.spec.partitions):
            found |= await looks_at(scene, keys, partition)
    return found


async def looks_at(scene: Scene, keys: Keyspace, partition: int) -> dict[str, Look]:
    """Every group of one partition of one log, by name."""
    log = keys.log(partition)
    sender = _Sender(scene.target, log)
    groups = await scene.groups(keys, partition)
    return {f"{group} on {log}": await look(sender, keys, group, partition) for group in groups}


class _Sender:
    """A target as a client of the runtime's functions."""

    def __init__(self, target: Target, key: str) -> None:
        self._target = target
        self._key = key

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send one command."""
        del options
        return await self._target.run(*args, key=self._key)


def main(words: list[str]) -> int:
    """Run the seed that the command line names."""
    folder, target, seed = words
    assert faults.FAULTS
    mutants.break_as_told()
    with suppress(KeyboardInterrupt):
        asyncio.run(run_seed(Path(folder), target, int(seed)))
        verdict = judged(Path(folder))
        (Path(folder) / "verdict.json").write_bytes(msgspec.json.encode(verdict))
        return int(verdict.word == "FAIL")
    return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
