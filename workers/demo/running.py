"""Runs the demonstration: the cluster in this process, the portfolio in, time on, until every claim rests."""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol

from runtime.errors import StoreUnavailable
from runtime.store.parking import DeadLetters
from workers.adapters.auto_portfolio import portfolio
from workers.demo.passing_time import over
from workers.demo.report import DemoReport, event_counts, tally_of
from workers.demo.stillness import Stillness
from workers.import_ahead import import_portfolio
from workers.importing import Importer

if TYPE_CHECKING:
    from runtime.plan import ClusterPlan
    from workers.application import Application
    from workers.importing import Imported
    from workers.timing import SimulatedTiming

LOOK_SECONDS = 0.05
"""Seconds between two looks whether the cluster rests: a look costs some ten small reads."""


PATIENCE_SECONDS = 30.0
"""How long a store may be away in the middle of it: it has to load what it holds."""


Verified = Callable[[], Awaitable[dict[str, Any]]]
"""Checks everything and gives the verdict, as `claimstream verify --json` prints it."""


class Watcher(Protocol):
    """Shows people how far it is."""

    def submitted(self, done: int, total: int) -> None:
        """So many first notices of loss are in the log."""
        ...

    def closed(self, done: int, total: int) -> None:
        """So many claims are closed."""
        ...

    def verifying(self) -> None:
        """The work is done; everything is being checked."""
        ...


class Demonstration:
    """One run over one application whose timing is simulated."""

    def __init__(
        self, app: Application, plan: ClusterPlan, timing: SimulatedTiming, watcher: Watcher, verified: Verified
    ) -> None:
        """The cluster runs already, in this process or another; `timing` is the one that its actors use."""
        self._app = app
        self._timing = timing
        self._watcher = watcher
        self._verified = verified
        self._seats = sorted(seat for seat, actor in plan.seats().items() if not actor.timed)

    async def run(self, claims: int, seed: int) -> DemoReport:
        """The whole demonstration; the cluster runs on afterwards."""
        began = time.monotonic()
        imported = await self._import(claims, seed)
        await self._until_all_rest(len(imported.claim_ids))
        self._watcher.verifying()
        report = await self._report(imported.claim_ids)
        report.seconds = round(time.monotonic() - began, 2)
        return report

    async def _import(self, claims: int, seed: int) -> Imported:
        rows = portfolio(claims, seed=seed)
        return await import_portfolio(Importer(self._app), rows, lambda done: self._watcher.submitted(done, claims))

    async def _until_all_rest(self, total: int) -> None:
        """Wait for stillness, let time pass, and so on until no clock is left to ring.

        A store that dies is started again by its keeper, and the actors wait for it: so does this. Raises
        `StoreUnavailable` when it stays away.
        """
        stillness = Stillness(self._app.store, self._seats)
        answered = time.monotonic()
        while True:
            try:
                if await over(stillness, self._app, self._timing):
                    return
                self._watcher.closed(await self._closed(), total)
                answered = time.monotonic()
            except StoreUnavailable:
                if time.monotonic() - answered > PATIENCE_SECONDS:
                    raise
            await asyncio.sleep(LOOK_SECONDS)

    async def _closed(self) -> int:
        """How many claims are on the list of closed ones: a view, good enough for a progress bar."""
        partitions = range(self._app.claim_keyspace.spec.partitions)
        commands = [("LLEN", self._app.claim_keys(partition).queue("claims:closed")) for partition in partitions]
        return sum(await self._app.store.reads.many(commands))

    async def _report(self, claim_ids: list[str]) -> DemoReport:
        app = self._app
        tally = await tally_of(app, claim_ids)
        groups, _ = await Stillness(app.store, self._seats).standing()
        counts = await event_counts(app)
        checked = await self._verified()
        return DemoReport(
            claims=tally.claims,
            events=counts.total(),
            events_by_type=dict(sorted(counts.items())),
            claims_by_status=tally.states,
            outcomes=tally.outcomes,
            groups=groups,
            parked_reasons=await self._parked_reasons(),
            odd_rows=tally.odd_rows,
            verify=checked,
            seconds=0.0,
            peak_megabytes=peak_megabytes(),
            resting=tally.resting and tally.claims == len(claim_ids),
        )

    async def _parked_reasons(self) -> dict[str, int]:
        reasons: Counter[str] = Counter()
        for log, group in {(seat.log, seat.group) for seat in self._seats}:
            letters = DeadLetters(self._app.store.commands, self._app.store.reads, self._app.store.logs[log].keys)
            reasons.update(letter.reason for letter in await letters.listed(group))
        return dict(reasons)


def peak_megabytes() -> float:
    """Largest resident size of this process so far, in 10^6 bytes."""
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there and in KiB here
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6, 1)
