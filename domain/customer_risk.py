"""A risk score of a customer from the history of their claims: 0 to 100, with the reasons. Pure.

Only what happened with claims counts; nothing about the person does (design/domain.md section 7: never score on sex,
education, occupation, hobbies or relationship). All weights are defaults. The score is for people inside; it decides
nothing by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from domain.loss_history import FREQUENCY_YEARS, years_before
from domain.transitions import State

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from domain.claim_record import Claim

HIGHEST: Final = 100

WEIGHTS: Final[dict[str, tuple[int, int]]] = {
    "FREQUENT_CLAIMS": (10, 30),
    "OPEN_CLAIMS": (5, 10),
    "SIU_OPEN": (15, 15),
    "FRAUD_CONFIRMED": (50, 50),
    "MISREPRESENTATION": (20, 40),
    "DUPLICATE_CONFIRMED": (15, 30),
    "RED_FLAGS": (5, 20),
}
"""Reason -> points for each time, and the most that it may give."""


class RiskReason(msgspec.Struct, frozen=True, rename="camel"):
    """One reason: how often it was seen, what it gives, which claims show it."""

    code: str
    times: int
    points: int
    claims: tuple[str, ...]


class RiskScore(msgspec.Struct, frozen=True, rename="camel"):
    """The sum of the reasons, 100 at most; the heaviest reason first."""

    score: int
    reasons: tuple[RiskReason, ...]
    claims: int


def risk_score(claims: Sequence[Claim], today: date) -> RiskScore:
    """The score of whoever these claims belong to, on a day."""
    since = years_before(today, FREQUENCY_YEARS)
    own = [claim for claim in claims if claim.duplicate.status != "confirmed"]
    recent = [claim for claim in own if since < claim.notice.loss_date <= today]
    seen = {
        "FREQUENT_CLAIMS": recent[1:],
        "OPEN_CLAIMS": [claim for claim in own if claim.state is not State.CLOSED][1:],
        "SIU_OPEN": [claim for claim in own if claim.siu.status == "referred"],
        "FRAUD_CONFIRMED": [claim for claim in own if claim.siu.status == "confirmed"],
        "MISREPRESENTATION": [claim for claim in own if "MISREPRESENTATION" in claim.decision.reason_codes],
        "DUPLICATE_CONFIRMED": [claim for claim in claims if claim.duplicate.status == "confirmed"],
        "RED_FLAGS": [claim for claim in own if claim.red_flags.codes],
    }
    reasons = [_reason(code, found) for code, found in seen.items() if found]
    reasons.sort(key=lambda reason: (-reason.points, reason.code))
    return RiskScore(min(sum(reason.points for reason in reasons), HIGHEST), tuple(reasons), len(claims))


def _reason(code: str, found: Sequence[Claim]) -> RiskReason:
    each, most = WEIGHTS[code]
    ids = tuple(sorted(claim.claim_id for claim in found))
    return RiskReason(code, len(found), min(each * len(found), most), ids)
