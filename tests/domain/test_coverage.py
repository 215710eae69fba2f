"""Cover is checked on the loss date; every result is recorded, in the documented order."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from domain.coverage import (
    CoverageResult,
    LossFacts,
    check_cover,
    clerical_codes,
    held_failures,
    in_force_failures,
)
from domain.money import Money
from domain.policy import Coverage, Interruption, Policy
from domain.reasons import CODES, PROVISIONS, REASON_CODES
from tests.support.policies import LOSS_DAY, claimed, loss, policy, terms, usd


def outcome_and_codes(held: Policy | None, facts: LossFacts) -> tuple[str, tuple[str, ...]]:
    result = check_cover(held, facts)
    return result.outcome, result.codes


def test_a_covered_loss_passes_with_the_version_that_was_used() -> None:
    result = check_cover(policy(), loss())
    assert (result.outcome, result.codes, result.policy_version) == ("pass", (), 1)
    assert [item.outcome for item in result.items] == ["pass"]


@pytest.mark.parametrize(
    ("held", "facts", "outcome", "code"),
    [
        (None, loss(), "fail", "NO_POLICY_FOUND"),
        (policy(terms(effective=date(2015, 2, 22))), loss(), "fail", "LOSS_BEFORE_INCEPTION"),
        (policy(terms(end=date(2015, 1, 1))), loss(), "fail", "LOSS_AFTER_EXPIRY"),
        (
            policy(interruptions=(Interruption("cancelled", date(2015, 1, 1)),)),
            loss(),
            "fail",
            "POLICY_CANCELLED",
        ),
        (
            policy(interruptions=(Interruption("lapsed", date(2015, 1, 1)),)),
            loss(),
            "fail",
            "POLICY_CANCELLED",
        ),
        (
            policy(interruptions=(Interruption("grace", date(2015, 1, 1)),)),
            loss(),
            "fail",
            "POLICY_CANCELLED",
        ),
        (policy(), loss(claimed(glass=5_000)), "fail", "COVERAGE_NOT_HELD"),
        (
            policy(terms(coverages=(Coverage("vehicle", exclusions=("race",)),))),
            loss(peril="race"),
            "fail",
            "PERIL_EXCLUDED",
        ),
        (
            policy(terms(coverages=(Coverage("vehicle", perils=("hail",)),))),
            loss(peril="theft"),
            "fail",
            "PERIL_EXCLUDED",
        ),
        (
            policy(terms(coverages=(Coverage("vehicle", waiting_days=101),))),
            loss(),
            "fail",
            "WAITING_PERIOD",
        ),
        (policy(), loss(claimant_id="CUST-2"), "fail", "NOT_AN_INSURED"),
        (
            policy(terms(notice_days=30)),
            loss(reported_day=LOSS_DAY + timedelta(days=31)),
            "review",
            "LATE_NOTICE",
        ),
        (policy(), loss(duplicate_score=60), "review", "DUPLICATE"),
        (policy(), loss(claimed(vehicle=1_000)), "fail", "BELOW_DEDUCTIBLE"),
        (policy(), loss(claimed(vehicle=251_001)), "review", "LIMIT_EXHAUSTED"),
        (policy(), loss(limit_used=25_000_000), "fail", "LIMIT_EXHAUSTED"),
        (
            policy(terms(coverages=(Coverage("vehicle", sub_limit=usd(5_000)),))),
            loss(),
            "review",
            "LIMIT_EXHAUSTED",
        ),
    ],
)
def test_each_check_gives_its_own_code(held: Policy | None, facts: LossFacts, outcome: str, code: str) -> None:
    assert outcome_and_codes(held, facts) == (outcome, (code,))


@pytest.mark.parametrize(
    ("held", "facts"),
    [
        (policy(), loss(claimed(vehicle=1_001))),
        (policy(), loss(claimed(vehicle=251_000))),
        (policy(), loss(duplicate_score=59)),
        (policy(terms(notice_days=30)), loss(reported_day=LOSS_DAY + timedelta(days=30))),
        (policy(terms(coverages=(Coverage("vehicle", waiting_days=100),))), loss()),
        (policy(terms(end=LOSS_DAY + timedelta(days=1))), loss()),
        (policy(interruptions=(Interruption("lapsed", date(2014, 11, 1), LOSS_DAY),)), loss()),
    ],
)
def test_at_the_border_of_a_check_the_loss_is_covered(held: Policy, facts: LossFacts) -> None:
    assert outcome_and_codes(held, facts) == ("pass", ())


def test_all_results_are_recorded_in_the_documented_order() -> None:
    held = policy(
        terms(coverages=(Coverage("vehicle", exclusions=("race",), waiting_days=400),), notice_days=0),
        interruptions=(Interruption("cancelled", date(2015, 1, 1)),),
    )
    facts = loss(
        claimed(vehicle=10, glass=20),
        peril="race",
        claimant_id="CUST-2",
        reported_day=LOSS_DAY + timedelta(days=1),
        duplicate_score=100,
    )
    codes = check_cover(held, facts).codes
    assert codes == (
        "POLICY_CANCELLED",
        "COVERAGE_NOT_HELD",
        "PERIL_EXCLUDED",
        "WAITING_PERIOD",
        "NOT_AN_INSURED",
        "LATE_NOTICE",
        "DUPLICATE",
    )
    assert list(codes) == sorted(codes, key=CODES.index)


def test_one_item_that_is_not_held_sends_the_whole_to_a_person_and_fails_alone() -> None:
    result = check_cover(policy(), loss(claimed(vehicle=10_000, glass=500)))
    assert (result.outcome, result.codes) == ("review", ("COVERAGE_NOT_HELD",))
    assert [(item.outcome, item.codes) for item in result.items] == [
        ("pass", ()),
        ("fail", ("COVERAGE_NOT_HELD",)),
    ]
    assert held_failures(result) == ()


def test_an_item_that_is_not_held_does_not_lift_the_others_above_the_deductible() -> None:
    result = check_cover(policy(), loss(claimed(vehicle=800, glass=5_000)))
    assert result.codes == ("COVERAGE_NOT_HELD", "BELOW_DEDUCTIBLE")


def test_a_quarantined_policy_is_for_review_whatever_the_checks_say() -> None:
    for held in (
        policy(quarantine="umbrella below zero"),
        policy(terms(effective=date(2015, 2, 22)), quarantine="umbrella below zero"),
    ):
        result = check_cover(held, loss())
        assert result.outcome == "review"
        assert result.reviews == ("POLICY_QUARANTINED",)
        assert clerical_codes("motor", result) == ()


def test_other_insurance_has_no_code_and_is_reviewed() -> None:
    result = check_cover(policy(), loss(other_insurance=True))
    assert (result.outcome, result.codes, result.reviews) == ("review", (), ("OTHER_INSURANCE",))


def test_an_amount_in_another_currency_is_reviewed_and_never_compared() -> None:
    items = claimed(vehicle=10_000)
    foreign = (type(items[0])("vehicle", "vehicle", Money(1, "EUR")),)
    result = check_cover(policy(), loss(foreign))
    assert (result.outcome, result.codes, result.reviews) == ("review", (), ("FOREIGN_CURRENCY",))


def result_with(*codes: str) -> CoverageResult:
    return CoverageResult("fail", codes, None, ())


def test_a_machine_denies_motor_only_without_a_policy_or_outside_its_period() -> None:
    clerical = ("NO_POLICY_FOUND", "LOSS_BEFORE_INCEPTION", "LOSS_AFTER_EXPIRY")
    for code in REASON_CODES:
        assert clerical_codes("motor", result_with(code)) == ((code,) if code in clerical else ())


def test_a_machine_denies_health_also_for_a_duplicate_and_a_stranger() -> None:
    result = result_with("NOT_AN_INSURED", "LATE_NOTICE", "DUPLICATE")
    assert clerical_codes("health", result) == ("NOT_AN_INSURED", "DUPLICATE")


def test_guards_find_their_codes() -> None:
    outside = check_cover(policy(terms(effective=date(2015, 2, 22))), loss())
    assert in_force_failures(outside) == ("LOSS_BEFORE_INCEPTION",)
    stranger = check_cover(policy(), loss(claimant_id="CUST-2"))
    assert (in_force_failures(stranger), held_failures(stranger)) == ((), ("NOT_AN_INSURED",))


def test_every_reason_has_a_provision_to_cite() -> None:
    assert set(PROVISIONS) == set(REASON_CODES)
