"""The real tools accept what is in deploy/, and refuse a copy that is spoilt: a validator that sees nothing is none."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.deploy import check as deploy_check
from tests.deploy import validators
from tests.deploy.validators import ALL, Outcome, Validator
from tests.support.source_tree import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from _pytest.mark.structures import ParameterSet


def ran(outcome: Outcome) -> Outcome:
    """The outcome; a tool that is not here skips the test and says which."""
    if outcome.state == "absent":
        pytest.skip(outcome.told)
    return outcome


SLOW = (validators.manifests, validators.compose_file, validators.alert_tests)
"""They take seconds: `make deploy-check` runs them."""


def case(check: Callable[[Path], Outcome], *words: str) -> ParameterSet:
    return pytest.param(check, *words, id=check.__name__, marks=pytest.mark.deploy if check in SLOW else ())


@pytest.mark.timeout(600)
@pytest.mark.parametrize("check", [case(validator.run) for validator in ALL])
def test_the_tool_accepts_what_we_ship(check: Callable[[Path], Outcome]) -> None:
    outcome = ran(check(ROOT))
    assert outcome.state == "ok", outcome.told


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("check", "file", "old", "new"),
    [
        case(validators.dockerfile, "Dockerfile", "USER 10001:10001", "RUN sudo cd /"),
        case(validators.compose_file, "compose/compose.yaml", "mem_limit:", "memory_limits:"),
        case(validators.manifests, "kubernetes/base/claims.yaml", "maxSurge: 0", "maxSurges: 0"),
        case(validators.prometheus, "prometheus/prometheus.yaml", "claimstream-exporter", "claimstream"),
        case(validators.alert_tests, "prometheus/rules/claimstream.yaml", "_seconds:max > 300", "_seconds:max > 900"),
        case(validators.dashboards, "grafana/dashboards/claimstream.json", "sum(claimstream", "sum((claimstream"),
        case(validators.alertmanager, "alertmanager/alertmanager.yaml", "receiver: pager", "receiver: nobody"),
        case(validators.systemd_unit, "systemd/claimstream.service", "Type=notify", "Type=notified"),
    ],
)
def test_the_tool_refuses_a_spoilt_copy(
    check: Callable[[Path], Outcome], file: str, old: str, new: str, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy", ignore=shutil.ignore_patterns("state"))
    spoilt = tmp_path / "deploy" / file
    text = spoilt.read_text()
    assert old in text
    spoilt.write_text(text.replace(old, new, 1))
    assert ran(check(tmp_path)).state == "failed"


@pytest.mark.parametrize(("state", "code"), [("ok", 0), ("absent", 0), ("failed", 1)])
def test_every_check_is_told_with_what_it_looked_at_and_a_failure_is_the_exit_code(
    state: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The report of `make deploy-check`, with one real validator and one whose end is given."""
    given = Validator("given", lambda root: Outcome(state, f"why it is {state}"))
    real = next(validator for validator in ALL if validator.run is validators.systemd_unit)
    monkeypatch.setattr(deploy_check, "ALL", (real, given))
    assert deploy_check.main() == code
    told = capsys.readouterr().out
    assert f"{state:7} given: why it is {state}" in told
    assert real.name in told
    for what, why in deploy_check.NEEDS_A_CLUSTER:
        assert f"never   {what}: {why}" in told
