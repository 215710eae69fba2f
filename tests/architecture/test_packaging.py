"""What is installed is whole: the wheel holds every file that the code reads, and only what belongs in it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.support.source_tree import PACKAGES, ROOT, project_files

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the tree as it stands, built by the installed backend: nothing is downloaded."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_holds_every_file_of_the_packages_as_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        there = {name: archive.read(name) for name in archive.namelist()}
    expected = {
        path.relative_to(ROOT).as_posix(): path.read_bytes()
        for path in project_files()
        if path.relative_to(ROOT).parts[0] in PACKAGES
    }
    assert any(name.endswith(".lua") for name in expected), "no Lua: this test has lost its subject"
    assert not {name for name, content in expected.items() if there.get(name) != content}


def test_the_wheel_holds_the_four_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.partition("/")[0] for name in archive.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)


def test_the_wheel_installs_the_command_and_carries_the_licences(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (entry_points,) = (archive.read(name).decode() for name in names if name.endswith("entry_points.txt"))
    assert "claimstream = workers.__main__:main" in entry_points
    assert [name for name in names if name.endswith("licenses/LICENSE")]
    assert [name for name in names if name.endswith("licenses/NOTICE")]


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-build.lock", "requirements-dev.lock"])
def test_a_lock_pins_every_package_with_hashes_and_names_no_index(lock: str) -> None:
    requirements = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    pins = [line for line in requirements if line.strip() and not line.lstrip().startswith("#")]
    assert pins
    assert not [line for line in pins if "==" not in line or "--hash=sha256:" not in line]
    assert not [line for line in requirements if "://" in line or "index-url" in line or "find-links" in line]


def test_the_locks_agree_on_every_version() -> None:
    run, build, dev = (pinned(f"requirements{kind}.lock") for kind in ("", "-build", "-dev"))
    assert run.items() <= dev.items(), "run `make lock`: the tests would run with other versions"
    assert build.items() <= dev.items(), "run `make lock`"


def test_every_declared_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    named = [dependency.partition(">=")[0].partition("[")[0] for dependency in project["project"]["dependencies"]]
    dev = [entry.partition(">=")[0] for entry in project["dependency-groups"]["dev"] if isinstance(entry, str)]
    assert set(named) <= set(pinned("requirements.lock")), "run `make lock`"
    assert set(dev) <= set(pinned("requirements-dev.lock")), "run `make lock`"


def pinned(lock: str) -> dict[str, str]:
    """Package to version, of one lock file."""
    lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()
    pins = (line.split(" ")[0].partition("==") for line in lines if "==" in line and line[0].isalnum())
    return {name.partition("[")[0]: version for name, _, version in pins}
