"""How often each entry failed, and since when; how careful to be after deaths of the process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from runtime.answers import Standing


class WorkOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How failures of a handler are met."""

    attempts: int = 3
    """Tries of one entry before it is parked. Reason: enough for a passing fault, short enough to go on."""
    kills: int = 3
    """Deaths of the process with one entry alone in it before that entry is parked unhandled."""
    careful_after: int = 2
    """Deaths without progress after which entries run one at a time."""
    careful_for: int = 500
    """Entries that run one at a time after such deaths: what one read can have brought."""


class Attempts:
    """The tries of the entries at hand. Forgotten with the process: deaths are counted in the store instead."""

    def __init__(self, options: WorkOptions) -> None:
        """Nothing failed yet."""
        self.options = options
        self._tries: dict[str, tuple[int, str]] = {}
        self._careful_left = 0
        self._killer = ""

    def reset(self, standing: Standing) -> None:
        """Learn from the marks in the position record what earlier processes died of."""
        if standing.deaths >= self.options.careful_after or standing.alone:
            self._careful_left = max(self._careful_left, self.options.careful_for)
        self._killer = standing.alone if standing.kills >= self.options.kills else ""

    @property
    def careful(self) -> bool:
        """Do entries run one at a time now?"""
        return self._careful_left > 0

    def kills_the_process(self, entry_id: str) -> bool:
        """Did the process die too often while this entry ran alone?"""
        return entry_id == self._killer

    def failed(self, entry_id: str, now: str) -> int:
        """Count one more try; how many there were."""
        tries, since = self._tries.get(entry_id, (0, now))
        self._tries[entry_id] = (tries + 1, since)
        return tries + 1

    def of(self, entry_id: str, now: str) -> tuple[int, str]:
        """Tries so far, and the time of the first failure."""
        return self._tries.get(entry_id, (0, now))

    def settled(self, entry_ids: list[str]) -> None:
        """These are done with."""
        self._careful_left = max(0, self._careful_left - len(entry_ids))
        if self._tries:
            for entry_id in entry_ids:
                self._tries.pop(entry_id, None)
