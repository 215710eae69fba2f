"""What can go wrong before anything is done: one line that says what, where and what to do; exit code 2."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.commands import cli, here
from tests.support.rows import row
from tests.support.source_tree import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from runtime.embedded.server import EmbeddedServer
    from runtime.store.address import StoreAddress


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["statsu"], "did you mean 'status'"),
        (["status", "--jsno"], "did you mean --json"),
        (["run", "--proceses", "2"], "did you mean --processes"),
        (["run", "analitics"], "did you mean analytics"),
        (["run", "--log-level", "loud"], "DEBUG, INFO"),
        (["parked", "lst"], "did you mean 'list'"),
        (["parked", "drop", "1-0"], "--reason"),
        (["parked", "retry"], "--all"),
        (["--profile", "prodution", "ping"], "did you mean production"),
        (["ping", "--redis-url", "http://x"], "redis://host"),
        (["ping", "--redis-url"], "--redis-url"),
        ([], "--help"),
    ],
    ids=" ".join,
)
def test_a_slip_of_the_keyboard_is_one_line_with_a_hint(words: list[str], hint: str) -> None:
    said = here(*words)
    assert said.code == 2
    assert hint in said.one_line()


def test_an_error_of_a_real_process_is_one_line_without_traceback() -> None:
    said = cli("statsu")
    assert said.code == 2
    assert "did you mean 'status'" in said.one_line()


def test_errors_are_one_json_object_with_json() -> None:
    said = cli("ping", "--json", "--redis-url", "http://x")
    told = json.loads(said.err)
    assert (said.code, told["exit_code"], told["kind"]) == (2, 2, "SettingsError")
    assert said.out == ""


@row("S1")
def test_an_address_that_nobody_listens_at_is_named() -> None:
    port = _free_port()
    said = cli("ping", env={"REDIS_PORT": str(port)})
    assert said.code == 1
    assert f"localhost:{port}" in said.one_line()


@pytest.mark.parametrize("command", [["status"], ["run"], ["doctor"], ["parked", "list"]], ids=" ".join)
def test_a_store_that_is_away_is_one_line(command: list[str], tmp_path: Path) -> None:
    said = cli(*command, url=f"redis://127.0.0.1:{_free_port()}", data_dir=tmp_path / "store")
    assert said.code == 2
    assert "127.0.0.1" in said.one_line()


def test_a_data_directory_without_a_store_says_how_to_start_one(tmp_path: Path) -> None:
    said = cli("status", data_dir=tmp_path / "store")
    assert said.code == 2
    assert "claimstream run" in said.one_line()
    assert not (tmp_path / "store").exists()


@row("S3")
def test_ping_says_that_it_is_connected(store_server: EmbeddedServer) -> None:
    said = cli("ping", url=store_server.url)
    assert said.code == 0
    assert "Connected to Redis" in said.out


def test_ping_answers_in_json_too(store_server: EmbeddedServer) -> None:
    said = cli("--json", "ping", url=store_server.url)
    assert said.json["connected"] is True
    assert said.json["server"] in ("valkey", "redis")


def test_a_store_without_any_log_is_no_error(store_address: StoreAddress) -> None:
    said = cli("status", url=store_address.url)
    assert said.code == 0
    assert "no log is there yet" in said.out


def test_version_comes_without_importing_anything_heavy() -> None:
    """Alone it takes 0.3 s, with the engine 0.9 s; the modules say so on a loaded machine too."""
    heavy = "{'aiohttp', 'redis', 'cryptography', 'runtime.host', 'workers.bootstrap', 'config.loading', 'rich.live'}"
    program = f"import sys; from workers.cli import main; main(['version']); print({heavy} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    name, imported = done.stdout.splitlines()
    assert name.startswith("claimstream 0.")
    assert imported == "set()"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
