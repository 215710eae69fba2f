"""A real `claimstream` process, with what a campaign needs to see and to provoke added from outside.

`python -m tests.chaos.campaign.worker run --json ...` is `python -m workers run --json ...`, and

* every actor of a log adds one effect to each batch: the ids that it handled, into `campaign:seen:{group}`. It is
  settled with the batch, so that list tells, per entry and in order, what this group applied, and how often;
* an actor raises, or its process dies, when it meets an entry of a claim that is marked for that (`poison`);
* SIGUSR1 blocks the event loop, SIGUSR2 writes down tasks, descriptors and memory;
* what is not an OK of the store is counted in a file, so that a run can say that it met a FENCED, a GAP ...;
* `CLAIMSTREAM_TEST_MUTANT` breaks the library or the runtime on purpose (`mutants.py`).
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from runtime.actor import Actor, performs_outside
from runtime.effects import ListPush, Park
from runtime.signals import BatchSettled, EntryParked, LeaseChanged, Resynced, Signal, StoreRoundTrip, WaitDeclared
from runtime.store.keys import Keyspace
from tests.chaos.campaign import mutants, poison

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runtime.effects import Effects
    from runtime.entry import Batch
    from runtime.plan import ActorPlan, ClusterPlan
    from runtime.serving.ticker import TimedActor

FOLDER = "CLAIMSTREAM_TEST_CAMPAIGN"
"""Environment: the folder of the seed, where witnesses are written."""

THIS = "tests.chaos.campaign.worker"
SEEN = "campaign:seen:{group}"


def witnessed(plan: ClusterPlan) -> ClusterPlan:
    """The same plan, whose actors leave a trace of what they applied."""
    actors = [
        actor if actor.timed else msgspec.structs.replace(actor, build=_building(actor, Keyspace(spec)))
        for actor in plan.actors
        for spec in [plan.log(actor.log).spec]
    ]
    return msgspec.structs.replace(plan, actors=actors)


def _building(plan: ActorPlan, keys: Keyspace) -> Callable[[int], Actor | TimedActor]:
    def build(partition: int) -> Actor | TimedActor:
        actor = plan.build(partition)
        assert isinstance(actor, Actor)
        return _leave_traces(actor, keys.name(SEEN.format(group=plan.group), partition))

    return build


def _leave_traces(actor: Actor, key: str) -> Actor:
    """Wrap what the actor does last with a batch: `perform` where there is one, else `handle`."""
    name = "perform" if performs_outside(actor) else "handle"
    handle, last = actor.handle, getattr(actor, name)

    async def poisoned(batch: Batch) -> Effects:
        poison.meet(actor.group, batch.entries)
        return await handle(batch)

    async def traced(batch: Batch) -> Effects | None:
        if name == "handle":
            poison.meet(actor.group, batch.entries)
        wanted: Sequence[Any] | None = await last(batch)
        if wanted is None:
            return None
        parked = {one.entry_id for one in wanted if isinstance(one, Park)}
        ids = [entry.id for entry in batch.entries if entry.id not in parked]
        return [*wanted, ListPush(key, (json.dumps(ids),))] if ids else wanted

    if name == "perform":
        actor.handle = poisoned  # type: ignore[method-assign]
    setattr(actor, name, traced)
    return actor


class Counting:
    """A subscriber that writes down what did not go smoothly; a line per kind and process survives a kill."""

    def __init__(self, path: Path) -> None:
        """Appends to `path`."""
        self._file = path.open("ab", buffering=0)

    def __call__(self, signal_: Signal) -> None:
        """Take note of one signal."""
        word = ""
        match signal_:
            case BatchSettled() if signal_.outcome != "ok":
                word = signal_.outcome
            case EntryParked():
                word = "park"
            case Resynced():
                word = f"resync:{signal_.reason}"
            case LeaseChanged():
                word = f"lease:{signal_.state}"
            case WaitDeclared():
                word = f"wait:{signal_.reason}"
            case StoreRoundTrip() if signal_.outcome != "ok":
                word = "unknown"
        if word:
            self._file.write(word.encode() + b"\n")


def _install(folder: Path) -> None:
    """Put ourselves between the command line and the runtime."""
    from workers.cli import run_parent, run_process

    command = run_parent._command

    def of_a_worker(order: Any) -> list[str]:
        """The workers of a parent are programs of this kind, too."""
        return [THIS if word == "workers" else word for word in command(order)]

    plan: Any = vars(run_process)["cluster_plan"]
    told: Any = run_process.told_to_logs

    def cluster_plan(*args: Any, **named: Any) -> ClusterPlan:
        return witnessed(plan(*args, **named))

    def told_to_logs(*args: Any) -> Any:
        bus, undo = told(*args)
        bus.subscribe(Counting(folder / f"answers-{os.getpid()}.txt"))
        return bus, undo

    run_parent._command = of_a_worker
    vars(run_process).update(cluster_plan=cluster_plan, told_to_logs=told_to_logs)
    signal.signal(signal.SIGUSR1, lambda *_: time.sleep(60))
    signal.signal(signal.SIGUSR2, lambda *_: _write_resources(folder / f"resources-{os.getpid()}.json"))


def _write_resources(path: Path) -> None:
    loop = asyncio.get_running_loop()
    status = Path("/proc/self/status").read_text()
    kib = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    found = {"tasks": len(asyncio.all_tasks(loop)), "fds": len(os.listdir("/proc/self/fd")), "rss_kib": kib}
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(found))
    fresh.replace(path)


def main() -> int:
    """Run the command line with all this added."""
    mutants.break_as_told()
    _install(Path(os.environ[FOLDER]))
    from workers.cli import main as command_line

    return int(command_line())


if __name__ == "__main__":
    sys.exit(main())
