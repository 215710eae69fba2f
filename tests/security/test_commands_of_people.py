"""Each command of a person works on a store with users, as the user that it takes: none of them lacks a right."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import redis

from tests.support.commands import running_cluster
from tests.support.secured_server import SecuredServer, secured_server
from tests.support.waiting import until_sync

if TYPE_CHECKING:
    from pathlib import Path

CLAIM = {"policyId": "POL-521585", "customerId": "CUST-521585", "amount": 4200, "type": "auto", "description": "dent"}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def at_rest(server: SecuredServer) -> bool:
    groups = server.done("groups", "--json").json["groups"]
    return bool(groups) and not any(one["backlog"] for one in groups)


def is_verified(server: SecuredServer) -> bool:
    return server.say("verify", "--json").code == 0


def work(server: SecuredServer, folder: Path, number: int) -> list[str]:
    """Some claims: their ids."""
    (folder / "claim.json").write_text(json.dumps(CLAIM))
    made = [server.done("claim", "submit", str(folder / "claim.json")).out.strip() for _ in range(number)]
    until_sync(lambda: at_rest(server), within=30, what="every group has settled them")
    return made


def test_backup_destroy_restore_verify_from_the_command_line_each_step_as_its_own_user(tmp_path: Path) -> None:
    with secured_server(tmp_path) as server:
        server.done("prepare")
        with running_cluster("--port", "0", data_dir=tmp_path / "d", url=server.url, env=server.environment):
            server.done("lab", "load-sample-data")
            claims = work(server, tmp_path, 3)
            server.done("backup", str(tmp_path / "backup"))
        histories = [server.done("claim", "history", claim, "--json").json for claim in claims]
        server.destroy()
        server.start()
        assert server.say("verify").code == 2, "there is nothing left"
        server.done("restore", str(tmp_path / "backup"))
        assert "not empty" in server.say("backup", str(tmp_path / "backup")).one_line()
        assert "has keys" in server.say("restore", str(tmp_path / "backup")).one_line()
        with running_cluster("--port", "0", data_dir=tmp_path / "e", url=server.url, env=server.environment):
            until_sync(lambda: is_verified(server), within=40, what="every guarantee holds")
            assert [server.done("claim", "history", claim, "--json").json for claim in claims] == histories
            work(server, tmp_path, 1)
            until_sync(lambda: is_verified(server), within=40, what="it goes on")


def test_what_people_do_beside_a_running_cluster_is_refused_to_none_of_the_users_that_do_it(tmp_path: Path) -> None:
    with secured_server(tmp_path) as server:
        server.done("prepare")
        with running_cluster("--port", "0", data_dir=tmp_path / "d", url=server.url, env=server.environment):
            server.done("lab", "load-sample-data")
            (claim,) = work(server, tmp_path, 1)
            for words in (
                ("claim", "document", claim, "estimate", "--as", "claimant:CUST-521585", "--wait"),
                ("claim", "show", claim), ("claim", "explain", claim), ("adjusters",), ("work",), ("status",),
                ("partitions",), ("dashboard",), ("policy", "show", "POL-521585"), ("customer", "show", "CUST-521585"),
                ("payee", "CUST-521585", "--changed"), ("reconciliation", "list"), ("parked", "list"),
                ("parked", "retry", "--all"), ("halt", "0", "--reason", "a test"), ("resume", "0", "--reason", "done"),
                ("sql", "select count(*) from claims_service.claims"), ("archive", "status"), ("audit", "verify"),
                ("rebuild", "--check"), ("replay", "--group", "notifications", "--dry-run"), ("doctor",),
            ):  # fmt: skip
                server.done(*words)
            until_sync(lambda: at_rest(server), within=30, what="nothing is left to do")
            assert server.done("replay", "--group", "analytics", "--dry-run", "--json").json["differences"] == 0
            assert server.done("replay", "--group", "analytics", "--json").json["swapped"] is True
            server.done("trim", "--before", "2099-01-01", "--dry-run")
            assert server.done("trim", "--before", "2099-01-01", "--json").json["removed"] > 3000
            until_sync(lambda: is_verified(server), within=40, what="every guarantee holds")
            server.done("backup", str(tmp_path / "of-a-trimmed-log"))
        server.done("groups", "retire", "analytics", "--reason", "nobody asks for figures any more")


def test_what_is_parked_is_tried_again_and_dropped_by_the_operators_user(tmp_path: Path) -> None:
    with secured_server(tmp_path) as server:
        server.done("prepare")
        with running_cluster("--port", "0", data_dir=tmp_path / "d", url=server.url, env=server.environment):
            word = (tmp_path / "passwords" / "operator").read_text().strip()
            socket = server.url.removeprefix("unix://")
            with redis.Redis(unix_socket_path=socket, username="operator", password=word) as operator:
                operator.xadd(
                    "claims:events", {"eventType": "claim.approved", "claimId": "CLM-AAAAAAAA", "sequence": "x"}
                )
            (one,) = until_sync(lambda: parked(server), within=20, what="it is parked")
            server.done("parked", "retry", "--all")
            server.done("parked", "drop", one["id"], "--reason", "it is no event")
            until_sync(lambda: not parked(server), within=20, what="nothing is parked any more")


def parked(server: SecuredServer) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.done("parked", "list", "--json").json["parked"]
    return found
