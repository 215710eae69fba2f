"""Why money is refused or cut: the codes, their order, and the provision that a letter cites for each.

The order is that of the checks in design/domain.md section 5; codes are always recorded in it.
"""

from __future__ import annotations

from typing import Final

NO_POLICY_FOUND: Final = "NO_POLICY_FOUND"
LOSS_BEFORE_INCEPTION: Final = "LOSS_BEFORE_INCEPTION"
LOSS_AFTER_EXPIRY: Final = "LOSS_AFTER_EXPIRY"
POLICY_CANCELLED: Final = "POLICY_CANCELLED"
COVERAGE_NOT_HELD: Final = "COVERAGE_NOT_HELD"
PERIL_EXCLUDED: Final = "PERIL_EXCLUDED"
WAITING_PERIOD: Final = "WAITING_PERIOD"
NOT_AN_INSURED: Final = "NOT_AN_INSURED"
LATE_NOTICE: Final = "LATE_NOTICE"
DUPLICATE: Final = "DUPLICATE"
BELOW_DEDUCTIBLE: Final = "BELOW_DEDUCTIBLE"
LIMIT_EXHAUSTED: Final = "LIMIT_EXHAUSTED"
MISREPRESENTATION: Final = "MISREPRESENTATION"
INSUFFICIENT_PROOF: Final = "INSUFFICIENT_PROOF"

CODES: Final = (
    NO_POLICY_FOUND,
    LOSS_BEFORE_INCEPTION,
    LOSS_AFTER_EXPIRY,
    POLICY_CANCELLED,
    COVERAGE_NOT_HELD,
    PERIL_EXCLUDED,
    WAITING_PERIOD,
    NOT_AN_INSURED,
    LATE_NOTICE,
    DUPLICATE,
    BELOW_DEDUCTIBLE,
    LIMIT_EXHAUSTED,
)
"""Codes that the checks can give, in the order in which they are checked and recorded."""

REASON_CODES: Final = (*CODES, MISREPRESENTATION, INSUFFICIENT_PROOF)
"""All reasons of a denial or reduction: the checks' codes and those that only people give."""

EX_GRATIA: Final = "EX_GRATIA"
"""On the lines of what is given without being owed; never a reason of a denial."""

IN_FORCE_CODES: Final = frozenset(CODES[:4])
"""What fails guard G03."""
HELD_CODES: Final = frozenset((COVERAGE_NOT_HELD, PERIL_EXCLUDED, WAITING_PERIOD, NOT_AN_INSURED))
"""What fails guard G04."""

OTHER_INSURANCE: Final = "OTHER_INSURANCE"
POLICY_QUARANTINED: Final = "POLICY_QUARANTINED"
FOREIGN_CURRENCY: Final = "FOREIGN_CURRENCY"

PROVISIONS: Final = {
    NO_POLICY_FOUND: "Insuring agreement: cover is given to policyholders only",
    LOSS_BEFORE_INCEPTION: "Declarations: policy period",
    LOSS_AFTER_EXPIRY: "Declarations: policy period",
    POLICY_CANCELLED: "Conditions: cancellation and lapse",
    COVERAGE_NOT_HELD: "Declarations: schedule of coverages",
    PERIL_EXCLUDED: "Exclusions",
    WAITING_PERIOD: "Conditions: waiting period",
    NOT_AN_INSURED: "Definitions: insured",
    LATE_NOTICE: "Conditions: duties after a loss, prompt notice",
    DUPLICATE: "Conditions: a loss is paid once",
    BELOW_DEDUCTIBLE: "Declarations: deductible",
    LIMIT_EXHAUSTED: "Declarations: limit of liability",
    MISREPRESENTATION: "Conditions: concealment or fraud",
    INSUFFICIENT_PROOF: "Conditions: duties after a loss, proof of loss",
}
"""The provision that a letter cites for a code, in the words of a plain policy form (a default: an insurer
puts its own form's sections here). Oklahoma requires the citation."""
