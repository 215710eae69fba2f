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

TOTALS = "totals"
"""The subject of views over all claims."""


LISTS: tuple[str, ...] = ("claims:claims_stats", "gateway:dashboard_summary")
"""Totals over all claims; stale after every fact that changes a state or an amount."""

QUIET: frozenset[str] = frozenset(
    (
        "record.accessed",
        "claim.mandate.given",
        "claim.mandate.ended",
        "claim.note.added",
        "claim.sla.warned",
        "claim.information.reminded",
        "claim.override.recorded",
    )
)
"""Facts that no read view shows."""


class Scope(NamedTuple):
    """What the stale views follow from: all facts of one scope make the same views stale.

    `policy` and `customer` are empty where the fact names none. `new`: the claim has just come into being, and nobody
    can have filled a view of it.
    """

    claim_id: str
    policy: str
    customer: str
    new: bool

    @property
    def claim(self) -> str:
        """The subject whose views are versioned by the sequence of the fact; all others are shared."""
        return f"claim:{self.claim_id}"

    def views(self) -> dict[str, tuple[str, ...]]:
        """The exact keys by subject: of the claim, of its policy, of its claimant, and the totals."""
        found: dict[str, tuple[str, ...]] = {}
        if not self.new:
            found[self.claim] = self._own()
        if self.policy:
            subject = f"policy:{self.policy}"
            found[subject] = (f"claims:{subject}:all_claims", subject)
        if self.customer:
            subject = f"customer:{self.customer}"
            found[subject] = (subject, f"{subject}_complete", f"gateway:customer_profile:{self.customer}")
        found[TOTALS] = LISTS
        return found

    def _own(self) -> tuple[str, ...]:
        view = f"claims:claim:{self.claim_id}"
        return (view, f"claims:policy:{self.policy}:claims:{self.claim_id}") if self.policy else (view,)


def scope_of(fact: Fact) -> Scope | None:
    """What a fact makes views of stale; None when no view shows it."""
    if fact.type in QUIET:
        return None
    body = fact.body
    return Scope(fact.claim_id, body.policy_number, body.claimant_id, fact.sequence == 1)
