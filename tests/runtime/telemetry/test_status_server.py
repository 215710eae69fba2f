"""The status endpoint over real HTTP: verdicts, bodies, limits, addresses."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from runtime.signals import Bus
from runtime.supervision import Fatal
from runtime.supervision.signals import ChildFailed, ChildStarted
from runtime.telemetry.metrics import Metrics
from runtime.telemetry.metrics_subscriber import MetricsSubscriber
from runtime.telemetry.progress import Progress, ProgressOptions
from runtime.telemetry.status_server import (
    CannotListen,
    PortBusy,
    ServiceIdentity,
    StatusServer,
    StatusServerOptions,
)
from runtime.telemetry.status_source import LocalStatus
from runtime.testing.startstop import stress
from tests.support.telemetry import running, sample, settled, waits
from tests.support.waiting import PATIENCE, until

if TYPE_CHECKING:
    from pathlib import Path

    from runtime.telemetry.progress_types import HealthReport


class Process:
    """One process's telemetry, with a clock that is moved by hand."""

    def __init__(self, **options: Any) -> None:
        self.now = 0.0
        self.bus, self.metrics = Bus(), Metrics()
        self.progress = Progress(ProgressOptions(stall_after_seconds=30))
        self.local = LocalStatus(
            self.progress,
            self.metrics,
            monotonic=lambda: self.now,
            identity={"id": "p1"},
            sections={"owners": lambda: {"g/0": "p1"}, "broken": lambda: 1 / 0},
            registered=lambda: ["p1", "p2"],
        )
        self.bus.subscribe(MetricsSubscriber(self.metrics))
        self.bus.subscribe(self.local)
        self.progress.serve("actor-g", "g", 0, 0.0)
        self.progress.started()
        identity = ServiceIdentity(service="engine", version="1.2.3")
        self.server = StatusServer(self.local, StatusServerOptions(**options), identity)


async def get(server: StatusServer, path: str, method: str = "GET", **more: Any) -> tuple[int, str, Any]:
    """Status, body and headers."""
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, server.address + path, **more) as answer,
    ):
        return answer.status, await answer.text(), answer.headers


async def get_json(server: StatusServer, path: str) -> tuple[int, dict[str, Any]]:
    async with aiohttp.ClientSession() as session, session.get(server.address + path) as answer:
        return answer.status, await answer.json()


async def raw(server: StatusServer, request: bytes) -> bytes:
    """What comes back for these bytes, until the server closes."""
    host, port = server.address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    async with asyncio.timeout(PATIENCE):
        answer = await reader.read()
    writer.close()
    return answer


async def test_a_stuck_actor_with_backlog_turns_livez_red_and_a_declared_wait_does_not() -> None:
    process = Process()
    async with running(process.server) as server:
        assert (await get(server, "/livez"))[:2] == (200, "ok\n")
        process.local.observe_backlog(sample(10))
        process.now = 60.0
        status, text, _ = await get(server, "/livez")
        assert (status, text) == (503, "fail: g/0: 10 entries of backlog and nothing settled for 60 s\n")
        process.bus.emit(waits("store_away", "timed out"))
        assert (await get(server, "/livez"))[:2] == (200, "ok\n")
        assert (await get(server, "/readyz"))[:2] == (503, "fail: store: timed out\n")
        assert (await get(server, "/health"))[0] == 503


async def test_health_has_the_body_that_earlier_clients_parse() -> None:
    process = Process()
    async with running(process.server) as server:
        process.local.observe_backlog(sample(0))
        status, body = await get_json(server, "/health")
        assert (status, body["status"], body["service"], body["version"]) == (
            200,
            "healthy",
            "engine",
            "1.2.3",
        )
        assert (body["database"], body["redis"], body["registeredServices"]) == (
            "connected",
            "connected",
            ["p1", "p2"],
        )
        assert set(body["cache"]) == {"status", "service", "latency", "connected", "timestamp"}
        assert body["timestamp"].endswith("Z")
        assert body["uptime"] >= 0
        process.progress.store_reachable(False, "refused")
        status, body = await get_json(server, "/health")
        assert (status, body["redis"], body["cache"]["connected"]) == (503, "disconnected", False)
        status, body = await get_json(server, "/ready")
        assert (status, body["dependencies"]["redis"]) == (503, "disconnected")


async def test_a_halted_partition_shows_in_health_and_status_while_livez_stays_green() -> None:
    process = Process()
    async with running(process.server) as server:
        process.bus.emit(settled("torn"))
        assert (await get(server, "/livez"))[0] == 200
        assert (await get_json(server, "/health"))[0] == 503
        _, body = await get_json(server, "/status")
        assert (body["health"]["live"], body["health"]["healthy"]) == (True, False)
        assert body["runners"][0]["waits"] == {"halted": "settle answered torn"}


async def test_ready_names_each_dependency() -> None:
    process = Process()
    async with running(process.server) as server:
        status, body = await get_json(server, "/ready")
        assert (status, body["dependencies"]) == (
            200,
            {"database": "connected", "redis": "connected", "leases": "available"},
        )
        process.progress.leases_available(False)
        status, body = await get_json(server, "/ready")
        assert (status, body["dependencies"]["leases"]) == (503, "unavailable")


async def test_metrics_are_what_prometheus_parses() -> None:
    process = Process()
    async with running(process.server) as server:
        process.local.observe_backlog(sample(3, 4))
        status, text, headers = await get(server, "/metrics")
        assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
        families = {family.name: family for family in text_string_to_metric_families(text)}
        (point,) = families["claimstream_backlog_entries"].samples
        assert (point.value, point.labels) == (7, {"group": "g", "partition": "0"})


async def test_status_tells_runners_positions_restarts_and_what_the_host_adds() -> None:
    process = Process()
    async with running(process.server) as server:
        process.local.observe_backlog(sample(3, 4))
        process.bus.emit(ChildStarted("host", "reader", 1, 0.1))
        process.bus.emit(ChildFailed("host", "reader", 1, "boom", True, True))
        process.bus.emit(ChildStarted("host", "reader", 2, 0.1))
        process.now = 2.0
        status, body = await get_json(server, "/status")
        assert status == 200
        assert body["process"] == {"id": "p1", "uptime_seconds": 2.0}
        (runner,) = body["runners"]
        assert (runner["actor"], runner["state"], runner["undelivered"], runner["pending"]) == (
            "actor-g",
            "advancing",
            3,
            4,
        )
        assert (runner["position"], runner["parked"]) == ("1700000000123-4", 2)
        assert (body["restarts"], body["last_failures"]) == ({"reader": 1}, {"reader": "boom"})
        assert (body["owners"], body["broken"]) == (
            {"g/0": "p1"},
            {"error": "ZeroDivisionError: division by zero"},
        )


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS"])
async def test_only_get_is_answered(method: str) -> None:
    async with running(Process().server) as server:
        status, _, headers = await get(server, "/status", method)
        assert (status, headers["Allow"]) == (405, "GET")


async def test_other_paths_and_bodies_are_refused() -> None:
    async with running(Process().server) as server:
        assert (await get(server, "/"))[0] == 404
        assert (await get(server, "/livez/../status"))[0] == 200  # the client resolves it: no way around
        assert (await get(server, "/livez", data=b"x"))[0] == 413


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        b"GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        b"\x16\x03\x01 nonsense\r\n\r\n",
        b"GET /" + b"x" * 10_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: " + b"x" * 20_000 + b"\r\n\r\n",
    ],
)
async def test_no_answer_tells_what_the_server_is_made_of(request_bytes: bytes) -> None:
    async with running(Process().server) as server:
        answer = (await raw(server, request_bytes)).lower()
    assert answer.startswith(b"http/1.")
    assert b"server: claimstream\r\n" in answer
    assert b"aiohttp" not in answer
    assert b"python" not in answer


async def test_connections_beyond_the_bound_are_closed_and_those_within_go_on() -> None:
    process = Process(max_connections=2)
    async with running(process.server) as server:
        host, port = server.address.removeprefix("http://").split(":")
        opened = [await asyncio.open_connection(host, int(port)) for _ in range(2)]
        reader, writer = await asyncio.open_connection(host, int(port))
        async with asyncio.timeout(PATIENCE):
            try:
                assert await reader.read() == b""
            except ConnectionError:
                pass
        writer.close()
        opened[0][1].write(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"200" in await opened[0][0].readline()
        for _, connection in opened:
            connection.close()


async def test_an_answer_that_takes_too_long_is_a_failure_and_not_a_hang() -> None:
    class Stuck(LocalStatus):
        async def health(self) -> HealthReport:
            await asyncio.Event().wait()
            raise AssertionError

    stuck = Stuck(Progress(), Metrics(), monotonic=time.monotonic)
    async with running(StatusServer(stuck, StatusServerOptions(answer_seconds=0.05))) as server:
        assert (await get(server, "/livez"))[0] == 503
        assert (await get(server, "/metrics"))[0] == 200


async def test_a_busy_port_is_one_clear_error_that_names_it() -> None:
    async with running(Process().server) as first:
        port = int(first.address.rpartition(":")[2])
        second = Process(port=port).server
        with pytest.raises(PortBusy) as problem:
            await second.run(lambda: None)
        expected = f"port {port} on 127.0.0.1 is in use: stop the program that listens there"
        assert str(problem.value).startswith(expected)
        assert "\n" not in str(problem.value)
        assert isinstance(problem.value, Fatal)
        assert (await get(first, "/livez"))[0] == 200


async def test_a_host_that_is_not_ours_is_one_clear_error() -> None:
    with pytest.raises(CannotListen, match=r"cannot listen on 192\.0\.2\.1:0: .*; check the host name"):
        await Process(host="192.0.2.1").server.run(lambda: None)


async def unix_get(path: Path) -> int:
    async with (
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as session,
        session.get("http://x/livez") as answer,
    ):
        return answer.status


async def test_a_unix_socket_is_for_its_user_alone_and_goes_with_the_server(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    async with running(Process(unix_socket=str(path)).server) as server:
        assert server.address == f"unix:{path}"
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert await unix_get(path) == 200
    assert not path.exists()
    assert server.address == ""


async def test_a_socket_that_a_dead_process_left_is_replaced_and_a_living_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    async with running(Process(unix_socket=str(path)).server):
        with pytest.raises(PortBusy, match="another process listens on"):
            await Process(unix_socket=str(path)).server.run(lambda: None)
        assert await unix_get(path) == 200


async def test_a_path_that_cannot_be_a_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotListen, match="longer than 107 bytes"):
        await Process(unix_socket="/tmp/" + "x" * 120).server.run(lambda: None)
    file = tmp_path / "file"
    file.write_text("precious")
    with pytest.raises(CannotListen, match="is no socket"):
        await Process(unix_socket=str(file)).server.run(lambda: None)
    assert file.read_text() == "precious"
    with pytest.raises(CannotListen, match="cannot listen on"):
        await Process(unix_socket=str(tmp_path / "none" / "s")).server.run(lambda: None)


async def test_it_starts_again_after_it_was_stopped() -> None:
    server = Process().server
    for _ in range(3):
        async with running(server):
            assert (await get(server, "/livez"))[0] == 200


async def test_stop_before_the_start_and_twice_is_legal() -> None:
    server = Process().server
    server.stop()
    server.stop()
    async with asyncio.timeout(PATIENCE):
        await server.run(lambda: None)
    async with running(server):
        assert (await get(server, "/livez"))[0] == 200


async def test_starts_and_stops_in_any_order_leave_nothing(tmp_path: Path) -> None:
    class Stressed:
        def __init__(self) -> None:
            self.server = Process().server

        async def run(self) -> None:
            await self.server.run(lambda: None)

        def stop(self) -> None:
            self.server.stop()

    assert await stress(Stressed, tasks=1, rounds=30) == 30


async def test_a_cancelled_server_gives_its_port_back() -> None:
    server = Process().server
    task = asyncio.create_task(server.run(lambda: None))
    await until(lambda: server.address, what="it listens")
    port = int(server.address.rpartition(":")[2])
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with running(Process(port=port).server) as second:
        assert (await get(second, "/livez"))[0] == 200
