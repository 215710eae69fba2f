"""The demonstration, run as a user runs it: a real process, a real embedded store, and the verdict that it prints."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.rows import row
from tests.support.waiting import until_sync
from workers.demo.report import ODD_ROWS

ROOT = Path(__file__).resolve().parents[2]
CLAIMS = 120
TOTALS = ("claims", "events", "events_by_type", "claims_by_status", "outcomes", "parked_reasons")


def demo(data_dir: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "workers", "demo", "--json", "--claims", str(CLAIMS), "--seed", "5"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("REDIS_", "CLAIMSTREAM_"))}
    return subprocess.Popen(
        [*command, "--data-dir", str(data_dir), *more],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=as_from_a_terminal,
    )


def as_from_a_terminal() -> None:
    """No signal blocked or ignored: whatever runs the tests may have left it so, and children inherit that."""
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def finished(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, f"exit {process.returncode}\n{err[-3000:]}\n{out[-2000:]}"
    report: dict[str, Any] = json.loads(out)
    return report


def totals(report: dict[str, Any]) -> dict[str, Any]:
    return {name: report[name] for name in TOTALS}


ODD = {
    "POL-521585": ("paid", "70,610.00 USD", "approved by"),
    "POL-214618": ("paid_partial", "100,000.00 USD", "LIMIT_EXHAUSTED"),
    "POL-556415": ("paid_partial", "100,000.00 USD", "LIMIT_EXHAUSTED"),
    "POL-186934": ("paid_partial", "100,000.00 USD", "LIMIT_EXHAUSTED"),
    "POL-266247": ("denied", "0.00 USD", "BELOW_DEDUCTIBLE"),
    "POL-794731": ("denied", "0.00 USD", "LOSS_BEFORE_INCEPTION"),
    "POL-921202": ("paid", "72,430.00 USD", "NEW_POLICY, NO_POLICE_REPORT"),
    "POL-526039": ("paid", "93,660.00 USD", "coverage review, the policy is in quarantine"),
}
"""The odd rows of the set (its README): how each ends, what is approved, and what is said of why."""


def test_the_odd_rows_are_those_of_the_readme_of_the_set() -> None:
    text = (ROOT / "workers" / "samples" / "auto_claims" / "README.md").read_text()
    named = set(re.findall(r"POL-\d{6}", text.partition("## Rows that are tests")[2]))
    assert named == set(ODD) == set(ODD_ROWS)


def test_the_demonstration_names_what_happened_to_each_odd_row_and_why(undisturbed: dict[str, Any]) -> None:
    """Some of them are among the few claims of this one: `test_the_odd_rows...` of the portfolio has them all."""
    rows = {row["policy"]: row for row in undisturbed["odd_rows"]}
    assert rows
    for policy, found in rows.items():
        outcome, net, why = ODD[policy]
        assert (found["outcome"], found["net"]) == (outcome, net), found
        assert why in found["why"], found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return finished(demo(tmp_path_factory.mktemp("undisturbed") / "store"))


@pytest.mark.timeout(600)
@row("S27")
def test_workflow_end_to_end_brings_every_claim_to_rest_and_every_guarantee_holds(undisturbed: dict[str, Any]) -> None:
    assert undisturbed["verify"]["ok"] is True
    assert all(found["violations"] == 0 for found in undisturbed["verify"]["invariants"].values())
    assert undisturbed["claims_by_status"] == {"CLOSED": CLAIMS}
    assert undisturbed["parked_reasons"] == {}
    for group in undisturbed["groups"].values():
        assert group == {"backlog": 0, "pending": 0, "parked": 0}


def test_all_eight_seed_event_types_flow_in_the_demonstration(undisturbed: dict[str, Any]) -> None:
    seeds = {
        "claim.submitted", "claim.assigned", "claim.document.uploaded", "claim.investigated", "claim.approved",
        "claim.rejected", "claim.payment.initiated", "claim.payment.completed",
    }  # fmt: skip
    assert seeds <= undisturbed["events_by_type"].keys()


def started(data_dir: Path) -> bool:
    return (data_dir / "appendonlydir").is_dir() and any(
        path.stat().st_size > 150_000 for path in (data_dir / "appendonlydir").glob("*.incr.aof")
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", ["worker", "store"])
def test_a_kill_in_the_middle_changes_nothing_of_the_totals(
    first: str, tmp_path: Path, undisturbed: dict[str, Any]
) -> None:
    """kill -9 of the worker, or of its store and then of the worker; started again over the same data."""
    data = tmp_path / "store"
    process = demo(data)
    until_sync(lambda: started(data), what="the demo is in the middle")
    if first == "store":
        os.kill(store_pid(data), signal.SIGKILL)
        time.sleep(0.3)  # not a condition: the worker is to notice the loss at whatever point it is
    process.kill()
    process.communicate()
    report = finished(demo(data))
    assert report["verify"]["ok"] is True
    assert totals(report) == totals(undisturbed)


def store_pid(data_dir: Path) -> int:
    from runtime.embedded.discovery import find_running

    running = find_running(str(data_dir))
    assert running is not None
    return running.server_pid


@pytest.mark.timeout(600)
def test_ctrl_c_ends_the_demonstration_and_its_store(tmp_path: Path) -> None:
    from runtime.embedded.discovery import find_running

    data = tmp_path / "store"
    process = demo(data)
    until_sync(lambda: started(data), what="the demo is in the middle")
    masks = [line for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if line.startswith("Sig")]
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 130, (said, masks)
    assert find_running(str(data)) is None
