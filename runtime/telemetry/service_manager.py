"""Tells systemd (Type=notify) how this process is: ready, alive, stopping. Silent where no service manager asked.

The protocol is a datagram of `NAME=value` lines to the unix socket in NOTIFY_SOCKET (sd_notify(3)): too little for a
dependency. WATCHDOG=1 is sent only while `/livez` would be green, so that systemd restarts what Kubernetes would
restart; a blocked loop cannot send it at all. A declared wait (store away, halted) is no reason for a restart: it is
told in STATUS and the watchdog is fed.
"""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from runtime.telemetry.progress_types import HealthReport

STATUS_SECONDS = 5.0
"""Between two looks at the health when no watchdog is asked for: the line in `systemctl status` is for people."""

_LONGEST_STATUS = 300
"""Characters of a status line: a datagram is small, and so is a terminal."""


class ServiceManager:
    """A supervised service that reports to the service manager; made by `service_manager`."""

    def __init__(self, address: str, health: Callable[[], Awaitable[HealthReport]], watchdog_seconds: float) -> None:
        """`address`: value of NOTIFY_SOCKET; `watchdog_seconds`: silence after which we are killed, 0: never."""
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._health = health
        self._every = watchdog_seconds / 3 if watchdog_seconds else STATUS_SECONDS
        self._watched = bool(watchdog_seconds)
        self._told = ""
        self._owed: list[str] = []
        self._stopping = False
        self._stop = asyncio.Event()

    def ready(self) -> None:
        """Everything is up: units that wait for us may start."""
        self._owe("READY=1")

    def stopping(self) -> None:
        """The drain begins; told once."""
        if not self._stopping:
            self._stopping = True
            self._owe("STOPPING=1", "STATUS=draining")

    def stop(self) -> None:
        """End soon; legal at any time, also twice."""
        self._stop.set()

    async def run(self, started: Callable[[], None]) -> None:
        """Feed the watchdog while alive, until told to stop."""
        started()
        try:
            while not self._stop.is_set():
                self._owe()
                self._tell(await self._health())
                await self._pause()
            self.stopping()
        finally:
            self._stop.clear()

    def _tell(self, report: HealthReport) -> None:
        lines = ["WATCHDOG=1"] if self._watched and report.live else []
        status = "; ".join((*report.live_reasons, *report.health_reasons)) or "all is well"
        if status != self._told:
            self._told = status
            lines.append(f"STATUS={status.replace(chr(10), ' ')[:_LONGEST_STATUS]}")
        if lines:
            self._send(*lines)

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._every):
                await self._stop.wait()
        except TimeoutError:
            return

    def _owe(self, *lines: str) -> None:
        """Say these, or say them later: a manager that starts a whole system has its queue full for a moment."""
        self._owed += lines
        if self._owed and self._send(*self._owed):
            self._owed.clear()

    def _send(self, *lines: str) -> bool:
        """One datagram. Never blocks and never fails us: a manager that is away has no say. False: it has not heard."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.sendto("\n".join(lines).encode(), self._address)
        except OSError:
            return False
        return True


def service_manager(
    health: Callable[[], Awaitable[HealthReport]], environment: Mapping[str, str] = os.environ
) -> ServiceManager | None:
    """The manager that started this process; None: nobody did. The watchdog of another process is not ours."""
    address = environment.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return None
    meant = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    micros = environment.get("WATCHDOG_USEC", "0")
    return ServiceManager(address, health, int(micros) / 1e6 if meant and micros.isdigit() else 0.0)
