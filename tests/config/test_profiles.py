"""Every profile loads, says why beside each value, and keeps its promise."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

import pytest

from config.fields import SettingsError
from config.loading import load, profiles

if TYPE_CHECKING:
    from pathlib import Path

    from config.settings import Settings


def of(profile: str, **environment: str) -> Settings:
    return load(profile, environment=environment)


@pytest.mark.parametrize("profile", ["local", "production", "test"])
def test_every_profile_loads(profile: str) -> None:
    assert of(profile).profile == profile


def test_these_are_all_profiles() -> None:
    assert profiles() == ["local", "production", "test"]


@pytest.mark.parametrize("profile", ["local", "production", "test"])
def test_every_value_of_a_profile_stands_below_a_comment_that_says_why(profile: str) -> None:
    lines = (files("config") / "profiles" / f"{profile}.toml").read_text(encoding="utf-8").splitlines()
    bare = [
        line
        for above, line in zip(["", *lines], lines, strict=False)
        if " = " in line and "#" not in (line[0], above[:1])
    ]
    assert bare == []


def test_the_local_profile_needs_nothing_and_takes_what_the_lab_writes() -> None:
    local = of("local")
    assert (local.store.mode, local.embedded.appendfsync) == ("embedded", "everysec")
    assert local.log.adopt_raw_entries
    assert local.expect.require_append_only


def test_the_production_profile_expects_a_durable_store_and_takes_no_raw_entry() -> None:
    production = of("production")
    assert production.store.mode == "external"
    assert production.expect.require_append_only
    assert production.expect.require_noeviction
    assert production.expect.appendfsync == "always"
    assert not production.log.adopt_raw_entries


def test_a_file_cannot_rename_the_profile_to_escape_its_rules(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('profile = "local"\n[log]\nadopt_raw_entries = true\n')
    with pytest.raises(SettingsError, match="profile production: log.adopt_raw_entries"):
        of("production", CLAIMSTREAM_CONFIG=str(file))


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("CLAIMSTREAM_STORE__MODE", "embedded", "profile production: store.mode must be external"),
        (
            "CLAIMSTREAM_LOG__ADOPT_RAW_ENTRIES",
            "true",
            "profile production: log.adopt_raw_entries must be false",
        ),
        (
            "CLAIMSTREAM_EXPECT__REQUIRE_APPEND_ONLY",
            "false",
            "profile production: expect.require_append_only",
        ),
        ("CLAIMSTREAM_EXPECT__REQUIRE_NOEVICTION", "false", "profile production: expect.require_noeviction"),
    ],
)
def test_no_switch_makes_production_forgetful(variable: str, value: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        of("production", **{variable: value})
