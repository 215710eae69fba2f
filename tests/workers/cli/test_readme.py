"""The commands of the README, run as a reader runs them: a cluster in one terminal, the rest in another."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.embedded.discovery import find_running
from tests.support.waiting import PATIENCE, until_sync

ROOT = Path(__file__).resolve().parents[3]
BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OPERATING = re.compile(r"^## Operating it$(.*?)^## ", re.MULTILINE | re.DOTALL)
BENEFITS = re.compile(r"^```text\n(EXPLANATION OF BENEFITS\n.*?)^```$", re.MULTILINE | re.DOTALL)
VARYING = (
    (re.compile(r"CLM-[A-Z0-9]{16}"), "CLM-................"),
    (re.compile(r"\d{4}-\d\d-\d\d"), "YYYY-MM-DD"),
)
"""What differs from one walk to the next, and what it reads as in a comparison."""


def normalised(text: str) -> str:
    """The text without what varies."""
    for pattern, instead in VARYING:
        text = pattern.sub(instead, text)
    return text


def operating() -> str:
    """The section of the README with the walk."""
    found = OPERATING.search((ROOT / "README.md").read_text())
    assert found is not None
    return found[1]


def benefits_in(output: str) -> str:
    """The explanation of benefits in what the walk printed."""
    start = output.index("EXPLANATION OF BENEFITS")
    end = "The claim is CLOSED.\n"
    return output[start : output.index(end, start) + len(end)]


def environment(folder: Path) -> dict[str, str]:
    """The reader's: `claimstream` on the path, no setting of ours."""
    program = folder / "bin" / "claimstream"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m workers "$@"\n')
    program.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("REDIS_", "CLAIMSTREAM_"))}
    return {**kept, "PATH": f"{program.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "COLUMNS": "120"}


def walked(commands: str, folder: Path, variables: dict[str, str]) -> str:
    """What these commands print; each of them has to end with 0."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands], cwd=folder, env=variables, capture_output=True, text=True,
        timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rests(folder: Path, variables: dict[str, str]) -> bool:
    """No group has anything to do."""
    groups = json.loads(walked("claimstream groups --json", folder, variables))["groups"]
    return not any(group["backlog"] or group["pending"] for group in groups)


def check_the_life_of_the_claim(output: str) -> None:
    """It was paid and closed, the claimant was told, and the README shows the explanation that is printed."""
    assert "is CLOSED: claim.payment.completed" in output
    assert "claimant.approved_partial" in output, "the letter is in what the claimant was told"
    (shown,) = BENEFITS.findall(operating())
    printed = benefits_in(output)
    assert normalised(printed) == normalised(shown), f"the README shows another text; this is printed:\n{printed}"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("processes", [(), ("--processes", "4")], ids=["one process", "four"])
def test_the_walk_of_the_readme(processes: tuple[str, ...], tmp_path: Path) -> None:
    variables = environment(tmp_path)
    more = {"CLAIMSTREAM_LOG__PARTITIONS": "4"} if processes else {}
    with (tmp_path / "run.log").open("w") as log:
        cluster = subprocess.Popen(
            ["claimstream", "run", *processes], cwd=tmp_path, env=variables | more, stdout=log, stderr=log
        )
    try:
        until_sync(
            lambda: (
                find_running(str(tmp_path / ".claimstream" / "store")) is not None
                and "Ctrl-C" in (tmp_path / "run.log").read_text()
            ),
            what="the cluster is up",
        )
        one_claim, looking = BLOCK.findall(operating())
        if processes:  # the life of a claim does not depend on it: its first steps will do
            one_claim = one_claim.partition("claimstream claim request")[0]
        lived = walked(one_claim, tmp_path, variables | more)
        # `verify` looks at a cluster at rest: a group that has an entry yet to settle is a difference too.
        until_sync(lambda: rests(tmp_path, variables | more), what="every group at rest")
        looked = walked(looking, tmp_path, variables | more)
        assert "ok: 0 differences" in looked
        if not processes:
            check_the_life_of_the_claim(lived + looked)
    finally:
        cluster.send_signal(signal.SIGINT)
        cluster.wait(timeout=PATIENCE)
    assert cluster.returncode == 0, (tmp_path / "run.log").read_text()[-2000:]
