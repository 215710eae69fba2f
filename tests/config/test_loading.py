"""Settings come from the right layer, and each wrong one is answered in a line that helps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from config.fields import SettingsError
from config.loading import load
from config.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


def address(**environment: str) -> str:
    settings = load(environment=environment)
    return settings.store.mode if settings.store.mode == "embedded" else settings.store.address().url


def password(**environment: str) -> str | None:
    secret = load(environment=environment).store.address().password
    return secret.reveal() if secret is not None else None


def refusal(**environment: str) -> str:
    with pytest.raises(SettingsError) as refused:
        load(environment=environment)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_with_nothing_said_the_store_that_comes_along_is_used() -> None:
    assert load(environment={}).profile == "local"
    assert address() == "embedded"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"REDIS_HOST": "store"}, "redis://store:6379/0"),
        ({"REDIS_PORT": "6390"}, "redis://localhost:6390/0"),
        ({"REDIS_PASSWORD": "pw"}, "redis://localhost:6379/0"),
        ({"REDIS_HOST": "store", "REDIS_PORT": "6390"}, "redis://store:6390/0"),
        ({"REDIS_HOST": "store", "REDIS_PASSWORD": ""}, "redis://store:6379/0"),
        ({"REDIS_HOST": "", "REDIS_PORT": "", "REDIS_PASSWORD": "", "REDIS_URL": ""}, "embedded"),
        ({"REDIS_URL": "unix:///run/s"}, "unix:///run/s"),
        ({"REDIS_URL": "redis://a:1/2", "REDIS_HOST": "b", "REDIS_PORT": "2"}, "redis://a:1/2"),
        ({"REDIS_URL": "redis://a", "CLAIMSTREAM_STORE__URL": "redis://b"}, "redis://a:6379/0"),
        ({"CLAIMSTREAM_STORE__URL": "redis://b", "REDIS_HOST": "c"}, "redis://b:6379/0"),
        ({"CLAIMSTREAM_STORE__HOST": "b"}, "redis://b:6379/0"),
        ({"CLAIMSTREAM_STORE__HOST": "b", "CLAIMSTREAM_STORE__MODE": "embedded"}, "embedded"),
    ],
)
def test_the_address_comes_from_the_layer_that_counts(environment: dict[str, str], expected: str) -> None:
    assert address(**environment) == expected


def test_the_command_line_comes_last() -> None:
    settings = load(environment={"REDIS_URL": "redis://a"}, overrides={"store.url": "redis://b"})
    assert settings.store.address().url == "redis://b:6379/0"
    assert load(environment={}, overrides={"store.url": "redis://b"}).store.mode == "external"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"REDIS_PASSWORD": "pw"}, "pw"),
        ({"REDIS_URL": "redis://a", "REDIS_PASSWORD": "pw"}, "pw"),
        ({"REDIS_URL": "redis://:own@a", "REDIS_PASSWORD": "pw"}, "own"),
        ({"REDIS_PASSWORD": "pw", "CLAIMSTREAM_STORE__PASSWORD": "ours"}, "ours"),
        ({"REDIS_URL": "redis://a"}, None),
    ],
)
def test_a_password_fills_an_address_without_one(environment: dict[str, str], expected: str | None) -> None:
    assert password(**environment) == expected


def test_what_kubernetes_sets_beside_a_service_is_no_setting() -> None:
    assert address(REDIS_PORT="tcp://10.0.0.1:6379", REDIS_SERVICE_HOST="10.0.0.1") == "embedded"
    links = {
        "CLAIMSTREAM_SERVICE_HOST": "10.0.0.2",
        "CLAIMSTREAM_STATUS_SERVICE_PORT_HTTP": "8080",
        "CLAIMSTREAM_PORT": "tcp://10.0.0.2:8080",
        "CLAIMSTREAM_PORT_8080_TCP_ADDR": "10.0.0.2",
    }
    assert load(environment=links) == load(environment={})


def test_a_secret_file_comes_above_the_environment_and_loses_its_line_end(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("from the file\n")
    given = {"REDIS_HOST": "a", "CLAIMSTREAM_STORE__PASSWORD": "from the environment"}
    assert password(**given, CLAIMSTREAM_STORE__PASSWORD_FILE=str(secret)) == "from the file"
    secret.write_text("redis://:pw@store\n")
    assert address(CLAIMSTREAM_STORE__URL_FILE=str(secret)) == "redis://store:6379/0"


def test_a_secret_file_that_is_not_there_is_named() -> None:
    assert refusal(CLAIMSTREAM_STORE__PASSWORD_FILE="/no/such") == (
        "store.password_file is '/no/such' (environment variable CLAIMSTREAM_STORE__PASSWORD_FILE): "
        "the file cannot be read: No such file or directory"
    )


def test_the_environment_reaches_every_depth_and_kind_of_setting() -> None:
    settings = load(
        environment={
            "CLAIMSTREAM_LOG__PARTITIONS": "4",
            "CLAIMSTREAM_EMBEDDED__PORT": "6379",
            "CLAIMSTREAM_EMBEDDED__APPENDFSYNC": "always",
            "CLAIMSTREAM_EMBEDDED__DIRECTIVES": '{"hz": "50"}',
            "CLAIMSTREAM_LOG__ADOPT_RAW_ENTRIES": "false",
            "CLAIMSTREAM_HOST__SERVING__WORK__ATTEMPTS": "5",
            "CLAIMSTREAM_STOPPING__DRAIN_SECONDS": "7.5",
        }
    )
    assert settings.log.partitions == 4
    assert settings.embedded.port == 6379
    assert settings.embedded.appendfsync == "always"
    assert settings.embedded.directives == {"hz": "50"}
    assert not settings.log.adopt_raw_entries
    assert settings.host.serving.work.attempts == 5
    assert settings.stopping.drain_seconds == 7.5


def test_a_file_of_the_operator_lies_between_profile_and_environment(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[log]\npartitions = 4\n[store]\nhost = "mine"\n')
    named = {"CLAIMSTREAM_CONFIG": str(file)}
    assert load(environment=named).log.partitions == 4
    assert load(environment=named).store.address().url == "redis://mine:6379/0"
    assert load(environment=named | {"CLAIMSTREAM_LOG__PARTITIONS": "8"}).log.partitions == 8
    assert address(**named, REDIS_HOST="other") == "redis://other:6379/0"


def test_the_host_of_the_environment_replaces_the_url_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[store]\nurl = "redis://mine"\n')
    assert address(CLAIMSTREAM_CONFIG=str(file)) == "redis://mine:6379/0"
    assert address(CLAIMSTREAM_CONFIG=str(file), REDIS_HOST="other") == "redis://other:6379/0"


def test_a_secret_of_the_wrong_kind_is_refused_without_being_shown(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[store]\npassword = 246810\n")
    told = refusal(CLAIMSTREAM_CONFIG=str(file))
    assert told == f"store.password is *** (file {file}): expected a text or nothing"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[log\n", "is no valid TOML"),
        ("[lgo]\npartitions = 1\n", "unknown setting lgo ("),
        ('log = "one"\n', "log is 'one' ("),
        ('[log]\npartitions = "4"\n', "log.partitions is '4' ("),
    ],
)
def test_a_wrong_file_is_answered_with_its_name_and_the_key(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    told = refusal(CLAIMSTREAM_CONFIG=str(file))
    assert complaint in told
    assert str(file) in told


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        (
            "CLAIMSTREAM_LOG__PARTITIONS",
            "many",
            "log.partitions is 'many' ({}): expected a whole number from 1 to 1024",
        ),
        (
            "CLAIMSTREAM_LOG__PARTITIONS",
            "0",
            "log.partitions is '0' ({}): expected a whole number from 1 to 1024",
        ),
        (
            "CLAIMSTREAM_LOG__ADOPT_RAW_ENTRIES",
            "maybe",
            "log.adopt_raw_entries is 'maybe' ({}): expected true or false",
        ),
        (
            "CLAIMSTREAM_EMBEDDED__APPENDFSYNC",
            "often",
            "embedded.appendfsync is 'often' ({}): expected one of always, everysec, no",
        ),
        (
            "CLAIMSTREAM_EMBEDDED__STOP_SECONDS",
            "-1",
            "embedded.stop_seconds is '-1' ({}): expected a number from 0",
        ),
        (
            "CLAIMSTREAM_EMBEDDED__PORT",
            "http",
            "embedded.port is 'http' ({}): expected a whole number from 1 to 65535 or nothing",
        ),
        (
            "CLAIMSTREAM_EMBEDDED__DIRECTIVES",
            "hz=50",
            "embedded.directives is 'hz=50' ({}): expected a table of names and texts",
        ),
        (
            "CLAIMSTREAM_EMBEDDED__DATA_DRI",
            "x",
            "unknown setting embedded.data_dri ({}): did you mean embedded.data_dir?",
        ),
        ("CLAIMSTREAM_EMBEDED__PORT", "1", "unknown setting embeded.port ({}): did you mean embedded.port?"),
        ("CLAIMSTREAM_PARTITIONS", "4", "unknown setting partitions ({}): did you mean log.partitions?"),
        ("CLAIMSTREAM_LOG", "4", "log is '4' ({}): expected a table, it has keys of its own"),
        (
            "CLAIMSTREAM_STORE__OPTIONS__CLIENTS__BLOCKMS",
            "4",
            ("unknown setting store.options.clients.blockms ({}): did you mean store.options.clients.block_ms?"),
        ),
        (
            "CLAIMSTREAM_LOG__QQQQQQ",
            "4",
            "unknown setting log.qqqqqq ({}): known here: adopt_raw_entries, partitions",
        ),
    ],
)
def test_a_wrong_setting_is_answered_with_key_value_source_and_what_was_expected(
    variable: str, value: str, told: str
) -> None:
    assert refusal(**{variable: value}) == told.format(f"environment variable {variable}")


def test_a_profile_that_does_not_exist_is_answered_with_the_nearest() -> None:
    assert refusal(CLAIMSTREAM_PROFILE="prod") == "unknown profile 'prod': did you mean production?"
    assert refusal(CLAIMSTREAM_PROFILE="x") == "unknown profile 'x': known: local, production, test"


@pytest.mark.parametrize(
    "environment",
    [
        {"REDIS_URL": "http://u:s3cret@store"},
        {"REDIS_URL": "redis://u:s3cret@store:port"},
        {"REDIS_PASSWORD": "s3cret", "REDIS_PORT": "x"},
    ],
)
def test_a_refused_address_does_not_show_its_password(environment: dict[str, str]) -> None:
    assert "s3cret" not in refusal(**environment)


def test_settings_can_be_printed_without_showing_a_secret() -> None:
    given = {"REDIS_URL": "redis://u:s3cret@store", "REDIS_PASSWORD": "s3cret"}
    assert "s3cret" not in repr(load(environment=given))


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        (
            {"CLAIMSTREAM_HOST__SERVING__READ__BLOCK_MS": "5000"},
            "host.serving.read.block_ms (5000) must not be above store.options.clients.block_ms (1000)",
        ),
        ({"CLAIMSTREAM_STOPPING__DRAIN_SECONDS": "60"}, "must not be above fleet.drain_seconds (25)"),
        (
            {"CLAIMSTREAM_FLEET__BACKOFF__FIRST_SECONDS": "0"},
            "backoff: first_seconds (0.0) must be above 0 and at most cap_seconds (10.0)",
        ),
    ],
)
def test_values_that_do_not_fit_together_are_refused(environment: dict[str, str], told: str) -> None:
    assert told in refusal(**environment)


def test_what_is_not_said_keeps_the_default_of_its_component() -> None:
    assert load(environment={}).fleet == Settings().fleet
