"""Signals -> structured log lines: JSON for machines, a coloured line for a terminal.

Only fields on the allow-list of a signal are written: ids and figures, never a payload. Everything, also what
libraries log, passes through `redaction`. Exceptions are written as type, `str` and places; never `repr`,
never local variables, never source text.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, MutableMapping
from typing import TYPE_CHECKING, Any, Final, TextIO

import msgspec
import structlog

from runtime.telemetry.redaction import clean, clean_text

if TYPE_CHECKING:
    from runtime.signals import Signal

LOGGER: Final = "claimstream"
_MARK: Final = "_claimstream_handler"

_WHO = ("actor", "group", "partition")


class LogRule(msgspec.Struct, frozen=True):
    """How one signal is written: level, text, and the fields that may appear."""

    level: int
    text: str
    fields: tuple[str, ...]


#: By class name of the signal. What is not here is written at DEBUG with the fields of `COMMON_FIELDS` it
#: has.
RULES: Final[dict[str, LogRule]] = {
    "BatchSettled": LogRule(
        logging.DEBUG,
        "batch settled",
        (*_WHO, "entries", "outcome", "handle_seconds", "settle_seconds", "position"),
    ),
    "EntriesHandled": LogRule(logging.DEBUG, "entries handled", (*_WHO, "oldest_age_seconds")),
    "EntryParked": LogRule(logging.WARNING, "entry parked", (*_WHO, "entry_id", "reason", "held")),
    "EntryForged": LogRule(logging.ERROR, "entry forged", (*_WHO, "entry_id", "entity", "sequence")),
    "HandlerFailed": LogRule(logging.WARNING, "handler failed", (*_WHO, "entries", "attempt", "limit", "error")),
    "Resynced": LogRule(logging.INFO, "group put back to its position", (*_WHO, "reason", "position")),
    "WaitDeclared": LogRule(logging.WARNING, "runner waits", (*_WHO, "reason", "detail")),
    "WaitEnded": LogRule(logging.INFO, "wait is over", (*_WHO, "reason")),
    "LeaseChanged": LogRule(logging.INFO, "lease changed", ("group", "partition", "state")),
    "StoreRoundTrip": LogRule(logging.DEBUG, "store called", ("call", "outcome", "seconds")),
    "ChildStarted": LogRule(logging.INFO, "child started", ("supervisor", "child", "incarnation", "seconds")),
    "ChildFailed": LogRule(
        logging.ERROR,
        "child failed",
        ("supervisor", "child", "incarnation", "error", "was_started", "restarting"),
    ),
    "ChildFatal": LogRule(logging.CRITICAL, "child cannot go on", ("supervisor", "child", "incarnation", "error")),
    "ChildDone": LogRule(logging.INFO, "child is done", ("supervisor", "child", "incarnation", "restarting")),
    "BackoffEntered": LogRule(
        logging.WARNING,
        "children wait before their restart",
        ("supervisor", "child", "children", "delay_seconds", "level", "limit"),
    ),
    "Escalated": LogRule(logging.CRITICAL, "supervisor gives up", ("supervisor", "child", "error", "level", "limit")),
    "StopTimedOut": LogRule(logging.ERROR, "child did not stop in time", ("supervisor", "child", "timeout_seconds")),
    "ChildStopped": LogRule(logging.INFO, "child stopped", ("supervisor", "child", "seconds", "forced", "error")),
    "SupervisorStarted": LogRule(logging.INFO, "supervisor started", ("supervisor", "children")),
    "SupervisorStopped": LogRule(logging.INFO, "supervisor stopped", ("supervisor", "unstopped")),
}

#: Fields that any signal may show.
COMMON_FIELDS: Final = (
    *("actor", "group", "partition", "process", "supervisor", "child", "state", "reason", "outcome"),
    *("attempt", "limit", "entries", "seconds", "delay_seconds", "position", "entry_id"),
)

#: Outcomes of settle that an operator must see; others than ok are worth an INFO.
ALARMING: Final = frozenset({"lost", "torn", "halted"})


class LogSubscriber:
    """Writes one line for each signal; a level that is switched off costs one comparison."""

    def __init__(self, logger: logging.Logger | None = None) -> None:
        """Lines go to `logger`, by default the one of `LOGGER`."""
        self._logger = logger or logging.getLogger(LOGGER)

    def __call__(self, signal: Signal) -> None:
        """Write the line for `signal`."""
        name = type(signal).__name__
        rule = RULES.get(name)
        level = _level(signal, rule)
        if not self._logger.isEnabledFor(level):
            return
        names = COMMON_FIELDS if rule is None else rule.fields
        fields = {field: getattr(signal, field) for field in names if hasattr(signal, field)}
        self._logger.log(level, rule.text if rule else name, extra={"fields": {"signal": name, **fields}})


def _level(signal: Signal, rule: LogRule | None) -> int:
    if rule is None:
        return logging.DEBUG
    outcome = getattr(signal, "outcome", "ok")
    if outcome == "ok" or type(signal).__name__ != "BatchSettled":
        return rule.level
    return logging.ERROR if outcome in ALARMING else logging.INFO


def configure(level: str | int = "INFO", json: bool = True, stream: TextIO | None = None) -> Callable[[], None]:
    """Send all logging of this process, ours and that of libraries, to `stream` (default stderr).

    Called again it replaces its own handler and leaves those of others. The returned function undoes it.
    ValueError for a level that does not exist.
    """
    target = stream or sys.stderr
    root = logging.getLogger()
    for handler in [known for known in root.handlers if getattr(known, _MARK, False)]:
        root.removeHandler(handler)
    before = root.level
    root.setLevel(level.upper() if isinstance(level, str) else level)
    handler = logging.StreamHandler(target)
    setattr(handler, _MARK, True)
    handler.setFormatter(_formatter(json, colours=target.isatty()))
    root.addHandler(handler)

    def undo() -> None:
        root.removeHandler(handler)
        root.setLevel(before)

    return undo


def _formatter(json: bool, colours: bool) -> logging.Formatter:
    renderer: Any
    if json:
        renderer = structlog.processors.JSONRenderer(serializer=_to_json)
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=colours)
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
        ],
        processors=[
            _take_fields,
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _describe_exception,
            _clean_all,
            renderer,
        ],
    )


def _to_json(event: MutableMapping[str, Any], **_: object) -> str:
    return msgspec.json.encode(event).decode()


_Event = MutableMapping[str, Any]


def _take_fields(logger: object, method: str, event: _Event) -> _Event:
    """Fields given by `extra={"fields": {...}}` become fields of the line; they cannot replace its own."""
    record = event.get("_record")
    for name, value in getattr(record, "fields", {}).items():
        event.setdefault(name, value)
    return event


def _describe_exception(logger: object, method: str, event: _Event) -> _Event:
    """Replace exception objects by type, `str` and places."""
    info = event.pop("exc_info", None)
    event.pop("exc_text", None)
    event.pop("stack_info", None)
    if isinstance(info, BaseException):
        error: BaseException | None = info
    elif isinstance(info, tuple):
        error = info[1]
    else:
        error = sys.exc_info()[1] if info else None
    if error is not None:
        event.update(describe_exception(error))
    return event


def describe_exception(error: BaseException) -> dict[str, object]:
    """The error as fields: `error_type`, `error` (its `str`), `places`, `because`, `members` of a group.

    `places` are `file:line function`, the innermost last. No value of a variable is in any of them.
    """
    told: dict[str, object] = {"error_type": type(error).__name__, "error": str(error)}
    places, frame = [], error.__traceback__
    while frame is not None:
        code = frame.tb_frame.f_code
        places.append(f"{code.co_filename.rpartition('/')[2]}:{frame.tb_lineno} {code.co_name}")
        frame = frame.tb_next
    if places:
        told["places"] = places[-10:]
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        told["because"] = f"{type(cause).__name__}: {cause}"
    if isinstance(error, BaseExceptionGroup):
        told["members"] = [f"{type(inner).__name__}: {inner}" for inner in error.exceptions]
    return told


def _clean_all(logger: object, method: str, event: _Event) -> _Event:
    """Redact and escape every field of the line, the text included."""
    return {clean_text(name): clean(name, value) for name, value in event.items()}
