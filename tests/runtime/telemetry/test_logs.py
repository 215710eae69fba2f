"""Log lines: ids and figures, no payload, no secret, one line each."""

from __future__ import annotations

import io
import json
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from runtime.signals import EntryParked, HandlerFailed, Signal, WaitDeclared
from runtime.supervision import signals as supervision
from runtime.telemetry.logs import RULES, LogSubscriber, configure
from runtime.telemetry.redaction import MAX_TEXT, clean, clean_text
from tests.support.telemetry import settled

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def logged(level: str = "DEBUG", *, as_json: bool = True) -> Iterator[io.StringIO]:
    """What is written while inside."""
    stream = io.StringIO()
    undo = configure(level, as_json, stream)
    try:
        yield stream
    finally:
        undo()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


class Invented(Signal, frozen=True):
    """A signal that no rule knows."""

    actor: str
    payload: str


def test_a_signal_becomes_one_json_line_with_its_allowed_fields() -> None:
    with logged() as stream:
        LogSubscriber()(EntryParked("a", "g", 3, "12-0", "unreadable", False))
    (line,) = lines(stream)
    assert line["event"] == "entry parked"
    assert (line["level"], line["logger"], line["signal"]) == ("warning", "claimstream", "EntryParked")
    assert (line["actor"], line["group"], line["partition"]) == ("a", "g", 3)
    assert (line["entry_id"], line["reason"], line["held"]) == ("12-0", "unreadable", False)
    assert line["timestamp"].endswith("Z")


def test_a_field_that_no_rule_allows_is_not_written() -> None:
    with logged() as stream:
        LogSubscriber()(Invented("a", "the whole story of somebody"))
    (line,) = lines(stream)
    assert (line["event"], line["actor"]) == ("Invented", "a")
    assert "story" not in stream.getvalue()


def test_every_rule_names_a_signal_and_fields_that_exist() -> None:
    known = {kind.__name__: kind for kind in _kinds(Signal)}
    for name, rule in RULES.items():
        assert set(rule.fields) <= set(known[name].__struct_fields__), name
    told = {kind.__name__ for kind in _kinds(supervision.SupervisionSignal)}
    assert told - {"SupervisionSignal"} <= set(RULES) | {"Invented"}


def _kinds(base: type[Signal]) -> list[type[Signal]]:
    return [base, *(inner for kind in base.__subclasses__() for inner in _kinds(kind))]


@pytest.mark.parametrize(
    ("outcome", "level"), [("ok", "debug"), ("fenced", "info"), ("torn", "error"), ("lost", "error")]
)
def test_a_batch_is_as_loud_as_its_outcome(outcome: str, level: str) -> None:
    with logged() as stream:
        LogSubscriber()(settled(outcome))
    assert lines(stream)[0]["level"] == level


def test_a_level_that_is_off_writes_nothing() -> None:
    with logged("WARNING") as stream:
        LogSubscriber()(settled())
        LogSubscriber()(HandlerFailed("a", "g", 0, 1, 1, 3, "boom"))
    assert [line["event"] for line in lines(stream)] == ["handler failed"]


@pytest.mark.parametrize("as_json", [True, False])
def test_text_from_outside_cannot_fake_a_second_line(as_json: bool) -> None:
    evil = "bad\r\n2026-01-01 [info] all is well\u2028\x1b[2J\x00"
    with logged(as_json=as_json) as stream:
        LogSubscriber()(EntryParked("a", "g", 0, "1-0", evil, False))
        logging.getLogger("library").warning("got %s", evil)
    assert len(stream.getvalue().splitlines()) == 2
    assert "\x1b[2J" not in stream.getvalue()
    assert "\\n2026-01-01" in stream.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        "redis://:hunter2@store:6379/0 refused",
        "rediss://user:hunter2@store:6379",
        "redis://user:pa/ss@hunter2@store:6379",
        "password=hunter2",
        "REDIS_PASSWORD: hunter2",
        '{"api_key": "hunter2", "a": 1}',
        "Authorization: Bearer hunter2hunter2",
    ],
)
def test_no_secret_is_written(text: str) -> None:
    with logged() as stream:
        LogSubscriber()(WaitDeclared("a", "g", 0, "store_away", text))
        logging.getLogger("library").error("failed: %s", text)
        try:
            raise ValueError(text)
        except ValueError:
            logging.getLogger("library").exception("failed")
    assert "hunter2" not in stream.getvalue()
    assert "redacted" in stream.getvalue()


def test_fields_with_the_name_of_a_secret_are_never_shown() -> None:
    for name in ("password", "redis_password", "api_key", "accessToken", "client_secret", "Authorization"):
        assert clean(name, "x") == "[redacted]", name
    assert clean("options", {"password": "x", "port": 1}) == {"password": "[redacted]", "port": 1}
    assert clean("entry_id", "12-0") == "12-0"


def test_an_address_without_a_password_stays_readable() -> None:
    assert clean_text("redis://store:6379/0 refused") == "redis://store:6379/0 refused"


def test_an_exception_is_told_by_type_text_and_places_without_values() -> None:
    with logged() as stream:
        try:
            _fail("private")
        except RuntimeError:
            logging.getLogger("library").exception("it failed")
    (line,) = lines(stream)
    assert (line["event"], line["error_type"], line["error"]) == ("it failed", "RuntimeError", "no luck")
    assert line["because"] == "KeyError: 'name'"
    assert line["places"][-1].endswith(" _fail")
    assert "private" not in stream.getvalue()
    assert "Traceback" not in stream.getvalue()


def _fail(secret: str) -> None:
    try:
        {"other": 1}["name"]
    except KeyError as error:
        raise RuntimeError("no luck") from error


def test_values_are_told_as_str_and_payloads_as_their_size() -> None:
    class Odd:
        def __str__(self) -> str:
            return "odd"

        def __repr__(self) -> str:
            return "Odd(everything)"

    assert clean("value", Odd()) == "odd"
    assert clean("value", b"secret payload") == "<14 bytes>"
    assert clean("value", [1, None, True, "x"]) == [1, None, True, "x"]


def test_a_long_text_is_cut_in_bounded_time() -> None:
    assert len(clean_text("x" * 1_000_000)) == MAX_TEXT + 3


def test_configured_twice_a_line_is_written_once_and_undone_nothing_is() -> None:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    with logged() as outer, logged() as inner:
        logging.getLogger("library").warning("once")
        assert (len(lines(outer)), len(lines(inner))) == (0, 1)
    assert (root.handlers, root.level) == (handlers, level)


def test_fields_of_a_line_cannot_replace_its_own() -> None:
    with logged() as stream:
        logging.getLogger("x").info("true", extra={"fields": {"event": "false", "level": "error", "id": 7}})
    (line,) = lines(stream)
    assert (line["event"], line["level"], line["id"]) == ("true", "info", 7)
