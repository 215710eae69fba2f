"""A server with users that was killed has everything when it comes back.

Debian's `redis-server` is one of the many that play their append-only file as the user `default` and pass over each
MULTI (what a function wrote) that it may not do, without a word: redis/redis#14541. The server of the wheel does not.
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.commands import running_cluster
from tests.support.secured_server import secured_server
from tests.support.waiting import until_sync

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.secured_server import SecuredServer

BINARY = shutil.which("redis-server")
CLAIM = {"policyId": "POL-521585", "customerId": "CUST-521585", "amount": 4200, "type": "auto", "description": "dent"}

pytestmark = [
    pytest.mark.deploy,
    pytest.mark.timeout(120),
    pytest.mark.skipif(BINARY is None, reason="no redis-server on PATH: apt-get install redis-server"),
]


def served_and_at_rest(server: SecuredServer) -> bool:
    groups = server.done("groups", "--json").json["groups"]
    return bool(groups) and not any(one["backlog"] for one in groups)


def test_a_store_with_users_that_was_killed_comes_back_with_every_claim_and_nobody_was_refused(tmp_path: Path) -> None:
    with secured_server(tmp_path, BINARY) as server:
        server.done("prepare")
        (tmp_path / "claim.json").write_text(json.dumps(CLAIM))
        with running_cluster("--port", "0", data_dir=tmp_path / "d", url=server.url, env=server.environment) as cluster:
            server.done("lab", "load-sample-data")
            claims = [server.done("claim", "submit", str(tmp_path / "claim.json")).out.strip() for _ in range(3)]
            until_sync(lambda: served_and_at_rest(server), within=30, what="every group has settled them")
            assert cluster.stop() == 0
        before = [server.done("claim", "history", claim, "--json").json for claim in claims]
        server.kill()
        server.start()
        assert [server.done("claim", "history", claim, "--json").json for claim in claims] == before
        assert server.done("verify", "--json").json["ok"] is True
        findings = {one["name"]: one for one in server.done("doctor", "--json").json["findings"]}
        assert findings["persistence"]["level"] == "ok"
