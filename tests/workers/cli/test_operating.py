"""What operators do to a running cluster: dead letters, halts, a look at what is wrong."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import termios
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import redis

from runtime.embedded.discovery import find_running
from tests.support.commands import argv, cli, environment, here, running_cluster
from tests.support.rows import row
from tests.support.source_tree import ROOT
from tests.support.waiting import until_sync

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

BAD = {
    "eventId": "e-1",
    "eventType": "claim.submitted",
    "claimId": "CLM-1",
    "timestamp": "yesterday",
    "data": "{not json",
    "version": "1.0",
}
"""A raw request that nobody can adopt."""


PARKED = "claims:events:parked:processors"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give the data directory of a cluster that runs for all tests here: none of them harms it."""
    folder = tmp_path_factory.mktemp("operating") / "store"
    with running_cluster(data_dir=folder):
        yield folder


@pytest.fixture
def foreign(data: Path) -> Iterator[Any]:
    """Give a plain client, as a foreign program has one (Any: the library's types cover every protocol at once)."""
    with client_of(data) as client:
        yield client


@contextmanager
def client_of(data: Path) -> Iterator[Any]:
    store = find_running(str(data))
    assert store is not None
    with redis.Redis(unix_socket_path=store.socket_path) as client:
        yield client


def parked(data: Path, origins: Sequence[bytes]) -> list[dict[str, Any]]:
    """What `parked list` shows of these entries."""
    found: list[dict[str, Any]] = here("parked", "list", "--json", data_dir=data).json["parked"]
    return [one for one in found if one["origin_id"].encode() in origins]


def until_parked(client: Any, before: int, more: int, stream: str = PARKED) -> None:
    until_sync(lambda: client.xlen(stream) == before + more, what=f"{more} more are parked")


@row("S36", "S52")
def test_a_malformed_entry_is_parked_listed_shown_retried_and_dropped(data: Path, foreign: Any) -> None:
    before = foreign.xlen(PARKED)
    origins = [
        foreign.xadd("claims:events", {**BAD, "eventType": "claim.submitted\x1b[2J"}),
        foreign.xadd("claims:events", BAD),
    ]
    until_parked(foreign, before, 2)
    first, second = parked(data, origins)
    assert first["origin_id"].encode() == origins[0]
    assert first["reason"]
    for words in (["parked", "list"], ["parked", "show", first["id"]]):
        said = cli(*words, data_dir=data)
        assert first["reason"][:15] in said.out
        assert "\x1b" not in said.out, "what a stranger wrote must not steer the terminal"
    shown = here("parked", "show", second["parked_id"], "--json", data_dir=data).json
    assert shown["fields"] == BAD

    asked = here("parked", "retry", second["id"], data_dir=data)
    assert asked.code == 0
    assert "1 claim" in asked.out
    until_sync(lambda: foreign.llen("claims:events:retries:processors") == 0, what="it was retried")
    assert len(parked(data, origins)) == 2, "a retry of what is still wrong leaves it parked"

    gone = here("parked", "drop", first["id"], "--reason", "a test wrote it", data_dir=data)
    assert gone.code == 0
    assert [one["id"] for one in parked(data, origins)] == [second["id"]]
    again = here("parked", "drop", first["id"], "--reason", "twice", data_dir=data)
    assert again.code == 2
    assert "parked list" in again.one_line()
    operations = [fields for _, fields in foreign.xrange("claims:events:operations")]
    assert [fields[b"what"] for fields in operations][-2:] == [b"retry", b"drop"]
    assert operations[-1][b"reason"] == b"a test wrote it"
    assert operations[-1][b"who"]


def test_retrying_everything_asks_in_every_log(data: Path, foreign: Any) -> None:
    requests = "claims:requests:parked:intake"
    before = foreign.xlen(PARKED), foreign.xlen(requests)
    foreign.xadd("claims:events", BAD)
    foreign.xadd("claims:requests", BAD)
    until_parked(foreign, before[0], 1)
    until_parked(foreign, before[1], 1, requests)
    assert here("parked", "retry", "--all", "--json", data_dir=data).json == {"asked": sum(before) + 2}


def test_a_halted_partition_waits_until_it_is_resumed(data: Path, foreign: Any) -> None:
    parked_before, done_before = foreign.xlen(PARKED), foreign.xlen("claims:events:operations")
    assert here("halt", "0", "--reason", "looking closer", data_dir=data).code == 0
    sick = here("doctor", "--json", data_dir=data)
    assert sick.code == 1
    assert [one["seen"] for one in sick.json["findings"] if one["level"] == "fail"] == [
        "partition 0 of claims:events is halted: looking closer"
    ]
    foreign.xadd("claims:events", BAD)
    assert backlog(data, "processors") == 1
    assert "looking closer" in here("resume", "0", "--reason", "seen", data_dir=data).out
    until_parked(foreign, parked_before, 1)
    assert here("doctor", data_dir=data).code == 0
    operations = [fields[b"what"] for _, fields in foreign.xrange("claims:events:operations")]
    assert operations[done_before:] == [b"halt", b"resume"]


@pytest.mark.parametrize(
    ("words", "named"),
    [(["0", "--log", "x"], "claims:events"), (["7"], "1 partitions"), (["0", "--reason", " "], "--reason")],
)
def test_halt_names_what_is_wrong_with_the_order(data: Path, words: list[str], named: str) -> None:
    reason = [] if "--reason" in words else ["--reason", "r"]
    assert named in here("halt", *words, *reason, data_dir=data).one_line()


@row("S73")
def test_a_paused_process_is_shown_as_idle(data: Path, foreign: Any) -> None:
    def states() -> set[str]:
        return {process["state"] for process in here("status", "--json", data_dir=data).json["processes"]}

    store = find_running(str(data))
    assert store is not None
    os.kill(store.owner_pid, signal.SIGSTOP)
    try:
        until_sync(lambda: states() == {"idle"}, what="the paused process is idle")
        assert "without heartbeat" in here("doctor", data_dir=data).out
    finally:
        os.kill(store.owner_pid, signal.SIGCONT)
    until_sync(lambda: states() == {"alive"}, what="it is back")


@row("S26")
def test_monitor_shows_groups_processes_and_the_newest_events(data: Path, foreign: Any) -> None:
    entry = foreign.xadd("claims:events", BAD)
    told = here("monitor", "--json", "--events", "1", data_dir=data).json
    assert [(one["id"], one["type"]) for one in told["recent"]] == [(entry.decode(), "claim.submitted")]
    page = cli("monitor", "--once", data_dir=data).out
    assert "claim.submitted" in page
    assert "cache-invalidators" in page
    assert max(len(line) for line in page.splitlines()) <= 100


@row("S38")
def test_groups_are_real_groups_of_the_store(data: Path, foreign: Any) -> None:
    told = here("groups", "--json", data_dir=data).json["groups"]
    ours = {group["group"] for group in told if group["log"] == "claims:events"}
    assert ours == {group["name"].decode() for group in foreign.xinfo_groups("claims:events")}


def test_sigterm_under_load_drains_within_its_budget_and_the_next_run_finishes(tmp_path: Path) -> None:
    folder, entries = tmp_path / "store", 1500
    with running_cluster(data_dir=folder) as cluster, client_of(folder) as client:
        load(client, entries)
        until_sync(lambda: settled(client) > 20, what="the processor is at work")
        assert settled(client) < entries, "it was done before it was stopped: more load is needed"
        assert cluster.stop() == 0, cluster.log()
        assert "StopTimedOut" not in cluster.log()
    with running_cluster(data_dir=folder), client_of(folder) as client:
        until_sync(lambda: settled(client) == entries, what="the rest is done")
        assert client.xlen(PARKED) == entries
        answer = read_late("parked", "list", "--json", data_dir=folder)
        assert json.loads(answer)["count"] == entries, "a long answer reaches a slow reader whole"


def read_late(*words: str, data_dir: Path) -> bytes:
    """What a command without buffer writes into a pipe that is full before anybody reads."""
    with subprocess.Popen(
        argv(*words, data_dir=data_dir),
        cwd=ROOT,
        env=environment({"PYTHONUNBUFFERED": "1"}),
        stdout=subprocess.PIPE,
    ) as process:
        pipe = process.stdout
        assert pipe is not None
        until_sync(lambda: _waiting(pipe.fileno()) >= 65_536, what="the pipe is full")
        return pipe.read()


def _waiting(fd: int) -> int:
    """Bytes that can be read now."""
    return int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, b"\0\0\0\0"), sys.byteorder)


def load(client: Any, entries: int) -> None:
    """Write entries that the processor has to look at, each on its own."""
    pipeline = client.pipeline(transaction=False)
    for number in range(entries):
        pipeline.xadd("claims:events", {**BAD, "eventId": f"e-{number}"})
    pipeline.execute()


def settled(client: Any) -> int:
    return int(client.hget("claims:events:position:processors", "settled") or 0)


def backlog(data: Path, name: str) -> int:
    groups = here("groups", "--json", data_dir=data).json["groups"]
    return int(next(group["backlog"] for group in groups if group["group"] == name))
