"""The status endpoint: /livez /readyz /health /ready /metrics /status over HTTP, on a port or a unix socket.

Read-only: GET alone, no body, small limits, no cookies, nothing about the server's make. The probes say "ok"
or the first reason and nothing else, because they are the paths that firewalls let through.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import stat
from typing import TYPE_CHECKING, Any

import anyio
from aiohttp import web

from runtime.supervision.child import Fatal
from runtime.telemetry import status_pages
from runtime.telemetry.status_options import StatusServerOptions
from runtime.telemetry.status_pages import ServiceIdentity
from runtime.telemetry.status_source import StatusSource

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = [
    "CannotListen",
    "PortBusy",
    "ServiceIdentity",
    "StatusServer",
    "StatusServerOptions",
    "StatusSource",
]

#: Longest path of a unix socket in bytes on Linux (108 with the terminating zero).
MAX_SOCKET_PATH = 107


class CannotListen(Fatal):
    """The endpoint cannot be opened and a retry would not help: the text names it and says what to do."""


class PortBusy(CannotListen):
    """Somebody else listens at the address already."""


class StatusServer:
    """Serves a `StatusSource`; a supervised service, started again as often as needed."""

    def __init__(
        self,
        source: StatusSource,
        options: StatusServerOptions | None = None,
        identity: ServiceIdentity | None = None,
    ) -> None:
        """Opens nothing yet."""
        self._options = options or StatusServerOptions()
        self._pages = status_pages.StatusPages(source, identity or ServiceIdentity())
        self._stop = asyncio.Event()
        self._address = ""

    @property
    def address(self) -> str:
        """`http://host:port` or `unix:path` while it listens, else ""."""
        return self._address

    async def run(self, started: Callable[[], None]) -> None:
        """Serve until `stop`. PortBusy or CannotListen when the address cannot be had."""
        if self._stop.is_set():
            self._stop.clear()
            return
        runner = web.ServerRunner(_Server(self._answer, self._options), shutdown_timeout=1.0)
        await runner.setup()
        try:
            await self._listen(runner)
            started()
            await self._stop.wait()
        finally:
            listening, self._address = self._address, ""
            self._stop.clear()
            with anyio.move_on_after(3, shield=True):
                await runner.cleanup()
            if listening.startswith("unix:"):
                _remove(listening.removeprefix("unix:"))

    def stop(self) -> None:
        """End soon; legal before the start and twice."""
        self._stop.set()

    async def _listen(self, runner: web.ServerRunner) -> None:
        if self._options.unix_socket:
            await web.SockSite(runner, _bind_unix(self._options.unix_socket)).start()
            self._address = f"unix:{self._options.unix_socket}"
            return
        host, port = self._options.host, self._options.port
        try:
            await web.TCPSite(runner, host, port, reuse_address=True).start()
        except OSError as error:
            raise _listen_error(error, host, port) from error
        bound = runner.addresses[0][1]
        shown = f"[{host}]" if ":" in host else host
        self._address = f"http://{shown}:{bound}"

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            async with asyncio.timeout(self._options.answer_seconds):
                return await self._pages.answer(request)
        except TimeoutError:
            return status_pages.text(503, "fail: the status could not be found out in time\n")


class _Handler(web.RequestHandler):
    """Answers malformed requests without a word about the server or its parser."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """A plain status; the error goes to the log only, and only when it is ours."""
        if status >= 500:
            self.log_exception("Error handling a status request", exc_info=exc)
        response = status_pages.text(status, "error\n")
        response.force_close()
        return response


class _Server(web.Server):
    """aiohttp's server with bounds on connections and sizes."""

    def __init__(
        self,
        handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        options: StatusServerOptions,
    ) -> None:
        """Made on the running loop."""
        super().__init__(handler)
        self._max_connections = options.max_connections
        self._handler_options: dict[str, Any] = {
            "access_log": None,
            "keepalive_timeout": options.keepalive_seconds,
            "lingering_time": 0.0,
            "max_line_size": 2048,
            "max_field_size": 4096,
        }

    def __call__(self) -> web.RequestHandler:
        """The handler of one new connection."""
        return _Handler(self, loop=self._loop, **self._handler_options)

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Refuse what is beyond the bound."""
        super().connection_made(handler, transport)
        if len(self.connections) > self._max_connections:
            transport.abort()


def _listen_error(error: OSError, host: str, port: int) -> CannotListen:
    where = f"{host}:{port}"
    if error.errno == errno.EADDRINUSE:
        return PortBusy(f"port {port} on {host} is in use: stop the program that listens there or choose another port")
    if error.errno == errno.EACCES:
        return CannotListen(f"not allowed to listen on {where}: choose a port above 1023")
    reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
    return CannotListen(f"cannot listen on {where}: {reason}; check the host name")


def _bind_unix(path: str) -> socket.socket:
    """A bound socket at `path`, for this user only; one that a dead process left is replaced.

    One that answers is not: asyncio itself would remove the socket of a living server without asking.
    """
    if len(os.fsencode(path)) > MAX_SOCKET_PATH:
        raise CannotListen(f"the socket path {path} is longer than {MAX_SOCKET_PATH} bytes: shorten it")
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            raise CannotListen(f"{path} exists and is no socket: choose another path")
        if _answers(path):
            raise PortBusy(f"another process listens on {path}: stop it or choose another path")
        _remove(path)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        bound.bind(path)
        os.chmod(path, 0o600)  # before listen: nobody can connect in between
    except OSError as error:
        bound.close()
        raise CannotListen(f"cannot listen on {path}: {error.strerror or error}") from error
    return bound


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _answers(path: str) -> bool:
    """Whether a process accepts connections at `path`. Does not block: a unix socket connects at once."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except BlockingIOError:
            return True  # its queue is full: somebody is there
        except OSError:
            return False
        return True
