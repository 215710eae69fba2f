"""Programs for the tests of the fleet: `python -m tests.support.fleet_programs (parent MODE N | MODE)`.

A worker writes nothing; the parent prints one line per signal, as JSON: its type and fields.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from runtime.backoff import BackoffOptions
from runtime.fleet import Fleet, FleetOptions, run_fleet, take_parent_link
from runtime.stopping import StopOptions, run_until_stopped
from runtime.supervision import ChildSpec, IntensityOptions, Started, Supervisor, Unstopped

if TYPE_CHECKING:
    from runtime.signals import Signal

QUICK = FleetOptions(
    drain_seconds=10.0,
    backoff=BackoffOptions(first_seconds=0.01, cap_seconds=0.02),
    intensity=IntensityOptions(limit=2.0),
)


def command(*words: str) -> list[str]:
    """The command line of one of these programs."""
    return [sys.executable, "-m", "tests.support.fleet_programs", *words]


async def _serve() -> int:
    """A worker as the real ones are: reports ready, stops on SIGTERM or when its parent is gone."""
    link, witness = take_parent_link(), Unstopped()

    async def work(started: Started) -> None:
        started()
        if link is None:
            await anyio.sleep_forever()
        else:
            link.report_ready()
            await link.watch(supervisor.stop)
            await anyio.sleep_forever()

    supervisor = Supervisor("worker", [ChildSpec(name="work", run=work)], emit=witness)
    report = await run_until_stopped(supervisor, StopOptions(), emit=witness, witness=witness)
    return report.exit_code


def _deaf() -> int:
    """A worker that will not stop."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    link = take_parent_link()
    if link is not None:
        link.report_ready()
    while True:
        signal.pause()


def _crash_at_first(mark: Path) -> int:
    """A worker whose first process dies as the out-of-memory killer would have it; the next ones serve."""
    if mark.exists():
        return anyio.run(_serve)
    mark.touch()
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def _tell(event: Signal) -> None:
    fields = {name: getattr(event, name) for name in event.__struct_fields__}
    sys.stdout.write(json.dumps({"type": type(event).__name__, **fields}) + "\n")
    sys.stdout.flush()


async def _parent(mode: str, processes: int) -> int:
    return await run_fleet(command(mode), processes, QUICK, emit=_tell)


def _parent_in_a_thread(processes: int) -> int:
    """A parent whose workers get no parent-death signal, as on a system that has none."""
    fleet = Fleet(command("serve"), processes, QUICK, emit=_tell)
    thread = threading.Thread(target=anyio.run, args=(fleet.run,))
    thread.start()
    thread.join()
    return 0


def main(words: list[str]) -> int:
    """Run the program named by the first word; returns its exit code."""
    match words:
        case ["parent", mode, processes]:
            return anyio.run(_parent, mode, int(processes))
        case ["parent-in-a-thread", processes]:
            return _parent_in_a_thread(int(processes))
        case ["serve"]:
            return anyio.run(_serve)
        case ["crash-at-first", mark]:
            return _crash_at_first(Path(mark))
        case ["deaf"]:
            return _deaf()
        case ["exit", code]:
            return int(code)
        case _:
            raise SystemExit(f"no such program: {words}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
