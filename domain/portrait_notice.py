"""The notice as triage sees it: tier and the facts behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain import triage

if TYPE_CHECKING:
    from domain.bodies.intake import ClaimSubmitted


def triage_facts(notice: ClaimSubmitted, siu: bool = False) -> triage.TriageFacts:
    """What tier and weight look at."""
    return triage.TriageFacts(
        line=notice.line,
        peril=notice.peril,
        claimed=notice.claimed,
        injured_count=notice.injured_count,
        theft="theft" in notice.peril,
        total_loss=notice.severity == "total",
        fatality=notice.fatality,
        litigated=notice.litigation,
        siu=siu,
        minors=notice.minors,
    )


def tier_of(notice: ClaimSubmitted) -> triage.Tier:
    """FAST, STANDARD, COMPLEX or SPECIALIST by the notice alone."""
    return triage.tier(triage_facts(notice))
