"""What `make` would type for a deployment, with either engine; `make deploy-drill` types it for real, with podman."""

from __future__ import annotations

import subprocess

import pytest

from tests.support.source_tree import ROOT
from workers.version import VERSION

PODMANS_OWN = ("--format", "--ignorefile")


def typed(target: str, *words: str) -> list[list[str]]:
    """The commands of a target, in words; nothing is done, and nothing is installed."""
    done = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", target, "--old-file", ".venv/.run-installed", *words],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=20,
    )  # fmt: skip
    return [line.split() for line in done.stdout.replace("\\\n", " ").splitlines()]


@pytest.mark.parametrize(("engine", "compose"), [("podman", "podman-compose"), ("docker", "docker compose")])
def test_one_command_makes_passwords_builds_the_missing_image_and_starts_it_with_one_engine(
    engine: str, compose: str
) -> None:
    lines = [" ".join(words) for words in typed("deploy-up", f"ENGINE={engine}")]
    places = [
        next(n for n, line in enumerate(lines) if wanted in line)
        for wanted in ("deploy/compose/state.sh", f"{engine} image inspect", f"{engine} build", f"{compose} --file")
    ]
    assert places == sorted(places)
    assert f"CLAIMSTREAM_IMAGE=localhost/claimstream:{VERSION} " in lines[places[-1]]


@pytest.mark.parametrize(("engine", "theirs"), [("podman", True), ("docker", False)])
def test_the_image_is_built_with_options_that_the_engine_has_and_is_labelled_with_the_version(
    engine: str, theirs: bool
) -> None:
    (words,) = (words for words in typed("image", f"ENGINE={engine}") if words[:2] == [engine, "build"])
    assert all((option in words) is theirs for option in PODMANS_OWN)
    assert f"VERSION={VERSION}" in words
