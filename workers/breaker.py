"""A circuit breaker as a value: after so many failures in a row nothing is tried for a while, then one probe.
Pure.

The time is an argument, in seconds of any clock that does not go back.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class BreakerOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When it opens and for how long (source-systems.md P41: 5 failures, 30 s)."""

    failures: int = 5
    """Failures in a row that open it."""
    open_seconds: float = 30.0
    """Seconds until one probe is let through."""


class Pass(StrEnum):
    """What may go through now."""

    ALL = "all"
    ONE = "one"
    NONE = "none"


class Breaker:
    """The breaker of one channel."""

    def __init__(self, options: BreakerOptions) -> None:
        """Closed at first."""
        self._options = options
        self._failures = 0
        self._opened: float | None = None

    def allows(self, now: float) -> Pass:
        """What may be tried at this time."""
        if self._opened is None:
            return Pass.ALL
        return Pass.ONE if now - self._opened >= self._options.open_seconds else Pass.NONE

    def seconds_left(self, now: float) -> float:
        """Seconds until the next probe; 0 when something may be tried."""
        if self._opened is None:
            return 0.0
        return max(self._options.open_seconds - (now - self._opened), 0.0)

    def succeeded(self) -> None:
        """Something came through: closed again."""
        self._failures = 0
        self._opened = None

    def failed(self, now: float) -> None:
        """Nothing came through. A failed probe opens it anew."""
        self._failures += 1
        if self._failures >= self._options.failures:
            self._opened = now
