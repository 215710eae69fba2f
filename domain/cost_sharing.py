"""Health: what the member bears after the deductible, up to the out-of-pocket maximum."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.money import half_up, split_minor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.policy import CostSharing


def member_share(after: Sequence[int], sharing: CostSharing, spent: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Coinsurance and copay per item, in minor units, of the amounts left `after` the deductible.

    `spent`: what the member has borne already, this claim's deductible included. Relief above the
    out-of-pocket maximum is divided over the items and takes the copay back first.
    """
    coinsurance = [half_up(amount * sharing.coinsurance_bp, 10_000) for amount in after]
    copay = [min(sharing.copay.minor, a - c) for a, c in zip(after, coinsurance, strict=True)]
    shares = [c + p for c, p in zip(coinsurance, copay, strict=True)]
    relief = max(sum(shares) - max(sharing.out_of_pocket_max.minor - spent, 0), 0)
    for i, part in enumerate(split_minor(relief, shares)):
        from_copay = min(part, copay[i])
        copay[i] -= from_copay
        coinsurance[i] -= part - from_copay
    return tuple(coinsurance), tuple(copay)
