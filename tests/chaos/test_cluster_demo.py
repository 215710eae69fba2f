"""The demonstration while its store and its process die: the totals are those of a run that nobody disturbed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import redis

from runtime.embedded.discovery import find_running
from tests.support.commands import argv, environment
from tests.support.source_tree import ROOT
from tests.support.waiting import until_sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runtime.embedded.discovery import RunningStore

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

WORDS = ("demo", "--json", "--claims", "120", "--seed", "5")
TOTALS = ("claims", "events", "events_by_type", "claims_by_status", "outcomes", "groups", "parked_reasons")


@contextmanager
def demonstration(data: Path) -> Iterator[subprocess.Popen[str]]:
    """A demonstration at work; killed in the end."""
    process = subprocess.Popen(
        argv(*WORDS, data_dir=data), cwd=ROOT, env=environment(), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def ended(process: subprocess.Popen[str]) -> Any:
    """What it printed, once it has ended well."""
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0, out[-2000:]
    return json.loads(out)


def in_the_middle(data: Path, settled: int) -> RunningStore | None:
    """Its store, once so many entries have been settled by the claims processor."""
    store = find_running(str(data))
    if store is None:
        return None
    try:
        with redis.Redis(unix_socket_path=store.socket_path) as client:
            done: Any = client.hget("claims:events:position:processors", "settled")
    except redis.RedisError:
        return None
    return store if int(done or 0) >= settled else None


def test_a_store_and_a_process_that_die_in_a_demonstration_change_no_total(tmp_path: Path) -> None:
    with demonstration(tmp_path / "calm") as calm:
        wanted = ended(calm)
    data = tmp_path / "store"
    with demonstration(data) as first:
        until_sync(lambda: in_the_middle(data, 100), what="the first is in the middle of its work")
        first.kill()
        first.wait()
    with demonstration(data) as second:
        store = until_sync(lambda: in_the_middle(data, 200), what="the second is in the middle of its work")
        assert store is not None
        os.kill(store.server_pid, signal.SIGKILL)
        found = ended(second)
    assert found["verify"]["ok"] and wanted["verify"]["ok"]
    assert {name: found[name] for name in TOTALS} == {name: wanted[name] for name in TOTALS}
