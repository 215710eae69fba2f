"""systemd and supervisord: real processes of ours talk the real protocol, and the shipped files are what they need."""

from __future__ import annotations

import configparser
import os
import re
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from config.loading import load
from tests.deploy.manifests import DEPLOY
from tests.support.commands import running_cluster
from tests.support.processes import is_gone
from tests.support.source_tree import ROOT
from tests.support.waiting import until_sync
from workers.routing import ROUTES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UNIT = (DEPLOY / "systemd" / "claimstream.service").read_text(encoding="utf-8")
SUPERVISORD = ROOT / ".venv" / "deploy" / "bin" / "supervisord"


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """A socket as systemd gives one, and its address."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(str(tmp_path / "notify"))
        end.setblocking(False)
        yield str(tmp_path / "notify"), end


def said(end: socket.socket, heard: list[str]) -> list[str]:
    while True:
        try:
            heard += end.recv(4096).decode().split("\n")
        except BlockingIOError:
            return heard


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "words",
    [pytest.param((), id="one process", marks=pytest.mark.deploy), pytest.param(("--processes", "2"), id="as shipped")],
)
def test_systemd_hears_ready_then_the_watchdog_then_stopping(
    words: tuple[str, ...], manager: tuple[str, socket.socket], tmp_path: Path
) -> None:
    address, end = manager
    heard: list[str] = []
    told = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "600000"}
    with running_cluster("--port", "0", *words, data_dir=tmp_path / "store", env=told) as cluster:
        until_sync(lambda: "READY=1" in said(end, heard), what="it is ready")
        until_sync(lambda: said(end, heard).count("WATCHDOG=1") > 2, what="the watchdog is fed")
        assert "STOPPING=1" not in heard
        assert cluster.stop(within=30) == 0
        assert said(end, heard).count("READY=1") == 1, "a worker spoke for its parent"
        assert heard.count("STOPPING=1") == 1


def test_the_unit_gives_the_drain_the_time_it_needs_and_a_stall_less() -> None:
    settings = load("production", environment={})
    values = dict(re.findall(r"^(\w+)=(\d+)$", UNIT, re.M))
    assert int(values["TimeoutStopSec"]) > settings.fleet.drain_seconds + settings.fleet.kill_seconds
    assert (
        3 * settings.host.progress.loop_blocked_seconds < int(values["WatchdogSec"]) <= int(values["TimeoutStartSec"])
    )
    assert {"Type=notify", "NotifyAccess=main", "Restart=on-failure"} <= set(UNIT.splitlines())


def test_the_unit_brings_the_passwords_of_its_own_users_and_no_other() -> None:
    users = set(re.findall(r"^LoadCredential=([\w-]+):/etc/claimstream/users/", UNIT, re.M))
    assert users == {"worker", *(one.actor for one in ROUTES if not (one.simulation or one.bank))}


def supervised(tmp_path: Path) -> Path:
    """The shipped programs under a supervisord of the test's own: other places, and a store that comes along."""
    shipped = configparser.RawConfigParser(inline_comment_prefixes=None, comment_prefixes=(";",))
    shipped.read(DEPLOY / "supervisord" / "claimstream.conf")
    shipped.remove_section("program:claimstream-exporter")  # it would need the store of the other at its start
    program = shipped["program:claimstream"]
    program["command"] = program["command"].replace("claimstream run", f"{sys.executable} -m workers run")
    program["command"] = program["command"].replace("8080", f"0 --json --data-dir {tmp_path}/store")
    program["environment"] = 'CLAIMSTREAM_PROFILE="test"'
    program["directory"] = str(ROOT)
    program["startsecs"] = "1"
    for key in ("stdout_logfile", "stderr_logfile"):
        program[key] = str(tmp_path / program[key].rpartition("/")[2])
    shipped["supervisord"] = {
        "nodaemon": "true", "logfile": f"{tmp_path}/supervisord.log", "pidfile": f"{tmp_path}/supervisord.pid",
    }  # fmt: skip
    file = tmp_path / "supervisord.conf"
    with open(file, "w", encoding="utf-8") as out:
        shipped.write(out)
    return file


@pytest.mark.deploy
@pytest.mark.timeout(600)
@pytest.mark.skipif(not SUPERVISORD.exists(), reason="supervisord is not installed: make deploy-check brings it")
def test_supervisord_starts_the_example_brings_it_back_and_lets_it_drain(tmp_path: Path) -> None:
    log = tmp_path / "supervisord.log"
    log.touch()
    process = subprocess.Popen(
        [str(SUPERVISORD), "-c", str(supervised(tmp_path))], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until_sync(lambda: "entered RUNNING" in log.read_text(), what="supervisord counts it as running")
        out = tmp_path / "out.log"  # made before the program starts
        until_sync(lambda: '"processes":2' in out.read_text(), what="both processes can work")
        (first,) = re.findall(r"spawned: 'claimstream' with pid (\d+)", log.read_text())
        os.kill(int(first), signal.SIGKILL)
        until_sync(lambda: log.read_text().count("entered RUNNING") == 2, within=60, what="it is brought back")
        second = re.findall(r"spawned: 'claimstream' with pid (\d+)", log.read_text())[-1]
        process.terminate()
        process.wait(60)
        assert "exited: claimstream" in log.read_text() or "stopped: claimstream" in log.read_text()
        assert "killing" not in log.read_text(), "it did not drain within stopwaitsecs"
        assert is_gone(int(second))
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
