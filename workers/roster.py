"""The adjusters of the demonstration: those of `workers/samples/roster.toml`."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from workers.adapters.roster_file import load_roster

if TYPE_CHECKING:
    from domain.roster import Roster


@cache
def demo_roster() -> Roster:
    """Sixteen invented adjusters in four skills and three states."""
    return load_roster().roster
