"""Which read views a fact makes stale, as key patterns in the words of source-systems.md B6. From the event
alone.

A view is versioned by the claim's sequence: the invalidator drops what is older than the fact, so a slow
fill cannot bring a stale view back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from domain.events import Fact


class StaleView(NamedTuple):
    """One view that no longer shows the truth. `key` is exact; `version` is the sequence of the fact that
    made it stale.
    """

    key: str
    version: int


LISTS: tuple[str, ...] = ("claims:claims_stats", "gateway:dashboard_summary")
"""Totals over all claims; stale after every fact that changes a state or an amount."""

QUIET: frozenset[str] = frozenset(
    (
        "record.accessed",
        "claim.note.added",
        "claim.sla.warned",
        "claim.information.reminded",
        "claim.override.recorded",
    )
)
"""Facts that no read view shows."""


def stale_views(fact: Fact) -> tuple[StaleView, ...]:
    """The views of the claim, of its claimant, of its policy, and the totals."""
    if fact.type in QUIET:
        return ()
    body, claim_id, version = fact.body, fact.claim_id, fact.sequence
    number = body.policy_number
    keys = [f"claims:claim:{claim_id}", *LISTS]
    if body.claimant_id:
        customer = body.claimant_id
        keys += [
            f"customer:{customer}",
            f"customer:{customer}_complete",
            f"gateway:customer_profile:{customer}",
        ]
    if number:
        keys += [
            f"claims:policy:{number}:claims:{claim_id}",
            f"claims:policy:{number}:all_claims",
            f"policy:{number}",
        ]
    return tuple(StaleView(key, version) for key in keys)
