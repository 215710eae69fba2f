"""The figures that a decision uses beside the law: one value, an argument of every decision (all defaults D).

Weights, tiers and authority limits are tables of their own modules; here is what ties them to a claim.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from domain.authority import QA_PERCENT, in_qa_sample
from domain.sla import SlaBook, sla_book

if TYPE_CHECKING:
    from domain.bodies.intake import ClaimSubmitted

RULE_VERSION = "2025.1"
"""Stored in every decision of a machine."""

CHECKLISTS: dict[str, tuple[str, ...]] = {
    "theft": ("police_report",),
    "injury": ("medical_report",),
    "death": ("death_certificate",),
}
"""Mandatory documents by what the notice says (D)."""
LATE_INTEREST = {"TX": 1800}
"""Basis points a year by jurisdiction: Texas 18 % (S, Insurance Code 542)."""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What a company sets.

    `checklists`: mandatory documents by what the notice says (theft, injury, death); `reminder_days` and
    `inactive_days` count from the request to the claimant; `retry_seconds[n]` is the wait before attempt n
    + 2 of a payment; `late_interest` is simple interest in basis points a year by jurisdiction;
    `clerical_appeal_text` and `partial_appeal_text` name the texts about appeal rights in letters that a
    machine writes; `deductible_back` says whether of money from others the deductible comes back first, or pro rata.
    """

    version: str = RULE_VERSION
    sla: SlaBook = sla_book()
    checklists: dict[str, tuple[str, ...]] = msgspec.field(default_factory=lambda: CHECKLISTS)
    qa_percent: int = QA_PERCENT
    reminder_days: tuple[int, ...] = (7, 14)
    inactive_days: int = 30
    retry_seconds: tuple[int, ...] = (0, 3600)
    appeal_window_days: int = 180
    limitation_days: int = 730
    late_interest: dict[str, int] = msgspec.field(default_factory=lambda: LATE_INTEREST)
    expense_reserve: dict[str, int] = {}
    clerical_appeal_text: str = "appeal.clerical.1"
    partial_appeal_text: str = "appeal.partial.1"
    deductible_back: Literal["first", "pro_rata"] = "first"
    regulators: dict[str, str] = {}

    def checklist(self, notice: ClaimSubmitted) -> tuple[str, ...]:
        """The mandatory documents of a notice, each once."""
        lists = self.checklists
        found: tuple[str, ...] = ()
        if "theft" in notice.peril:
            found += lists.get("theft", ())
        if notice.injured_count > 0:
            found += lists.get("injury", ())
        if notice.line == "life" or notice.fatality:
            found += lists.get("death", ())
        return tuple(dict.fromkeys(found)) if len(found) > 1 else found

    def in_sample(self, claim_id: str) -> bool:
        """Whether a person looks at this claim although it could go straight through."""
        return in_qa_sample(claim_id, self.qa_percent)

    def regulator(self, jurisdiction: str) -> str:
        """Whom a denied claimant may turn to."""
        return self.regulators.get(jurisdiction, f"DOI-{jurisdiction}")


DEFAULT_RULES = Rules()
"""The defaults of the design."""
