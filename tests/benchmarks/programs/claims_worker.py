"""claimstream as it runs: `load` imports claims, `work` serves the named actors, or all, until everybody rests (B3-B5).

Decisions happen at the moment of their cause (`SimulatedTiming`), as in the demo: the set is of 2015, and by the wall
clock every deadline of it would be over.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING

from config.loading import load as load_settings
from runtime import collector
from runtime.host import Host
from runtime.host_options import HostOptions
from runtime.signals import BatchSettled, Bus, EntryParked, HandlerFailed, Signal
from runtime.store.clients import StoreAddress
from runtime.store.position import look
from tests.benchmarks.peers.meter import Meter, Order, main
from workers.adapters.auto_portfolio import portfolio
from workers.bootstrap import cluster_plan, open_application, process_card
from workers.import_ahead import import_portfolio
from workers.importing import Importer
from workers.timing import SimulatedTiming

if TYPE_CHECKING:
    from config.settings import Settings
    from runtime.plan import ClusterPlan
    from workers.application import Application

QUIET_LOOKS = 2
"""Looks in a row at which everybody has to rest: a follow-up may be on its way from one log to another."""


def _settings(order: Order) -> Settings:
    chosen = {
        "embedded.data_dir": f"{order['home']}/store",
        "log.partitions": order.get("partitions", 1),
        "log.adopt_raw_entries": False,
    }
    return load_settings("local", environment={}, overrides=chosen)


async def opened(order: Order, bus: Bus | None = None) -> Application:
    """The application over the server of the run."""
    address = StoreAddress.parse(f"redis://{order['host']}:{order['port']}")
    return await open_application(_settings(order), address, bus=bus, timing=SimulatedTiming())


async def load(order: Order) -> None:
    """Import so many claims with their policies and customers; the rate is the answer (row B5)."""
    app = await opened(order)
    began = time.perf_counter()
    done = await import_portfolio(Importer(app), portfolio(order["claims"]), lambda _: None)
    seconds = time.perf_counter() - began
    await app.close()
    order["answer"] = {"claims": done.added, "seconds": seconds}


async def work(order: Order, meter: Meter) -> None:
    """Serve until every served seat rests, twice in a row."""
    bus = Bus()
    troubles: Counter[str] = Counter()

    def note(signal: Signal) -> None:
        kind = type(signal)
        if kind is BatchSettled and signal.outcome == "ok":  # type: ignore[attr-defined]
            meter.add(signal.entries)  # type: ignore[attr-defined]
        elif kind in (EntryParked, HandlerFailed):
            troubles[f"{kind.__name__} {signal.actor}"] += 1  # type: ignore[attr-defined]

    bus.subscribe(note)
    app = await opened(order, bus)
    plan = cluster_plan(app, _settings(order))
    serves = tuple(order.get("serves", ()))
    host = Host(app.store, plan, process_card(serves), options=HostOptions(), bus=bus, clock=app.clock)
    collector.calm()  # as `claimstream run` does
    serving = asyncio.create_task(host.run())
    resting = asyncio.create_task(_until_all_rest(app, plan, serves, meter))
    await asyncio.wait({serving, resting}, return_when=asyncio.FIRST_COMPLETED)
    host.stop()
    await serving
    logs = [app.claim_keyspace.log(partition) for partition in range(app.claim_keyspace.spec.partitions)]
    lengths = await app.store.reads.many([("XLEN", log) for log in logs])
    order["answer"] = {"troubles": dict(troubles), "log": sum(lengths)}
    await app.close()


async def _until_all_rest(app: Application, plan: ClusterPlan, serves: tuple[str, ...], meter: Meter) -> None:
    seats = [seat for seat, actor in plan.seats(serves).items() if not actor.timed]
    quiet = 0
    while quiet < QUIET_LOOKS:
        await asyncio.sleep(0.1)
        looks = [
            await look(app.store.commands, app.store.logs[seat.log].keys, seat.group, seat.partition) for seat in seats
        ]
        quiet = quiet + 1 if meter.seen and all(one.at_rest for one in looks) else 0


if __name__ == "__main__":
    main(load, work)
