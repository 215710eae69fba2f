"""The commands of the README, run as a reader runs them: a cluster in one terminal, the rest in another."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.embedded.discovery import find_running
from tests.support.waiting import until_sync

ROOT = Path(__file__).resolve().parents[3]
BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def environment(folder: Path) -> dict[str, str]:
    """The reader's: `claimstream` on the path, no setting of ours."""
    program = folder / "bin" / "claimstream"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m workers "$@"\n')
    program.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("REDIS_", "CLAIMSTREAM_"))}
    return {**kept, "PATH": f"{program.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "COLUMNS": "120"}


@pytest.mark.timeout(120)
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
            within=30,
            what="the cluster is up",
        )
        (walk,) = BLOCK.findall((ROOT / "README.md").read_text())
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", walk], cwd=tmp_path, env=variables | more, capture_output=True,
            text=True, timeout=80, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert "is PAID: claim.payment.completed" in done.stdout
        assert "ok: 0 differences" in done.stdout
    finally:
        cluster.send_signal(signal.SIGINT)
        cluster.wait(timeout=40)
    assert cluster.returncode == 0, (tmp_path / "run.log").read_text()[-2000:]
