"""The one table of actors: who reads which log in which group, and which of them a simulation adds."""

from __future__ import annotations

from typing import NamedTuple

from workers.keys import CLAIM_LOG, NOTIFICATION_LOG, REQUEST_LOG


class Route(NamedTuple):
    """An actor: its name, consumer group and log. `timed`: it reads no stream, its group only names its lease.

    `simulation`: only in a demonstration; `bank`: only where a bank is configured.
    """

    actor: str
    group: str
    log: str
    timed: bool = False
    simulation: bool = False
    bank: bool = False


ROUTES: tuple[Route, ...] = (
    Route("claims-processor", "processors", CLAIM_LOG),
    Route("analytics", "analytics", CLAIM_LOG),
    Route("notifier", "notifications", CLAIM_LOG),
    Route("auditor", "auditors", CLAIM_LOG),
    Route("cache-invalidator", "cache-invalidators", CLAIM_LOG),
    Route("intake", "intake", REQUEST_LOG),
    Route("dispatcher", "dispatchers", NOTIFICATION_LOG),
    Route("timekeeper", "timekeepers", CLAIM_LOG, timed=True),
    Route("payments", "payments", CLAIM_LOG, bank=True),
    Route("simulator", "simulator", CLAIM_LOG, simulation=True),
)
"""Every actor that there is."""


def routes(*, simulation: bool, bank: bool = False) -> list[Route]:
    """The actors of a cluster, with or without those of the simulation, with or without a bank."""
    return [route for route in ROUTES if (simulation or not route.simulation) and (bank or not route.bank)]


def groups(*, simulation: bool, bank: bool = False) -> dict[str, list[str]]:
    """The consumer groups of each log."""
    found: dict[str, list[str]] = {}
    for route in routes(simulation=simulation, bank=bank):
        if not route.timed:
            found.setdefault(route.log, []).append(route.group)
    return found
