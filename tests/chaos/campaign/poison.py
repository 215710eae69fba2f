"""Claims that an actor cannot bear, told by their id: `CLM-PZ{what}{group}{number}`.

`R`: the handler raises. `K`: the process dies. The letter after it names the group that does; all others take it.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.entry import Entry

PREFIX = "CLM-PZ"
GROUPS = {"A": "analytics", "N": "notifications", "C": "cache-invalidators"}
"""Letter -> group. Not the auditor, who parks nothing; not the processor, whose claims everybody else needs."""


def poison_id(what: str, letter: str, number: int) -> str:
    """The id of such a claim."""
    return f"{PREFIX}{what}{letter}{number:06d}"


def poisons(claim_id: str) -> tuple[str, str]:
    """('R' or 'K', the group that it harms); ('', '') for an ordinary claim."""
    if not claim_id.startswith(PREFIX) or len(claim_id) < len(PREFIX) + 2:
        return "", ""
    what, letter = claim_id[len(PREFIX)], claim_id[len(PREFIX) + 1]
    return (what, GROUPS[letter]) if what in "RK" and letter in GROUPS else ("", "")


def meet(group: str, entries: Sequence[Entry]) -> None:
    """Do harm when one of these entries is poison for this group."""
    for entry in entries:
        what, harmed = poisons(entry.entity)
        if harmed != group:
            continue
        if what == "K":
            os.kill(os.getpid(), signal.SIGKILL)
        raise ValueError(f"poison in {entry.id}")
