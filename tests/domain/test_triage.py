"""A claim's tier and weight follow from the loss alone."""

from __future__ import annotations

import pytest

from domain.money import Money
from domain.triage import TriageFacts, tier, weight
from tests.support.policies import usd

PARKED = TriageFacts("motor", "parked_car", usd(5_200))


@pytest.mark.parametrize(
    ("facts", "needed", "work"),
    [
        (PARKED, "STANDARD", 2),
        (TriageFacts("motor", "parked_car", usd(1_500)), "FAST", 2),
        (TriageFacts("motor", "glass", usd(600)), "FAST", 1),
        (TriageFacts("motor", "glass", usd(1_501)), "STANDARD", 1),
        (TriageFacts("life", "glass", usd(600)), "STANDARD", 1),
        (TriageFacts("motor", "single_vehicle_collision", usd(600)), "STANDARD", 2),
        (TriageFacts("motor", "vehicle_theft", usd(3_190), theft=True), "COMPLEX", 3),
        (TriageFacts("motor", "single_vehicle_collision", usd(9_000), total_loss=True), "COMPLEX", 3),
        (TriageFacts("motor", "single_vehicle_collision", usd(50_000)), "STANDARD", 2),
        (TriageFacts("motor", "single_vehicle_collision", usd(50_001)), "COMPLEX", 2),
        (TriageFacts("motor", "single_vehicle_collision", usd(250_001)), "SPECIALIST", 2),
        (TriageFacts("motor", "single_vehicle_collision", usd(71_610), injured_count=1), "SPECIALIST", 5),
        (TriageFacts("motor", "parked_car", usd(100), fatality=True), "SPECIALIST", 5),
        (TriageFacts("motor", "parked_car", usd(100), litigated=True), "SPECIALIST", 8),
        (TriageFacts("motor", "parked_car", usd(100), siu=True, injured_count=1), "SPECIALIST", 8),
        (TriageFacts("motor", "glass", usd(600), minors=True), "STANDARD", 1),
        (TriageFacts("motor", "vehicle_theft", usd(600), theft=True, minors=True), "SPECIALIST", 3),
        (TriageFacts("motor", "parked_car", usd(100), injured_count=1, minors=True), "SPECIALIST", 5),
        (TriageFacts("motor", "parked_car", Money(100, "JPY")), "STANDARD", 2),
    ],
)
def test_tier_and_weight_are_as_documented(facts: TriageFacts, needed: str, work: int) -> None:
    assert (tier(facts), weight(facts)) == (needed, work)
