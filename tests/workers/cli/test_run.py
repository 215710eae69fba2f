"""`claimstream run`: starts everything, is found by other commands, drains, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import urllib.request
from contextlib import closing
from typing import TYPE_CHECKING

import msgspec
import pytest

from runtime.embedded.discovery import find_running
from tests.support.commands import cli, here, running_cluster
from tests.support.processes import is_gone
from tests.support.rows import row
from tests.support.waiting import PATIENCE, until_sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.commands import Cluster


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Cluster]]:
    """Give a running cluster and its data directory, for the tests that only look at it."""
    data = tmp_path_factory.mktemp("run") / "store"
    with running_cluster(data_dir=data) as cluster:
        yield data, cluster


def test_a_second_terminal_finds_the_running_cluster_by_its_data_directory(shared: tuple[Path, Cluster]) -> None:
    data, cluster = shared
    seen = cli("status", "--json", data_dir=data).json
    assert [process["pid"] for process in seen["processes"]] == [cluster.pid]
    assert {seat["owner"] for seat in seen["seats"]} == {seen["processes"][0]["incarnation"]}
    assert {group["actor"] for group in seen["groups"]} >= {"claims-processor", "auditor", "timekeeper"}
    assert all(group["backlog"] == group["pending"] == 0 for group in seen["groups"])
    assert _page(cluster.told["status"] + "/livez").strip() == "ok"


@pytest.mark.parametrize("command", ["status", "groups", "partitions", "doctor"])
def test_tables_fit_into_a_hundred_columns(shared: tuple[Path, Cluster], command: str) -> None:
    table = here(command, data_dir=shared[0]).out
    assert max(len(line.rstrip()) for line in table.splitlines()) <= 100
    assert "cache-invalidators" in table or command == "doctor"


def test_doctor_finds_a_fresh_cluster_well(shared: tuple[Path, Cluster]) -> None:
    said = here("doctor", "--json", data_dir=shared[0])
    assert said.code == 0
    assert [one for one in said.json["findings"] if one["level"] != "ok"] == []


def test_the_store_listens_on_a_port_that_is_printed(shared: tuple[Path, Cluster]) -> None:
    port = shared[1].told["port"]
    assert port >= 6379
    assert here("ping", "--json", url=f"redis://127.0.0.1:{port}").json["connected"] is True


def test_a_data_directory_in_use_is_one_line(shared: tuple[Path, Cluster]) -> None:
    data, cluster = shared
    said = cli("run", data_dir=data)
    assert said.code == 2
    assert str(cluster.pid) in said.one_line()


@pytest.mark.parametrize("partitions", ["3"])
def test_another_number_of_partitions_is_one_line(shared: tuple[Path, Cluster], partitions: str) -> None:
    data, cluster = shared
    other = {"CLAIMSTREAM_LOG__PARTITIONS": partitions}
    said = cli("run", "--quiet", url=cluster.told["store"], data_dir=data, env=other)
    assert said.code == 2
    assert "partitions" in said.one_line()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_drains_and_leaves_no_server(number: signal.Signals, tmp_path: Path) -> None:
    data = tmp_path / "store"
    with running_cluster(data_dir=data) as cluster:
        store = find_running(str(data))
        assert store is not None
        assert cluster.stop(number) == 0
        assert is_gone(store.server_pid)
        assert not (data / "store.json").exists()
        assert "stopped" in cluster.log().splitlines()[-1]
        assert "Traceback" not in cluster.log()


def test_a_killed_run_leaves_no_server(tmp_path: Path) -> None:
    data = tmp_path / "store"
    with running_cluster(data_dir=data) as cluster:
        store = find_running(str(data))
        assert store is not None
        cluster.process.kill()
        until_sync(lambda: is_gone(store.server_pid), what="the server is gone")


def test_a_store_that_dies_is_started_again(tmp_path: Path) -> None:
    data = tmp_path / "store"
    with running_cluster(data_dir=data) as cluster:
        store = find_running(str(data))
        assert store is not None
        os.kill(store.server_pid, signal.SIGKILL)

        def again() -> bool:
            found = find_running(str(data))
            return found is not None and found.server_pid != store.server_pid

        until_sync(again, what="another server runs on the data")
        until_sync(lambda: _ready(cluster.told["status"]), what="the cluster is ready again")
        assert cluster.stop() == 0


def test_some_actors_can_run_alone(tmp_path: Path) -> None:
    data = tmp_path / "store"
    with running_cluster("auditor", "analytics", data_dir=data):
        seats = here("partitions", "--json", data_dir=data).json["partitions"]
        assert {seat["actor"] for seat in seats if seat["owner"]} == {"auditor", "analytics"}


def test_a_busy_status_port_is_one_line(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        for processes in ("1", "2"):
            said = cli("run", "--port", str(port), "--processes", processes, data_dir=tmp_path / "store")
            assert said.code == 2
            assert f"port {port}" in said.one_line(), "one line, and no log line before it"


@row("S71")
def test_two_runs_on_one_store_share_its_partitions_and_one_takes_over(tmp_path: Path) -> None:
    data = tmp_path / "store"
    four = {
        "CLAIMSTREAM_LOG__PARTITIONS": "4",
        "CLAIMSTREAM_HOST__LEASE__TTL_SECONDS": "2",
        "CLAIMSTREAM_HOST__LEASE__BEAT_SECONDS": "0.4",
    }
    with running_cluster(data_dir=data, env=four) as first:
        with running_cluster(data_dir=data, url=first.told["store"], env=four) as second:
            until_sync(lambda: len(_owners(data)) == 2, what="both serve")
            second.process.kill()
        until_sync(lambda: len(_owners(data)) == 1, what="one serves all")
        assert first.stop() == 0


def _owners(data: Path) -> set[str]:
    """Who serves, when every seat is served; else nobody."""
    owners = {seat["owner"] for seat in here("partitions", "--json", data_dir=data).json["partitions"]}
    return set() if "" in owners else owners


def _ready(status: str) -> bool:
    with urllib.request.urlopen(status + "/status", timeout=PATIENCE) as answer:
        told = msgspec.json.decode(answer.read())
    return bool(told["runners"]) and all(runner["state"] in ("idle", "advancing") for runner in told["runners"])


def _page(url: str) -> str:
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        return str(answer.read().decode())


@pytest.mark.slow
class TestFleet:
    """`run --processes N`."""

    def test_one_port_answers_for_all_processes(self, tmp_path: Path) -> None:
        data = tmp_path / "store"
        with running_cluster("--processes", "2", data_dir=data, env={"CLAIMSTREAM_LOG__PARTITIONS": "2"}) as cluster:
            told = msgspec.json.decode(_page(cluster.told["status"] + "/status"))
            pids = {process["process"]["pid"] for process in told["processes"]}
            assert len(pids) == 2
            assert cluster.pid not in pids
            seen = here("status", "--json", data_dir=data).json
            assert {process["pid"] for process in seen["processes"]} == pids
            assert cluster.stop() == 0
            assert all(is_gone(pid) for pid in pids)

    def test_a_killed_parent_leaves_no_worker_and_no_server(self, tmp_path: Path) -> None:
        data = tmp_path / "store"
        with running_cluster("--processes", "2", data_dir=data) as cluster:
            pids = [process["pid"] for process in here("status", "--json", data_dir=data).json["processes"]]
            store = find_running(str(data))
            assert store is not None
            assert len(pids) == 2
            cluster.process.kill()
            until_sync(
                lambda: all(is_gone(pid) for pid in [*pids, store.server_pid]),
                what="nothing is left",
            )

    def test_a_killed_worker_is_replaced(self, tmp_path: Path) -> None:
        data = tmp_path / "store"
        with running_cluster("--processes", "2", data_dir=data) as cluster:
            before = {process["pid"] for process in here("status", "--json", data_dir=data).json["processes"]}
            os.kill(min(before), signal.SIGKILL)

            def replaced() -> bool:
                told = here("status", "--json", data_dir=data).json["processes"]
                now = {process["pid"] for process in told if process["state"] == "alive"}
                return len(now) == 2 and now != before

            until_sync(replaced, what="two workers again")
            assert cluster.stop() == 0
