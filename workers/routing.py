"""The one table of actors: who reads which log in which group, and which of them a simulation adds."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from workers.keys import CLAIM_LOG, CUSTOMER_LOG, NOTIFICATION_LOG, POLICY_LOG, REQUEST_LOG

if TYPE_CHECKING:
    from collections.abc import Sequence


class Route(NamedTuple):
    """An actor: its name, consumer group and log. `timed`: it reads no stream, its group only names its lease.

    `simulation`: only in a demonstration; `bank`: only where a bank is configured; `archive`: only where there is one.
    `seals`: it appends to claims, so it needs the key vault; the others run without the master key.
    """

    actor: str
    group: str
    log: str
    timed: bool = False
    simulation: bool = False
    bank: bool = False
    archive: bool = False
    seals: bool = False


ROUTES: tuple[Route, ...] = (
    Route("claims-processor", "processors", CLAIM_LOG, seals=True),
    Route("analytics", "analytics", CLAIM_LOG),
    Route("notifier", "notifications", CLAIM_LOG),
    Route("auditor", "auditors", CLAIM_LOG),
    Route("cache-invalidator", "cache-invalidators", CLAIM_LOG),
    Route("intake", "intake", REQUEST_LOG, seals=True),
    Route("dispatcher", "dispatchers", NOTIFICATION_LOG),
    Route("timekeeper", "timekeepers", CLAIM_LOG, timed=True, seals=True),
    Route("payments", "payments", CLAIM_LOG, bank=True, seals=True),
    Route("archivist", "archivists", CLAIM_LOG, archive=True),
    Route("policy-archivist", "policy-archivists", POLICY_LOG, archive=True),
    Route("customer-archivist", "customer-archivists", CUSTOMER_LOG, archive=True),
    Route("simulator", "simulator", CLAIM_LOG, simulation=True, seals=True),
)
"""Every actor that there is."""


def routes(*, simulation: bool, bank: bool = False, archive: bool = False) -> list[Route]:
    """The actors of a cluster, with or without those of the simulation, with or without a bank and an archive."""
    return [
        route
        for route in ROUTES
        if (simulation or not route.simulation) and (bank or not route.bank) and (archive or not route.archive)
    ]


def groups(*, simulation: bool, bank: bool = False, archive: bool = False) -> dict[str, list[str]]:
    """The consumer groups of each log."""
    found: dict[str, list[str]] = {}
    for route in routes(simulation=simulation, bank=bank, archive=archive):
        if not route.timed:
            found.setdefault(route.log, []).append(route.group)
    return found


def seals(actors: Sequence[str]) -> bool:
    """Whether a process of these actors (none named: of all) has to seal anything."""
    return not actors or any(route.seals for route in ROUTES if route.actor in actors)
