"""What of a claim is read by need only, each read with its trail: SIU, medical and employee claims (domain.md 13)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, get_args

if TYPE_CHECKING:
    from domain.claim_record import Claim

Purpose = Literal["handling", "investigation", "review", "audit", "complaint", "litigation"]
"""Why somebody of the house reads a restricted record: a code, for the trail is kept in clear."""

PURPOSES: Final[tuple[Purpose, ...]] = get_args(Purpose)


def restricted(claim: Claim) -> tuple[str, ...]:
    """Why the claim is restricted, as codes (siu, medical, employee); empty when it is not.

    An SIU file that was concluded stays restricted. `employee`: the notice names a restricted group (VIP, employees).
    """
    kinds = (
        ("siu", claim.siu.status != "none"),
        ("medical", claim.notice.line == "health"),
        ("employee", bool(claim.notice.restricted_group)),
    )
    return tuple(kind for kind, is_so in kinds if is_so)
