"""Options of one process, composed of those that its parts own. Apart from the tree: settings need no HTTP server."""

from __future__ import annotations

import msgspec

from runtime.cluster.lease import LeaseOptions
from runtime.floor import ServingOptions
from runtime.telemetry.loop_lag import LoopLagOptions
from runtime.telemetry.progress import ProgressOptions
from runtime.telemetry.status_options import StatusServerOptions


class HostOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of one process, composed of those that its parts own."""

    lease: LeaseOptions = LeaseOptions()
    serving: ServingOptions = ServingOptions()
    progress: ProgressOptions = ProgressOptions()
    status: StatusServerOptions = StatusServerOptions()
    loop: LoopLagOptions = LoopLagOptions()
    sample_seconds: float = 1.0
    """Seconds between two looks at the backlog. Reason: health has to notice a stall within seconds."""
    watchdog: bool = True
    """End the process when its event loop is blocked (off inside tests and the demo's own process)."""
