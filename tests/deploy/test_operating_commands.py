"""The commands that deployments start: the exporter that outlives workers, the vault, and what the audit accepts."""

from __future__ import annotations

import base64
import datetime
import json
import os
import re
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from runtime.embedded.locate import locate
from tests.deploy.audit import accepted, expired
from tests.deploy.manifests import KUBERNETES, load
from tests.support.commands import argv, environment, here, running_cluster
from tests.support.rows import row
from tests.support.waiting import PATIENCE, until_sync

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

CLAIM = {"policyId": "POL-521585", "customerId": "CUST-521585", "amount": 4200, "type": "auto", "description": "dent"}


@contextmanager
def running(*words: str, env: Mapping[str, str] | None = None, **where: object) -> Iterator[subprocess.Popen[bytes]]:
    """A command that goes on until it is told to stop; its stdout can be read without waiting."""
    process = subprocess.Popen(
        argv(*words, **where),  # type: ignore[arg-type]
        env=environment(env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def first_line(process: subprocess.Popen[bytes]) -> dict[str, str]:
    assert process.stdout is not None
    read = process.stdout.readline
    found: dict[str, str] = json.loads(until_sync(read, what="it says where it is"))
    return found


def page(url: str) -> str:
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        text: str = answer.read().decode()
        return text


def backlog_of(url: str) -> dict[str, float]:
    """Backlog by group, as the query of the ScaledObject sees it."""
    (scaled,) = load(KUBERNETES / "components" / "keda" / "scaled-object.yaml")
    query = scaled["spec"]["triggers"][0]["metadata"]["query"]
    wanted = re.compile(re.search(r'group=~"([^"]*)"', query)[1])  # type: ignore[index]
    return {
        sample.labels["group"]: sample.value
        for family in text_string_to_metric_families(page(f"{url}/metrics"))
        if family.name == "claimstream_backlog_entries"
        for sample in family.samples
        if wanted.fullmatch(sample.labels["group"])
    }


@row("P33")
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_backlog_is_told_while_no_worker_runs_and_falls_when_one_comes(tmp_path: Path) -> None:
    data = tmp_path / "store"
    with running_cluster("intake", data_dir=data) as store:  # a store, and nobody who reads the log
        (tmp_path / "claim.json").write_text(json.dumps(CLAIM))
        assert here("claim", "submit", str(tmp_path / "claim.json"), data_dir=data).code == 0
        url = f"redis://127.0.0.1:{store.told['port']}"
        often = {"CLAIMSTREAM_HOST__SAMPLE_SECONDS": "0.1"}
        with running("exporter", "--json", "--port", "0", url=url, env=often) as exporter:
            status_url = first_line(exporter)["status"]
            told = until_sync(lambda: backlog_of(status_url), what="the exporter has looked")
            assert told.keys() == {"analytics", "auditors", "cache-invalidators"}
            assert all(entries >= 1 for entries in told.values()), "KEDA would not wake anybody"
            assert page(f"{status_url}/livez").strip() == "ok"
            status = here("status", "--json", data_dir=data).json
            assert [process["pid"] for process in status["processes"]] == [store.pid], "the exporter took a place"
            assert "claimstream_lease_held{" not in page(f"{status_url}/metrics")
            with running("run", "analytics", "auditor", "cache-invalidator", "--port", "0", url=url):
                until_sync(lambda: not any(backlog_of(status_url).values()), what="woken workers empty the backlog")
            exporter.send_signal(signal.SIGTERM)
            assert exporter.wait(PATIENCE) == 0


def test_an_exporter_whose_store_is_away_lives_and_says_so() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with running("exporter", "--json", "--port", "0", url=f"redis://127.0.0.1:{port}") as exporter:
        url = first_line(exporter)["status"]
        until_sync(lambda: "claimstream_store_reachable 0.0" in page(f"{url}/metrics"), what="it has looked")
        assert page(f"{url}/livez").strip() == "ok"
        with pytest.raises(urllib.error.HTTPError) as refused:
            page(f"{url}/readyz")
        refused.value.close()
        assert refused.value.code == 503


def vault(tmp_path: Path) -> dict[str, str]:
    return {
        "CLAIMSTREAM_PROFILE": "production",
        "CLAIMSTREAM_PRIVACY__VAULT": str(tmp_path / "vault" / "keys.sqlite"),
        "CLAIMSTREAM_PRIVACY__MASTER_KEY_FILE": str(tmp_path / "master.key"),
    }


def test_a_vault_is_made_once_with_the_key_that_was_given(tmp_path: Path) -> None:
    key = tmp_path / "master.key"
    key.write_text(base64.b64encode(bytes(range(32))).decode())
    key.chmod(0o440)
    first, second = (here("vault", "prepare", "--json", env=vault(tmp_path)) for _ in range(2))
    assert (first.json["made"], second.json["made"]) == (True, False)
    assert (tmp_path / "vault" / "keys.sqlite").stat().st_mode & 0o777 == 0o600


def test_production_makes_no_master_key_by_itself(tmp_path: Path) -> None:
    said = here("vault", "prepare", env=vault(tmp_path))
    assert said.code == 2
    assert "no master key" in said.one_line()
    assert not (tmp_path / "vault" / "keys.sqlite").exists()


def test_a_process_that_seals_nothing_needs_no_vault(tmp_path: Path) -> None:
    absent = {
        "CLAIMSTREAM_PRIVACY__VAULT": str(tmp_path / "nobody" / "keys.sqlite"),
        "CLAIMSTREAM_PRIVACY__MASTER_KEY_FILE": str(tmp_path / "nobody" / "master.key"),
    }
    with running_cluster("analytics", data_dir=tmp_path / "store", env=absent) as cluster:
        assert cluster.stop() == 0
    assert not (tmp_path / "nobody").exists()


def test_an_exception_of_the_audit_has_a_last_day_and_a_reason() -> None:
    found = accepted(["# remark", "", "GHSA-1 2027-01-31 only with a switch that is off"])
    assert [one.id for one in found] == ["GHSA-1"]
    assert expired(found, datetime.date(2027, 1, 31)) == []
    assert expired(found, datetime.date(2027, 2, 1)) == found
    for line in ("GHSA-1 2027-01-31", "GHSA-1 soon because"):
        with pytest.raises(ValueError, match="GHSA-1|soon"):
            accepted([line])


def test_a_process_of_some_actors_needs_the_passwords_of_those_only(tmp_path: Path) -> None:
    users = tmp_path / "users"
    assert here("store", "passwords", str(tmp_path / "all")).code == 0
    assert (
        here("store", "users", "--passwords", str(tmp_path / "all"), "--output", str(tmp_path / "users.acl")).code == 0
    )
    users.mkdir()
    for name in ("worker", "deploy", "analytics"):
        (users / name).write_text((tmp_path / "all" / name).read_text())
    address = f"{tmp_path}/s"
    server = subprocess.Popen(
        [locate().path, "--port", "0", "--unixsocket", address, "--dir", str(tmp_path), "--appendonly", "yes",
         "--aclfile", str(tmp_path / "users.acl")],
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        told = {"CLAIMSTREAM_STORE__OPTIONS__USERS_DIR": str(users)}
        prepared = lambda: here("prepare", url=f"unix://{address}", env=told).code == 0  # noqa: E731
        until_sync(prepared, what="the store is prepared, as the user deploy")
        with running("run", "analytics", "--json", "--port", "0", url=f"unix://{address}", env=told) as process:
            url = first_line(process)["status"]
            until_sync(
                lambda: 'lease_held{group="analytics",partition="0"} 1.0' in page(f"{url}/metrics"),
                what="it serves",
            )
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
    finally:
        server.kill()
        server.wait()
