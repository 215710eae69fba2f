"""The discovery file: how other commands find a running embedded store by its data directory."""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec

from runtime.embedded.talk import NoAnswer, ask_now


class RunningStore(msgspec.Struct, frozen=True):
    """A server that runs, as its discovery file tells: how to reach it, who it is, who owns it."""

    url: str
    socket_path: str
    port: int | None
    server_pid: int
    owner_pid: int
    name: str
    version: str
    binary: str
    #: When it was started, seconds since 1970, UTC.
    started_at: float


def find_running(data_dir: str, *, seconds: float = 1.0) -> RunningStore | None:
    """Find the server that runs on a data directory; None when there is none or its file is a leftover.

    Blocks for up to `seconds`. A server that is still loading counts as running.
    """
    try:
        store = msgspec.json.decode(_discovery(Path(data_dir).expanduser().absolute()).read_bytes(), type=RunningStore)
        ask_now(store.socket_path, "PING", seconds=seconds)
    except (OSError, msgspec.MsgspecError, NoAnswer):
        return None
    return store


def publish(data_dir: Path, store: RunningStore) -> None:
    """Write the discovery file; a reader sees the old one or the new one, never half of it."""
    target = _discovery(data_dir)
    draft = target.with_suffix(".draft")
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(store)) + b"\n")
    draft.replace(target)


def withdraw(data_dir: Path) -> None:
    """Remove the discovery file. Only the holder of the lock may."""
    with contextlib.suppress(FileNotFoundError):
        _discovery(data_dir).unlink()


def _discovery(data_dir: Path) -> Path:
    return data_dir / "store.json"
