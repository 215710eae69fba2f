"""Which read views a fact makes stale, as key patterns in the words of source-systems.md B6. From the event
alone.

Views of one subject become stale together. Those of the claim itself are versioned by its sequence; those
that many claims share have no sequence, and the invalidator versions them by the order of the log. So a slow
fill cannot bring a stale view back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from domain.events import Fact


class StaleView(NamedTuple):
    """One view that no longer shows the truth. `key` is exact; `subject` is whom it shows; `version` is the
    sequence of the fact that made it stale, None for a view that other claims share.
    """

    key: str
    subject: str
    version: int | None


TOTALS = "totals"
"""The subject of views over all claims."""


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
    number, customer = body.policy_number, body.claimant_id
    claim = f"claim:{claim_id}"
    views = [StaleView(f"claims:claim:{claim_id}", claim, version)]
    if number:
        policy = f"policy:{number}"
        views += [
            StaleView(f"claims:policy:{number}:claims:{claim_id}", claim, version),
            StaleView(f"claims:policy:{number}:all_claims", policy, None),
            StaleView(policy, policy, None),
        ]
    if customer:
        views += [
            StaleView(key, f"customer:{customer}", None)
            for key in (
                f"customer:{customer}",
                f"customer:{customer}_complete",
                f"gateway:customer_profile:{customer}",
            )
        ]
    return (*views, *(StaleView(key, TOTALS, None) for key in LISTS))
