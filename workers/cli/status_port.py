"""Is the port of the status page free? Looked at before anything starts, so that a busy one is one line."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

from workers.cli.errors import Problem

if TYPE_CHECKING:
    from workers.cli.given import Given


def see_that_it_is_free(given: Given, port: int | None) -> None:
    """`Problem`: somebody listens there. What else may be wrong with the address, the server itself says.

    Whoever takes the port between this look and the start is met by the server as before.
    """
    status = given.settings().host.status
    wanted = status.port if port is None else port
    if not wanted or status.unix_socket:
        return
    try:
        with socket.socket(socket.AF_INET6 if ":" in status.host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does: no wait for old ones
            probe.bind((status.host, wanted))
    except OSError as problem:
        if problem.errno == errno.EADDRINUSE:
            raise Problem(
                f"port {wanted} on {status.host} is in use: stop the program that listens there or choose another port"
            ) from problem
