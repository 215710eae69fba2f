"""The six answers of the status endpoint, made from a `StatusSource`.

`/health` and `/ready` have the bodies that clients of earlier systems parse (table B7 of the source systems);
the rest is ours.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from runtime.telemetry.metrics import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from runtime.telemetry.progress_types import HealthReport
    from runtime.telemetry.status_source import StatusSource

#: On every answer. aiohttp would put its own name and version into `Server`.
HEADERS = {"Server": "claimstream", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class ServiceIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """Who answers: shown in `/health`."""

    service: str = "claimstream"
    version: str = "0"


def text(status: int, body: str) -> web.Response:
    """A plain answer."""
    return web.Response(status=status, text=body, headers=HEADERS)


def json(status: int, body: Any) -> web.Response:
    """`body` as JSON."""
    return web.Response(status=status, body=msgspec.json.encode(body), content_type="application/json", headers=HEADERS)


class StatusPages:
    """Routes a request to its answer. Times shown are UTC; uptime is monotonic."""

    def __init__(
        self,
        source: StatusSource,
        identity: ServiceIdentity,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`wall` and `monotonic` give seconds."""
        self._source = source
        self._identity = identity
        self._wall = wall
        self._monotonic = monotonic
        self._since = monotonic()
        self._routes: dict[str, Callable[[], Awaitable[web.Response]]] = {
            "/livez": self._livez,
            "/readyz": self._readyz,
            "/health": self._health,
            "/ready": self._ready,
            "/metrics": self._metrics,
            "/status": self._status,
        }

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """The answer to `request`: 404 for another path, 405 for another method, 413 for a body."""
        route = self._routes.get(request.path)
        if route is None:
            return text(404, "not found\n")
        if request.method != "GET":
            response = text(405, "only GET\n")
            response.headers["Allow"] = "GET"
            return response
        if request.body_exists:
            response = text(413, "no body, please\n")
            response.force_close()
            return response
        return await route()

    async def _livez(self) -> web.Response:
        return _probe((await self._source.health()).live_reasons)

    async def _readyz(self) -> web.Response:
        return _probe((await self._source.health()).ready_reasons)

    async def _health(self) -> web.Response:
        report = await self._source.health()
        return json(200 if report.healthy else 503, self._health_body(report))

    async def _ready(self) -> web.Response:
        report = await self._source.health()
        body = {
            "status": "ready" if report.ready else "not ready",
            "timestamp": self._timestamp(),
            "dependencies": {
                "database": _connected(report),
                "redis": _connected(report),
                "leases": "available" if report.leases_available else "unavailable",
            },
            "reasons": report.ready_reasons,
        }
        return json(200 if report.ready else 503, body)

    async def _metrics(self) -> web.Response:
        body = await self._source.metrics()
        return web.Response(body=body, headers={**HEADERS, "Content-Type": CONTENT_TYPE})

    async def _status(self) -> web.Response:
        status, report = await self._source.status(), await self._source.health()
        return json(200, {**status, "health": health_part(report)})

    def _health_body(self, report: HealthReport) -> dict[str, Any]:
        """Body of table B7: the store is the database, Redis and the cache at once."""
        return {
            "service": self._identity.service,
            "status": "healthy" if report.healthy else "unhealthy",
            "timestamp": self._timestamp(),
            "version": self._identity.version,
            "uptime": round(self._monotonic() - self._since, 3),
            "database": _connected(report),
            "redis": _connected(report),
            "cache": {
                "status": "healthy" if report.store_connected else "unhealthy",
                "service": self._identity.service,
                "latency": report.store_latency_ms,
                "connected": report.store_connected,
                "timestamp": self._timestamp(),
            },
            "registeredServices": report.processes,
            "reasons": report.health_reasons,
        }

    def _timestamp(self) -> str:
        now = datetime.fromtimestamp(self._wall(), UTC)
        return now.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def health_part(report: HealthReport) -> dict[str, Any]:
    """The report as it stands in `/status`, with the three verdicts spelled out."""
    verdicts = {"live": report.live, "ready": report.ready, "healthy": report.healthy}
    return {**verdicts, **msgspec.to_builtins(report)}


def _probe(reasons: tuple[str, ...]) -> web.Response:
    return text(503, f"fail: {_one_line(reasons[0])}\n") if reasons else text(200, "ok\n")


def _one_line(reason: str) -> str:
    return " ".join(reason.split())[:300]


def _connected(report: HealthReport) -> str:
    return "connected" if report.store_connected else "disconnected"
