"""Global options may stand anywhere on the line."""

from __future__ import annotations

import pytest

from workers.cli.given import hoisted


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        (["ping"], ["ping"]),
        (["ping", "--json"], ["--json", "ping"]),
        (["ping", "--redis-url", "redis://a"], ["--redis-url", "redis://a", "ping"]),
        (["ping", "--redis-url=redis://a", "x"], ["--redis-url=redis://a", "ping", "x"]),
        (["drop", "1-0", "--reason", "old", "--quiet"], ["--quiet", "drop", "1-0", "--reason", "old"]),
        (["a", "--", "--json"], ["a", "--", "--json"]),
        (["ping", "--data-dir"], ["--data-dir"]),
    ],
)
def test_a_global_option_is_found_wherever_it_stands(typed: list[str], read: list[str]) -> None:
    assert hoisted(typed) == read
