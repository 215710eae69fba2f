"""Nothing in the project names the machine or the workplace where it was written."""

from __future__ import annotations

import re

import pytest

from tests.support.source_tree import text_files

# Put together from halves, so that this file does not find itself.
MACHINE_PATHS = [r"(?<![\w.*])/" + folder for folder in ("work/", "root/", "home/[a-z]", "Users/[A-Za-z]", "opt/[a-z]")]
REGISTRY_HOSTS = [
    first + r"\." + second
    for first, second in [
        (r"(?:test\.)?py" + "pi", "org"),
        ("python" + "hosted", "org"),
        ("registry" + r"\.npm" + "js", "(?:org|com)"),
        ("deb" + r"\.deb" + "ian", "org"),
        ("proxy" + r"\.go" + "lang", "org"),
    ]
]
FORBIDDEN = re.compile("|".join(MACHINE_PATHS + REGISTRY_HOSTS))


def test_no_file_names_a_path_of_a_machine_or_the_host_of_a_registry() -> None:
    found = [
        f"{path}:{number}: {match[0]}"
        for path, text in text_files()
        for number, line in enumerate(text.splitlines(), start=1)
        if (match := FORBIDDEN.search(line))
    ]
    assert not found, f"it is true on one machine only: {found}"


@pytest.mark.parametrize("text", ["/wo" + "rk/main/x", "cd /ro" + "ot/y", "https://py" + "pi.org/simple"])
def test_such_a_name_is_seen(text: str) -> None:
    assert FORBIDDEN.search(text)


@pytest.mark.parametrize("text", ["docs/work/x", "the wheel comes from PyPI", "GET /status", "tests/home/"])
def test_other_names_pass(text: str) -> None:
    assert not FORBIDDEN.search(text)
