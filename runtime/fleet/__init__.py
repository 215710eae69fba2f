"""The parent of several worker processes: starts them, restarts those that fail, ends them together.

    fleet (one_for_one)
     |-- worker-0 (its own failure intensity)
     |    `-- process
     `-- worker-1
          `-- process

Each worker counts its failures alone, so that one common cause that ends all of them once is not taken for
a worker that cannot run. A worker that cannot, ends the fleet.

Exit code of the parent: 0 when all workers ended with 0 (by themselves, or drained after a signal); 1 when a
worker failed again and again; 2 when a worker says (by its own exit code 2) that it is configured wrongly;
3 when after a signal a worker had to be killed, or ended with another code than 0.

Workers run in sessions of their own: Ctrl-C in a terminal reaches only the parent, which passes it on once,
as SIGTERM. A second signal to the parent kills them. They die with the parent however it dies
(`runtime.fleet.link`).
"""

from __future__ import annotations

from runtime.fleet.link import (
    LINK_VARIABLE,
    WORKER_VARIABLE,
    ParentLink,
    death_with_parent,
    take_parent_link,
    watch_parent,
)
from runtime.fleet.parent import Fleet, run_fleet
from runtime.fleet.worker import FleetOptions, Misconfigured, WorkerEnded, WorkerFailed, WorkerLaunched

__all__ = [
    "LINK_VARIABLE",
    "WORKER_VARIABLE",
    "Fleet",
    "FleetOptions",
    "Misconfigured",
    "ParentLink",
    "WorkerEnded",
    "WorkerFailed",
    "WorkerLaunched",
    "death_with_parent",
    "run_fleet",
    "take_parent_link",
    "watch_parent",
]
