"""A laptop whose store was put back from an older copy: halted, explained, accepted, and put back from the archive."""

from __future__ import annotations

import itertools
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.commands import running_cluster
from tests.support.lab import Lab, connected, running_lab
from tests.support.waiting import until_sync

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_store_from_an_older_copy_is_halted_explained_and_made_whole_again(tmp_path: Path) -> None:
    with running_lab(tmp_path) as lab:
        lab.assigned()
        lab.rest()
    shutil.copytree(lab.data, tmp_path / "older")
    with running_cluster(data_dir=lab.data) as cluster, connected(cluster.told["store"]) as client:
        lab = Lab(lab.data, cluster, client)
        lab._policies = itertools.count(595, -3)  # the first one was taken by the first cluster
        paid = lab.paid()
        lab.rest()
        history = [(one["sequence"], one["type"], one["eventId"]) for one in lab.facts(paid)]
        assert cluster.stop() == 0
    shutil.rmtree(lab.data)
    shutil.copytree(tmp_path / "older", lab.data)

    with running_cluster(data_dir=lab.data) as cluster, connected(cluster.told["store"]) as client:
        lab = Lab(lab.data, cluster, client)
        until_sync(lambda: client.hget("claims:events:state", "halted"), what="the log is halted")
        told = lab.cs("doctor", "--json")
        assert told.code == 1
        (found,) = [
            one for one in told.json["findings"] if "ROLLED BACK" in one["seen"] and "of claims:events " in one["seen"]
        ]
        assert "claimstream archive accept" in found["advice"]
        assert lab.cs("archive", "status").code == 1
        refused = lab.cs("archive", "accept")
        assert refused.code == 2
        assert "--reason" in refused.one_line()
        accepted = lab.ok("archive", "accept", "--reason", "an older copy was put back")["accepted"]
        (claims,) = [one for one in accepted if one["log"] == "claims:events"]
        assert claims["entries"] >= len(history)
        back = lab.ok("archive", "put-back", claims["aside"])
        assert back["refused"] == []
        assert back["appended"] >= len(history)
        lab.rest()
        assert [(one["sequence"], one["type"], one["eventId"]) for one in lab.facts(paid)] == history
        assert lab.verified()["differences"] == 0
        assert lab.cs("archive", "status").code == 0
        assert lab.ok("archive", "accept", "--reason", "again")["accepted"] == []
        assert cluster.stop() == 0
