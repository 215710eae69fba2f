"""Options of the status endpoint, apart from the endpoint itself: whoever only reads settings needs no HTTP server."""

from __future__ import annotations

import msgspec


class StatusServerOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Where to listen, and limits."""

    #: Address to bind; only this machine by default, since /status tells much.
    host: str = "127.0.0.1"
    #: TCP port; 0 lets the system choose (see `StatusServer.address`).
    port: int = 0
    #: Path of a unix socket (mode 0600); when given, `host` and `port` are not used.
    unix_socket: str = ""
    #: Seconds for one answer; then 503. Kubernetes gives a probe 1 s by default.
    answer_seconds: float = 5.0
    #: Connections at the same time; more are closed at once. Prometheus and probes need a handful.
    max_connections: int = 64
    #: Seconds that an idle connection stays open.
    keepalive_seconds: float = 15.0
