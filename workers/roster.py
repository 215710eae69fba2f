"""The adjusters of the demo: invented people with licences, skills and capacities.

Capacities are large because two months of claims arrive within seconds here; a real roster has some 40 (domain.md).
"""

from __future__ import annotations

from domain.roster import Adjuster, Roster
from domain.triage import Tier

_STATES = (
    frozenset({"OH", "IN"}),
    frozenset({"OH", "IL"}),
    frozenset({"OH", "IL", "IN"}),
    frozenset({"IN", "IL"}),
)
_SKILLS: tuple[Tier, ...] = ("STANDARD", "COMPLEX", "SPECIALIST", "SPECIALIST")
DEMO_ADJUSTERS = 16
DEMO_CAPACITY = 100_000


def demo_roster() -> Roster:
    """Sixteen adjusters in four skills and three states; motor and property."""
    lines = frozenset({"motor", "property", "life", "health"})
    return Roster(
        version=1,
        adjusters=tuple(
            Adjuster(
                adjuster_id=f"ADJ-{number + 1:03d}",
                jurisdictions=_STATES[number % 4] | frozenset({"US"}),
                lines=lines,
                skill=_SKILLS[number // 4],
                capacity=DEMO_CAPACITY,
            )
            for number in range(DEMO_ADJUSTERS)
        ),
    )
