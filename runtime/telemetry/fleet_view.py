"""One endpoint for a fleet: asks every worker process over its unix socket and merges the answers.

Holds no connection and no cache, so it needs no care. A worker that does not answer is named at once, and
turns `/livez` red only after a grace period: it may be in the middle of its restart.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec

from runtime.telemetry.merging_metrics import merge_metrics
from runtime.telemetry.progress_types import HealthReport, RunnerHealth

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runtime.telemetry.metrics import Metrics


class FleetViewOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Limits, in seconds and bytes."""

    #: Seconds for one worker's answer; below the 1 s that Kubernetes gives a probe by default.
    worker_seconds: float = 0.8
    #: A worker that is away for longer turns /livez red: longer than a restart with its first back-offs.
    grace_seconds: float = 30.0
    #: Largest answer of a worker that is read: a process with thousands of runners stays below 1 MB.
    max_bytes: int = 16 * 1024 * 1024


class WorkerAway(Exception):
    """A worker process did not give a usable answer."""


class _WorkerStatus(msgspec.Struct, frozen=True):
    """What is needed of a worker's `/status`; the rest is passed on as it is."""

    health: HealthReport


class FleetView:
    """A `StatusSource` over worker processes; `workers` maps a process name ("0", "1" ...) to its unix
    socket.

    `workers` is asked anew each time. A process that it no longer names is forgotten.
    """

    def __init__(
        self,
        workers: Callable[[], Mapping[str, str]],
        *,
        monotonic: Callable[[], float],
        options: FleetViewOptions | None = None,
        own_metrics: Metrics | None = None,
        sections: Mapping[str, Callable[[], Any]] | None = None,
    ) -> None:
        """`own_metrics` (of the parent) are shown as process="parent"; `sections` are added to `/status`."""
        self._workers = workers
        self._monotonic = monotonic
        self._options = options or FleetViewOptions()
        self._own_metrics = own_metrics
        self._sections = dict(sections or {})
        self._away_since: dict[str, float] = {}

    async def health(self) -> HealthReport:
        """All workers' verdicts in one: red if any is red."""
        answers = await self._ask_all("/status")
        return self._merge_health(_decode_statuses(answers))

    async def status(self) -> dict[str, Any]:
        """`processes` (each worker's own status or why there is none), all `runners`, summed `restarts`."""
        answers = await self._ask_all("/status")
        processes: list[dict[str, Any]] = []
        runners: list[dict[str, Any]] = []
        restarts: dict[str, int] = {}
        for name, answer in answers.items():
            told = _as_dict(answer)
            if isinstance(told, WorkerAway):
                away = self._monotonic() - self._away_since.get(name, self._monotonic())
                processes.append({"name": name, "reachable": False, "error": str(told), "away_seconds": away})
                continue
            runners += [{**runner, "process": name} for runner in told.pop("runners", ())]
            for child, count in told.get("restarts", {}).items():
                restarts[child] = restarts.get(child, 0) + count
            told.get("health", {}).pop("runners", None)
            processes.append({"name": name, "reachable": True, **told})
        sections = {name: section() for name, section in self._sections.items()}
        return {**sections, "processes": processes, "runners": runners, "restarts": restarts}

    async def metrics(self) -> bytes:
        """All workers' metrics in one text, each sample with the label `process`."""
        answers = await self._ask_all("/metrics")
        texts = {name: answer.decode() for name, answer in answers.items() if isinstance(answer, bytes)}
        away = [name for name, answer in answers.items() if not isinstance(answer, bytes)]
        if self._own_metrics is not None:
            texts["parent"] = self._own_metrics.render().decode()
        return merge_metrics(texts, away)

    async def _ask_all(self, path: str) -> dict[str, bytes | WorkerAway]:
        """Every worker's answer, asked at once; keeps the book of who is away since when."""
        workers = dict(self._workers())
        answers = await asyncio.gather(*(self._ask(socket, path) for socket in workers.values()))
        told = dict(zip(workers, answers, strict=True))
        now = self._monotonic()
        self._away_since = {
            name: self._away_since.get(name, now) for name, answer in told.items() if isinstance(answer, WorkerAway)
        }
        return told

    async def _ask(self, socket: str, path: str) -> bytes | WorkerAway:
        timeout = aiohttp.ClientTimeout(total=self._options.worker_seconds)
        try:
            connector = aiohttp.UnixConnector(socket, force_close=True)
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
                session.get(f"http://worker{path}") as response,
            ):
                return await self._read(response)
        except TimeoutError:
            return WorkerAway(f"no answer within {self._options.worker_seconds} s")
        except (aiohttp.ClientError, OSError) as error:
            return WorkerAway(f"{type(error).__name__}: {error}")

    async def _read(self, response: aiohttp.ClientResponse) -> bytes | WorkerAway:
        if response.status != 200:
            return WorkerAway(f"answered with status {response.status}")
        body = bytearray()
        async for part in response.content.iter_chunked(64 * 1024):
            body += part
            if len(body) > self._options.max_bytes:
                return WorkerAway(f"the answer is larger than {self._options.max_bytes} bytes")
        return bytes(body)

    def _merge_health(self, reports: Mapping[str, HealthReport | WorkerAway]) -> HealthReport:
        live: list[str] = [] if reports else ["no worker process runs"]
        ready: list[str] = [] if reports else ["no worker process runs"]
        health: list[str] = [] if reports else ["no worker process runs"]
        runners: list[RunnerHealth] = []
        for name, report in reports.items():
            if isinstance(report, WorkerAway):
                self._merge_away(name, report, live, ready, health)
                continue
            live += [f"process {name}: {reason}" for reason in report.live_reasons]
            ready += [f"process {name}: {reason}" for reason in report.ready_reasons]
            health += [f"process {name}: {reason}" for reason in report.health_reasons]
            runners += [msgspec.structs.replace(runner, process=name) for runner in report.runners]
        told = [report for report in reports.values() if isinstance(report, HealthReport)]
        latencies = [report.store_latency_ms for report in told if report.store_latency_ms is not None]
        return HealthReport(
            live_reasons=tuple(live),
            ready_reasons=tuple(ready),
            health_reasons=tuple(health),
            store_connected=bool(told) and all(report.store_connected for report in told),
            store_latency_ms=max(latencies, default=None),
            leases_available=bool(told) and all(report.leases_available for report in told),
            processes=tuple(reports),
            runners=tuple(runners),
        )

    def _merge_away(self, name: str, away: WorkerAway, live: list[str], ready: list[str], health: list[str]) -> None:
        """Not healthy at once; not ready and not live after the grace period only."""
        seconds = self._monotonic() - self._away_since.get(name, self._monotonic())
        reason = f"process {name}: unreachable for {seconds:.0f} s: {away}"
        health.append(reason)
        if seconds > self._options.grace_seconds:
            live.append(reason)
            ready.append(reason)


def _decode_statuses(
    answers: Mapping[str, bytes | WorkerAway],
) -> dict[str, HealthReport | WorkerAway]:
    told: dict[str, HealthReport | WorkerAway] = {}
    for name, answer in answers.items():
        if isinstance(answer, WorkerAway):
            told[name] = answer
            continue
        try:
            told[name] = msgspec.json.decode(answer, type=_WorkerStatus).health
        except msgspec.MsgspecError as error:
            told[name] = WorkerAway(f"its status cannot be read: {error}")
    return told


def _as_dict(answer: bytes | WorkerAway) -> dict[str, Any] | WorkerAway:
    if isinstance(answer, WorkerAway):
        return answer
    try:
        return msgspec.json.decode(answer, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        return WorkerAway(f"its status cannot be read: {error}")
