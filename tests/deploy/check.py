"""`make deploy-check`: every validator that can run here; what cannot is named, with the reason. Exit 1: a failure."""

from __future__ import annotations

import sys
import time

from tests.deploy.validators import ALL, Outcome
from tests.support.source_tree import ROOT

NEEDS_A_CLUSTER = (
    ("Kubernetes API server, KEDA, Prometheus operator", "no API server runs here; the manifests were validated only"),
    ("images of registries", "no registry is asked; `make deploy-drill` builds stand-ins from Debian's packages"),
    ("systemd as process 1", "units are verified, and the notify protocol is tested on its socket"),
)
"""What no validator can show: (what, why)."""


def main() -> int:
    """Print one line per check, then what was not checked."""
    outcomes: list[Outcome] = []
    for validator in ALL:
        started = time.monotonic()
        outcome = validator.run(ROOT)
        outcomes.append(outcome)
        sys.stdout.write(f"{outcome.state:7} {validator.name}: {outcome.told} ({time.monotonic() - started:.1f} s)\n")
        sys.stdout.flush()
    for what, why in NEEDS_A_CLUSTER:
        sys.stdout.write(f"never   {what}: {why}\n")
    counts = {state: sum(outcome.state == state for outcome in outcomes) for state in ("ok", "failed", "absent")}
    sys.stdout.write(", ".join(f"{count} {state}" for state, count in counts.items()) + "\n")
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
