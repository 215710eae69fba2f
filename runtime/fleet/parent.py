"""The parent's side: all workers of one command line, until they ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime.fleet.worker import FleetOptions, Misconfigured, Worker
from runtime.stopping import (
    EXIT_GAVE_UP,
    EXIT_NOT_DRAINED,
    EXIT_OK,
    EXIT_USAGE,
    StopOptions,
    run_until_stopped,
)
from runtime.supervision import Fatal, Supervisor, Unstopped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runtime.signals import Signal


class Fleet:
    """`processes` copies of one command line, each with its index and `environment(index)` in its
    environment.
    """

    def __init__(
        self,
        argv: Sequence[str],
        processes: int,
        options: FleetOptions | None = None,
        *,
        emit: Callable[[Signal], None],
        environment: Callable[[int], Mapping[str, str]] = lambda index: {},
    ) -> None:
        """Nothing starts here. ValueError: no process to run."""
        if processes < 1:
            raise ValueError(f"a fleet needs at least one process, not {processes}")
        self._options = options or FleetOptions()
        self._emit = emit
        self.workers = [Worker(index, argv, environment(index), self._options, emit) for index in range(processes)]
        self._supervisor = Supervisor(
            "fleet", [worker.spec() for worker in self.workers], emit=emit, ends_with_children=True
        )

    async def run(self) -> None:
        """Until all workers ended. Raises Misconfigured, or Fatal when a worker fails again and again."""
        await self._supervisor.run()

    def stop(self) -> None:
        """Ask all workers to end (SIGTERM)."""
        self._supervisor.stop()

    def pids(self) -> dict[int, int]:
        """Process id by worker index, of those that run."""
        return {worker.index: worker.pid for worker in self.workers if worker.pid is not None}

    def drained(self) -> bool:
        """After `run`: whether every worker's last process ended with 0."""
        return all(worker.clean for worker in self.workers)


async def run_fleet(
    argv: Sequence[str],
    processes: int,
    options: FleetOptions | None = None,
    *,
    emit: Callable[[Signal], None],
    environment: Callable[[int], Mapping[str, str]] = lambda index: {},
) -> int:
    """Run a fleet on the main thread until it ends or SIGTERM or SIGINT came; returns the parent's exit
    code.
    """
    options = options or FleetOptions()
    witness = Unstopped()

    def tell(event: Signal) -> None:
        witness(event)
        emit(event)

    fleet = Fleet(argv, processes, options, emit=tell, environment=environment)
    # Killing is the workers' own last step; the parent's deadline only guards against a failure of that.
    budget = StopOptions(
        drain_seconds=options.drain_seconds + options.kill_seconds + 1.0, cancel_seconds=options.kill_seconds
    )
    try:
        report = await run_until_stopped(fleet, budget, emit=tell, witness=witness)
    except Misconfigured:
        return EXIT_USAGE
    except Fatal:
        return EXIT_GAVE_UP
    return report.exit_code or (EXIT_OK if fleet.drained() else EXIT_NOT_DRAINED)
