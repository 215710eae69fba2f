"""Seed 001, what is lost when something dies: nothing. Each row here has a cluster of its own, and breaks it."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.support.commands import running_cluster
from tests.support.lab import Lab, connected, running_lab
from tests.support.rows import row
from tests.support.waiting import until_sync

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(600)


@row("C9")
def test_resume_from_position_after_kill_nine_of_the_worker(tmp_path: Path) -> None:
    """Rows S35 and C9: killed in the middle of its work, started again; nothing pending, nothing twice."""
    with running_lab(tmp_path) as lab:
        claims = lab.cs("lab", "submit-test-claims", "--count", "40").out.split()
        assert lab.cluster is not None
        os.kill(lab.cluster.pid, signal.SIGKILL)
        lab.cluster.process.wait()
    with running_cluster(data_dir=lab.data) as cluster, connected(cluster.told["store"]) as client:
        lab = Lab(lab.data, cluster, client)
        for claim in claims:
            lab.until_state(claim, "ASSIGNED")
        lab.rest()
        assert client.xpending("claims:events", "processors")["pending"] == 0
        assert lab.verified()["differences"] == 0
        assert all(lab.types(claim).count("claim.assigned") == 1 for claim in claims)
        assert cluster.stop() == 0


@row("C14")
def test_nogroup_heals_and_a_deleted_log_halts_with_an_alarm(tmp_path: Path) -> None:
    """Row S35: a group that is destroyed comes back at its position. Row C14: the log itself does not."""
    with running_lab(tmp_path) as lab:
        first = lab.assigned()
        lab.rest()
        lab.client.xgroup_destroy("claims:events", "processors")
        lab.client.xgroup_destroy("claims:events", "analytics")
        second = lab.submit()
        lab.until_state(second, "ASSIGNED")
        lab.rest()
        assert lab.types(first).count("claim.assigned") == 1
        assert lab.verified()["differences"] == 0
        assert len(lab.client.xinfo_groups("claims:events")) >= 5

        lab.client.delete("claims:events")
        until_sync(lambda: lab.cs("doctor").code == 1, what="doctor says that the log is gone")
        assert not lab.client.exists("claims:events"), "it is not made again: that would hide the loss"
        found = lab.cs("doctor", "--json").json["findings"]
        assert any("claims:events" in one["seen"] for one in found if one["level"] == "fail")
