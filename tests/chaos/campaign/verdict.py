"""What the judge says."""

from __future__ import annotations

from typing import Literal

import msgspec


class Violation(msgspec.Struct, frozen=True):
    """One counterexample: the invariant of guarantees.md (d), and what was found, by id."""

    invariant: str
    what: str

    def __str__(self) -> str:
        """One line."""
        return f"{self.invariant}: {self.what}"


class Verdict(msgspec.Struct):
    """Of one seed. UNKNOWN is not said here: it is about faults that no seed exercised."""

    seed: int
    word: Literal["PASS", "FAIL"]
    violations: list[Violation]
    checked: dict[str, int]
    """What there was to be checked: events, claims, tries, settles, intents, calls."""
    exercised: dict[str, int] = {}
    """Faults that were exercised, by name."""
    skipped: dict[str, str] = {}
    """Faults that were not, and why."""
    measures: dict[str, list[float]] = {}
    met: dict[str, int] = {}
    """What the workers met: fenced, gap, conflict, lost, unknown, takeover, park, resync."""
    flavour: str = ""
    seconds: float = 0.0
    conditions: dict[str, str] = {}
