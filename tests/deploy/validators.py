"""The real tools that read deploy/, one function each: `make deploy-check` and the tests run the same ones.

A tool that is not there makes its check absent, with what would bring it; never silently green. `root` is the tree that
is looked at, so that a test can spoil a copy.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import yaml

from tests.deploy.expressions import expressions_as_rules
from tests.deploy.manifests import TREES, kustomize
from tests.support.source_tree import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

KUBERNETES_VERSIONS = ("1.30", "1.34")
"""Oldest and newest version of the API that the manifests are for."""


class Outcome(NamedTuple):
    """How a check ended. `state`: ok, failed or absent; `told`: what was looked at, or what is wrong or missing."""

    state: str
    told: str


class Validator(NamedTuple):
    """A check by a real tool: what it looks at, and how."""

    name: str
    run: Callable[[Path], Outcome]


def tool(name: str, package: str) -> str | Outcome:
    """Path of a program: on PATH, or in the environment of `make deploy-check`."""
    own = ROOT / ".venv" / "deploy" / "bin" / name
    found = str(own) if own.exists() else shutil.which(name)
    return found or Outcome("absent", f"{name} is not there: {package}")


def judged(command: Sequence[str], told: str, *, cwd: Path, given: str | None = None) -> Outcome:
    """Run a tool; its exit code decides, its words are passed on."""
    environment = {**os.environ, "NO_COLOR": "1"}
    done = subprocess.run(
        command, cwd=cwd, input=given, capture_output=True, text=True, check=False, timeout=120, env=environment
    )
    if done.returncode == 0:
        return Outcome("ok", told)
    return Outcome("failed", f"{' '.join(command[:3])} ...: {(done.stdout + done.stderr).strip()[-2000:]}")


OWN_TOOLS = "make deploy-check installs it from requirements-deploy.lock"


def dockerfile(root: Path) -> Outcome:
    """Hadolint on the Dockerfile."""
    found = tool("hadolint", OWN_TOOLS)
    if isinstance(found, Outcome):
        return found
    return judged([found, "--failure-threshold", "info", "deploy/Dockerfile"], "deploy/Dockerfile", cwd=root)


def compose_file(root: Path) -> Outcome:
    """The compose file against the compose specification."""
    found = tool("check-jsonschema", OWN_TOOLS)
    if isinstance(found, Outcome):
        return found
    file = "deploy/compose/compose.yaml"
    return judged([found, "--builtin-schema", "vendor.compose-spec", file], file, cwd=root)


def manifests(root: Path) -> Outcome:
    """Each tree rendered, then each object against the API's schemas, unknown fields refused."""
    found, render = tool("kubernetes-validate", OWN_TOOLS), kustomize()
    if isinstance(found, Outcome):
        return found
    if render is None:
        return Outcome("absent", "kubectl (or kustomize) is not there: install Kubernetes' client")
    count = 0
    for tree in TREES:
        done = subprocess.run(
            [*render, f"deploy/kubernetes/{tree}"], cwd=root, capture_output=True, text=True, check=False, timeout=60
        )
        if done.returncode != 0:
            return Outcome("failed", f"{tree}: {done.stderr.strip()}")
        count += done.stdout.count("\nkind: ") + done.stdout.startswith("kind: ")
        for version in KUBERNETES_VERSIONS:
            command = [found, "--strict", "-k", version, "--quiet", "--no-warn", "-"]
            one = judged(command, tree, cwd=root, given=done.stdout)
            if one.state != "ok":
                return Outcome("failed", f"{tree} for {version}: {one.told}")
    return Outcome(
        "ok",
        f"{count} objects of {len(TREES)} trees, Kubernetes {' and '.join(KUBERNETES_VERSIONS)}; ScaledObject and "
        "PodMonitor only by our own policies: their schemas are not in the tool",
    )


def prometheus(root: Path) -> Outcome:
    """The configuration of Prometheus and the rules that it names."""
    found = tool("promtool", "apt-get install prometheus")
    if isinstance(found, Outcome):
        return found
    file = "deploy/prometheus/prometheus.yaml"
    return judged([found, "check", "config", "--lint-fatal", file], f"{file} and its rules", cwd=root)


def alert_tests(root: Path) -> Outcome:
    """The unit tests of the alerts."""
    found = tool("promtool", "apt-get install prometheus")
    if isinstance(found, Outcome):
        return found
    file = root / "deploy" / "prometheus" / "tests.yaml"
    count = len(yaml.safe_load(file.read_text(encoding="utf-8"))["tests"])
    return judged([found, "test", "rules", str(file)], f"{count} tests of alerts", cwd=root)


def dashboards(root: Path) -> Outcome:
    """Every expression of the dashboards and of the ScaledObject parses."""
    found = tool("promtool", "apt-get install prometheus")
    if isinstance(found, Outcome):
        return found
    text, count = expressions_as_rules(root)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "expressions.yaml"
        file.write_text(text, encoding="utf-8")
        return judged([found, "check", "rules", str(file)], f"{count} expressions of panels and scalers", cwd=root)


def alertmanager(root: Path) -> Outcome:
    """The routes and receivers."""
    found = tool("amtool", "apt-get install prometheus-alertmanager")
    if isinstance(found, Outcome):
        return found
    file = "deploy/alertmanager/alertmanager.yaml"
    return judged([found, "check-config", file], file, cwd=root)


def systemd_unit(root: Path) -> Outcome:
    """The unit, with a program that exists in the place of ours."""
    found = tool("systemd-analyze", "apt-get install systemd")
    if isinstance(found, Outcome):
        return found
    text = (root / "deploy" / "systemd" / "claimstream.service").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "claimstream.service"
        file.write_text(text.replace("/usr/local/bin/claimstream", "/bin/true"), encoding="utf-8")
        one = judged([found, "verify", "--man=no", "--recursive-errors=no", str(file)], "", cwd=root)
        if one.state != "ok":
            return one
        words = [found, "security", "--offline=true", "--threshold=20", "--no-pager", str(file)]
        return judged(words, "the unit is sound, and its exposure is 2.0 of 10 at most", cwd=root)


ALL: tuple[Validator, ...] = (
    Validator("Dockerfile (hadolint)", dockerfile),
    Validator("compose (compose-spec)", compose_file),
    Validator("Kubernetes (kubernetes-validate --strict)", manifests),
    Validator("Prometheus (promtool check config)", prometheus),
    Validator("alerts (promtool test rules)", alert_tests),
    Validator("dashboards, scaler (promtool)", dashboards),
    Validator("Alertmanager (amtool)", alertmanager),
    Validator("systemd (systemd-analyze)", systemd_unit),
)
