"""One endpoint for many processes: merged metrics that parse, merged health, a worker that is away."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from runtime.telemetry.fleet_view import FleetView, FleetViewOptions
from runtime.telemetry.merging_metrics import merge_metrics
from runtime.telemetry.metrics import Metrics
from runtime.telemetry.metrics_subscriber import MetricsSubscriber
from runtime.telemetry.progress import Progress
from runtime.telemetry.status_server import StatusServer, StatusServerOptions
from runtime.telemetry.status_source import LocalStatus
from tests.support.telemetry import running, sample, settled, waits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class Fleet:
    """Two workers on unix sockets, each serving one partition, and the view of their parent."""

    def __init__(self, folder: Path) -> None:
        self.now = 0.0
        self.sockets = {str(number): str(folder / f"{number}.sock") for number in range(2)}
        self.locals: dict[str, LocalStatus] = {}
        self.servers: dict[str, StatusServer] = {}
        for name, path in self.sockets.items():
            progress, metrics = Progress(), Metrics()
            progress.serve("actor-g", "g", int(name), 0.0)
            progress.started()
            self.locals[name] = LocalStatus(
                progress, metrics, monotonic=lambda: self.now, identity={"pid": int(name) + 100}
            )
            MetricsSubscriber(metrics)(settled(partition=int(name), entries=10 + int(name)))
            self.servers[name] = StatusServer(self.locals[name], StatusServerOptions(unix_socket=path))
        self.view = FleetView(
            lambda: self.sockets,
            monotonic=lambda: self.now,
            options=FleetViewOptions(worker_seconds=0.5, grace_seconds=30),
            own_metrics=Metrics(version="parent"),
            sections={"fleet": lambda: {"workers": 2}},
        )
        self.front = StatusServer(self.view)

    async def get(self, path: str) -> tuple[int, str]:
        async with aiohttp.ClientSession() as session, session.get(self.front.address + path) as answer:
            return answer.status, await answer.text()

    async def get_json(self, path: str) -> dict[str, Any]:
        async with aiohttp.ClientSession() as session, session.get(self.front.address + path) as answer:
            told: dict[str, Any] = await answer.json()
            return told


@asynccontextmanager
async def fleet(folder: Path, *, only: tuple[str, ...] = ("0", "1")) -> AsyncIterator[Fleet]:
    made = Fleet(folder)
    async with AsyncExitStack() as stack:
        for name in only:
            await stack.enter_async_context(running(made.servers[name]))
        await stack.enter_async_context(running(made.front))
        yield made


async def test_one_port_shows_the_metrics_of_all_processes_and_parses(tmp_path: Path) -> None:
    async with fleet(tmp_path) as made:
        status, text = await made.get("/metrics")
    assert status == 200
    families = {family.name: family for family in text_string_to_metric_families(text)}
    batches = families["claimstream_batch_entries"].samples
    assert {(point.labels["process"], point.value) for point in batches} == {("0", 10), ("1", 11)}
    assert all("process" in point.labels for family in families.values() for point in family.samples)
    reachable = families["claimstream_process_reachable"].samples
    assert {(point.labels["process"], point.value) for point in reachable} == {
        ("0", 1),
        ("1", 1),
        ("parent", 1),
    }


async def test_each_family_has_one_help_and_one_type_above_all_its_samples(tmp_path: Path) -> None:
    async with fleet(tmp_path) as made:
        _, text = await made.get("/metrics")
    lines = text.splitlines()
    for word in ("# HELP ", "# TYPE "):
        named = [line.split()[2] for line in lines if line.startswith(word)]
        assert len(named) == len(set(named)), word
    kinds = {line.split()[2]: line.split()[3] for line in lines if line.startswith("# TYPE ")}
    assert kinds["claimstream_handle_seconds"] == "histogram"
    assert kinds["claimstream_batches_total"] == "counter"
    counts = [line for line in lines if line.startswith("claimstream_handle_seconds_count{")]
    assert len(counts) == 2


async def test_a_stalled_runner_in_any_process_turns_the_whole_red(tmp_path: Path) -> None:
    async with fleet(tmp_path) as made:
        assert (await made.get("/livez")) == (200, "ok\n")
        made.locals["1"].observe_backlog(sample(5, partition=1))
        made.now = 60.0
        status, text = await made.get("/livez")
        assert status == 503
        assert text.startswith("fail: process 1: g/1: 5 entries of backlog")


async def test_a_declared_wait_in_one_process_is_told_and_keeps_livez_green(tmp_path: Path) -> None:
    async with fleet(tmp_path) as made:
        made.locals["0"](waits("store_away", "timed out"))
        assert (await made.get("/livez"))[0] == 200
        assert (await made.get("/readyz")) == (503, "fail: process 0: store: timed out\n")
        health = await made.get_json("/health")
        assert (health["status"], health["redis"]) == ("unhealthy", "disconnected")
        assert health["registeredServices"] == ["0", "1"]


async def test_status_shows_each_runner_with_its_process(tmp_path: Path) -> None:
    async with fleet(tmp_path) as made:
        made.locals["0"].observe_backlog(sample(5, partition=0))
        status = await made.get_json("/status")
    assert [(runner["process"], runner["partition"]) for runner in status["runners"]] == [("0", 0), ("1", 1)]
    assert status["runners"][0]["undelivered"] == 5
    assert [process["process"]["pid"] for process in status["processes"]] == [100, 101]
    assert status["fleet"] == {"workers": 2}
    assert status["health"]["live"] is True


async def test_a_worker_that_is_away_turns_livez_red_after_the_grace_period_only(tmp_path: Path) -> None:
    async with fleet(tmp_path, only=("0",)) as made:
        made.now = 100.0
        assert (await made.get("/livez"))[0] == 200
        assert (await made.get_json("/health"))["status"] == "unhealthy"
        made.now = 130.0
        assert (await made.get("/livez"))[0] == 200
        made.now = 131.0
        status, text = await made.get("/livez")
        assert status == 503
        assert text.startswith("fail: process 1: unreachable for 31 s")
        processes = (await made.get_json("/status"))["processes"]
        assert [process["reachable"] for process in processes] == [True, False]
        _, metrics = await made.get("/metrics")
        assert 'claimstream_process_reachable{process="1"} 0.0' in metrics


async def test_a_worker_that_came_back_starts_its_grace_anew(tmp_path: Path) -> None:
    async with fleet(tmp_path, only=("0",)) as made:
        assert (await made.get("/livez"))[0] == 200
        made.now = 20.0
        async with running(made.servers["1"]):
            assert (await made.get("/livez"))[0] == 200
        made.now = 45.0
        assert (await made.get("/livez"))[0] == 200


async def test_a_worker_that_accepts_and_says_nothing_counts_as_away(tmp_path: Path) -> None:
    hold = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await hold.wait()
        writer.close()

    async with fleet(tmp_path, only=("0",)) as made:
        mute = await asyncio.start_unix_server(silent, made.sockets["1"])
        processes = (await made.get_json("/status"))["processes"]
        hold.set()
        mute.close()
        await mute.wait_closed()
    assert (processes[1]["reachable"], processes[1]["error"]) == (False, "no answer within 0.5 s")


async def test_a_worker_that_answers_nonsense_counts_as_away(tmp_path: Path) -> None:
    async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{bad} = 1")
        await writer.drain()
        writer.close()

    async with fleet(tmp_path, only=("0",)) as made:
        server = await asyncio.start_unix_server(nonsense, made.sockets["1"])
        assert "process 1: unreachable" in (await made.get_json("/health"))["reasons"][-1]
        _, metrics = await made.get("/metrics")
        server.close()
        await server.wait_closed()
    assert 'claimstream_process_reachable{process="1"} 0.0' in metrics
    assert 'claimstream_process_reachable{process="0"} 1.0' in metrics


async def test_a_fleet_without_workers_is_not_live() -> None:
    report = await FleetView(dict, monotonic=lambda: 0.0).health()
    assert (report.live, report.ready, report.healthy) == (False, False, False)


def test_a_family_that_changed_its_type_between_versions_does_not_break_the_text() -> None:
    old = "# HELP a_b old\n# TYPE a_b gauge\na_b 1\n"
    new = '# HELP a_b new\n# TYPE a_b histogram\na_b_bucket{le="+Inf"} 2\na_b_sum 1\na_b_count 2\n'
    merged = merge_metrics({"0": old, "1": new}).decode()
    families = {family.name: family for family in text_string_to_metric_families(merged)}
    assert [(point.labels, point.value) for point in families["a_b"].samples] == [({"process": "0"}, 1)]
    assert "a_b_bucket" not in merged


def test_label_values_keep_their_odd_characters() -> None:
    odd = 'quote " back \\ line \n end'
    metrics = Metrics()
    metrics.count("claimstream_handler_failures_total", odd)
    merged = merge_metrics({"0": metrics.render().decode()}).decode()
    families = {family.name: family for family in text_string_to_metric_families(merged)}
    (point,) = families["claimstream_handler_failures"].samples
    assert point.labels == {"actor": odd, "process": "0"}
