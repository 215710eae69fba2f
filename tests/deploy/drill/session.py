"""One drill: runs commands, writes down what was typed and seen, counts what did not hold."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from tests.support.source_tree import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

CONTAINERS = """[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_backend = "netavark"
"""
"""What podman needs on a host without systemd and without CAP_SYS_RESOURCE."""

NOISE = re.compile(r"^(time=\S+ level=|failed to connect to syslog)")
"""Podman wants systemd for the timers of health checks; there is none, and nothing else needs it."""


class Drill:
    """Commands in an environment of their own, and the transcript."""

    def __init__(self, work: Path, storage: Path) -> None:
        """`work`: scratch, removed by the caller; `storage`: images and containers, kept between drills."""
        self.work = work
        self.lines: list[str] = []
        self.failed: list[str] = []
        (work / "containers.conf").write_text(CONTAINERS)
        (work / "storage.conf").write_text(
            f'[storage]\ndriver = "overlay"\ngraphroot = "{storage}/graph"\nrunroot = "{storage}/run"\n'
        )
        told = {"CONTAINERS_CONF": f"{work}/containers.conf", "CONTAINERS_STORAGE_CONF": f"{work}/storage.conf"}
        ours = {name: text for name, text in os.environ.items() if not name.startswith(("REDIS_", "CLAIMSTREAM_"))}
        self.environment = {**ours, **told}

    def say(self, text: str) -> None:
        """A line of the transcript, and of the terminal; without paths of this machine."""
        hidden = text.replace(str(self.work), "$WORK").replace(str(ROOT), ".")
        self.lines.append(hidden)
        sys.stdout.write(hidden + "\n")
        sys.stdout.flush()

    def head(self, text: str) -> None:
        """A new part."""
        self.say(f"\n## {text}\n")

    def run(
        self,
        *command: str | Path,
        shown: int = 6,
        within: float = 300,
        env: Mapping[str, str] | None = None,
        quiet: bool = False,
        typed: str = "",
    ) -> tuple[int, str]:
        """Exit code and output of a command; its last `shown` lines are written down. `typed`: the command, shorter."""
        started = time.monotonic()
        done = subprocess.run(
            [str(word) for word in command], cwd=ROOT, env={**self.environment, **(env or {})}, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=within,
        )  # fmt: skip
        lines = [line for line in done.stdout.splitlines() if line.strip() and not NOISE.match(line)]
        if not quiet:
            self.say(f"    $ {typed or shlex.join(str(word) for word in command)[:300]}")
            for line in lines[-(shown or (6 if done.returncode else 0)) :] if shown or done.returncode else []:
                self.say(f"    {line[:160]}")
            self.say(f"    -> {done.returncode}, {time.monotonic() - started:.1f} s")
        return done.returncode, "\n".join(lines)

    def check(self, what: str, held: Any) -> None:
        """Something that must hold."""
        self.say(f"{'ok    ' if held else 'FAILED'} {what}")
        if not held:
            self.failed.append(what)

    def until(self, what: str, seen: Callable[[], Any], within: float = 90) -> Any:
        """Ask until it holds; then it is checked."""
        deadline = time.monotonic() + within
        found = None
        while time.monotonic() < deadline:
            try:
                found = seen()
            except (OSError, ValueError, LookupError):
                found = None
            if found:
                break
            time.sleep(0.5)
        self.check(what, found)
        return found

    def missing(self, programs: Sequence[str]) -> list[str]:
        """Which of these are not on PATH."""
        return [one for one in programs if subprocess.run(["which", one], capture_output=True, check=False).returncode]
