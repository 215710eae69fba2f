"""From a started process to a server that answers: what is checked before, waited for, and asked of it."""

from __future__ import annotations

import asyncio
import re
import shutil
import time
from typing import TYPE_CHECKING, Final

from runtime.embedded.errors import NoFreePort, NoSpaceForStore, ServerFailed
from runtime.embedded.options import MIB
from runtime.embedded.talk import NoAnswer, ask

if TYPE_CHECKING:
    from pathlib import Path

    from runtime.embedded.options import EmbeddedOptions
    from runtime.embedded.process import ServerProcess

_POLL_SECONDS: Final = 0.005
_ANSWER_SECONDS: Final = 2.0
_LOG_LIMIT: Final = 8 * MIB
_STAMP: Final = re.compile(r"^\d+:\w \d+ \w+ \d+ [\d:.]+ \S ")


async def process_id(socket_path: str, fallback: int) -> int:
    """Ask the server for its own pid, which behind a guardian is not the one that was started."""
    for line in (await ask(socket_path, "INFO", "server", seconds=_ANSWER_SECONDS)).splitlines():
        name, _, value = line.partition(":")
        if name == "process_id":
            return int(value)
    return fallback


async def until_ready(process: ServerProcess, socket_path: str, log: Path, options: EmbeddedOptions) -> None:
    """Wait for PONG. A server that says LOADING gets the longer deadline."""
    started = time.monotonic()
    allowed = options.start_seconds
    while time.monotonic() - started < allowed:
        if process.returncode is not None:
            raise ServerFailed(f"the embedded store ended at once ({_last_words(log)}); its log: {log}")
        try:
            answer = await ask(socket_path, "PING", seconds=_ANSWER_SECONDS)
        except NoAnswer:
            await asyncio.sleep(_POLL_SECONDS)
            continue
        if not answer.startswith("-LOADING"):
            return
        allowed = max(options.start_seconds, options.load_seconds)
        await asyncio.sleep(_POLL_SECONDS * 10)
    raise ServerFailed(f"the embedded store did not answer within {allowed:g} s; its log: {log}")


async def open_port(socket_path: str, ports: list[int]) -> int | None:
    """Let the running server bind the first of the ports that is free; none asked for, none opened.

    Raises `NoFreePort`, or `ServerFailed` when the server refuses for another reason.
    """
    for port in ports:
        answer = await ask(socket_path, "CONFIG", "SET", "port", str(port), seconds=_ANSWER_SECONDS)
        if answer == "OK":
            return port
        if "Unable to listen" not in answer:
            raise ServerFailed(f"the embedded store refused to open port {port}: {answer}")
    if ports:
        raise NoFreePort(f"no free port on 127.0.0.1 from {min(ports)} to {max(ports)}: set another port")
    return None


def require_space(data_dir: Path, min_free_mib: int) -> None:
    """Refuse to start on a full disk. Raises `NoSpaceForStore`."""
    free = shutil.disk_usage(data_dir).free // MIB
    if free < min_free_mib:
        raise NoSpaceForStore(
            f"{free} MiB are free where the data directory {data_dir} is, {min_free_mib} are needed: make room"
        )


def shortened(log: Path) -> Path:
    """Begin a new log when the old one has grown; one older one is kept."""
    if log.exists() and log.stat().st_size > _LOG_LIMIT:
        log.replace(log.with_suffix(".log.1"))
    return log


def _last_words(log: Path) -> str:
    """Give the last lines of the log as one, without their time stamps and without advice on the kernel."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 2000))
        lines = file.read().decode(errors="replace").split("\n")
    said = [_STAMP.sub("", line).strip() for line in lines if "overcommit" not in line]
    return " | ".join([words for words in said if words][-3:]) or "without a word"
