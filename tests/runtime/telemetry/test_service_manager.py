"""What systemd hears from us, on a real datagram socket."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING

import pytest

from runtime.telemetry.progress_types import HealthReport
from runtime.telemetry.service_manager import ServiceManager, service_manager
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Manager:
    """The other end: what was said until now."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.setblocking(False)
        self.heard: list[str] = []

    def hears(self) -> list[str]:
        """Take in what is there; every line so far."""
        while True:
            try:
                self.heard += self.socket.recv(4096).decode().split("\n")
            except BlockingIOError:
                return self.heard


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    one = Manager(str(tmp_path / "notify"))
    yield one
    one.socket.close()


def told(tmp_path: Path, **more: str) -> dict[str, str]:
    return {"NOTIFY_SOCKET": str(tmp_path / "notify"), **more}


class Health:
    """A health that the test sets."""

    def __init__(self) -> None:
        self.report = HealthReport()

    async def __call__(self) -> HealthReport:
        return self.report


async def test_the_watchdog_is_fed_while_alive_and_not_when_a_restart_would_help(
    manager: Manager, tmp_path: Path
) -> None:
    health = Health()
    one = service_manager(health, told(tmp_path, WATCHDOG_USEC="30000", WATCHDOG_PID=str(os.getpid())))
    assert one is not None
    task = asyncio.create_task(one.run(one.ready))
    await until(lambda: manager.hears().count("WATCHDOG=1") > 2, what="the watchdog is fed")
    assert manager.heard[0] == "READY=1"
    assert "STATUS=all is well" in manager.heard
    health.report = HealthReport(live_reasons=("analytics/0 does not advance",), health_reasons=("analytics/0",))
    await until(lambda: "does not advance" in manager.hears()[-1], what="the reason is told")
    fed = manager.hears().count("WATCHDOG=1")
    await asyncio.sleep(0.06)  # two thirds of the watchdog's limit more: silence is what is looked for
    assert manager.hears().count("WATCHDOG=1") == fed
    one.stop()
    await task
    assert manager.hears()[-2:] == ["STOPPING=1", "STATUS=draining"]


async def test_a_declared_wait_is_told_but_feeds_the_watchdog(manager: Manager, tmp_path: Path) -> None:
    health = Health()
    health.report = HealthReport(ready_reasons=("store: away",), health_reasons=("store: away\nfor long",))
    one = service_manager(health, told(tmp_path, WATCHDOG_USEC="30000"))
    assert one is not None
    task = asyncio.create_task(one.run(lambda: None))
    await until(lambda: manager.hears().count("WATCHDOG=1") > 1, what="the watchdog is fed")
    assert "STATUS=store: away for long" in manager.heard
    one.stop()
    await task


async def test_the_end_is_told_once_whoever_tells_it_first(manager: Manager, tmp_path: Path) -> None:
    one = service_manager(Health(), told(tmp_path))
    assert one is not None
    one.stopping()
    one.stop()
    await one.run(lambda: None)
    assert manager.hears().count("STOPPING=1") == 1


async def test_the_watchdog_of_another_process_is_not_fed(manager: Manager, tmp_path: Path) -> None:
    one = service_manager(Health(), told(tmp_path, WATCHDOG_USEC="30000", WATCHDOG_PID="1"))
    assert one is not None
    task = asyncio.create_task(one.run(one.ready))
    await until(lambda: "STATUS=all is well" in manager.hears(), what="the status is told")
    one.stop()
    await task
    assert "WATCHDOG=1" not in manager.hears()


async def test_an_abstract_address_is_reached() -> None:
    name = f"claimstream-test-{os.getpid()}"
    other = Manager(f"\0{name}")
    try:
        ServiceManager(f"@{name}", Health(), 0.0).ready()
        assert other.hears() == ["READY=1"]
    finally:
        other.socket.close()


async def test_a_manager_whose_queue_is_full_hears_that_we_are_ready_all_the_same(
    manager: Manager, tmp_path: Path
) -> None:
    one = service_manager(Health(), told(tmp_path, WATCHDOG_USEC="30000"))
    assert one is not None
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as others:
        others.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                others.sendto(b"X=1", str(tmp_path / "notify"))
    one.ready()
    task = asyncio.create_task(one.run(lambda: None))
    await until(lambda: "READY=1" in manager.hears(), what="it is told once there is room")
    one.stop()
    await task
    assert manager.hears().count("READY=1") == 1


async def test_a_manager_that_is_gone_disturbs_nobody(tmp_path: Path) -> None:
    one = service_manager(Health(), told(tmp_path))
    assert one is not None
    one.ready()


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1"}])
def test_without_a_service_manager_nothing_is_told(environment: dict[str, str]) -> None:
    assert service_manager(Health(), environment) is None
