"""Money is decided per item, every step is a line, and the lines add up to the total."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.adjudication import Adjudication, AssessedItem, Line, Used, adjudicate
from domain.money import CurrencyMismatch, Money
from domain.policy import CostSharing, Coverage, PolicyVersion
from tests.support.policies import terms, usd


def items(**dollars: int) -> list[AssessedItem]:
    return [AssessedItem(code, code, usd(amount)) for code, amount in dollars.items()]


def worked(injury: int, prop: int, vehicle: int, deductible: int, limit: int) -> Adjudication:
    asked = items(injury=injury, property=prop, vehicle=vehicle)
    return adjudicate(asked, terms(deductible=deductible, limit=limit))


def test_the_worked_row_521585_comes_out_to_the_cent() -> None:
    result = worked(6_510, 13_020, 52_080, deductible=1_000, limit=250_000)
    assert result.approved_net == Money(7_061_000, "USD")
    assert [line.deductible.minor for line in result.lines] == [9_091, 18_182, 72_727]
    assert [line.net.minor for line in result.lines] == [641_909, 1_283_818, 5_135_273]
    assert (result.decision, result.codes) == ("full", ())


@pytest.mark.parametrize(
    ("claimed", "deductible", "limit", "net", "decision", "codes"),
    [
        (114_920, 2_000, 100_000, 100_000, "partial", ("LIMIT_EXHAUSTED",)),
        (108_030, 2_000, 100_000, 100_000, "partial", ("LIMIT_EXHAUSTED",)),
        (108_480, 1_000, 100_000, 100_000, "partial", ("LIMIT_EXHAUSTED",)),
        (72_930, 500, 500_000, 72_430, "full", ()),
        (100, 2_000, 100_000, 0, "denied", ("BELOW_DEDUCTIBLE",)),
        (5_200, 1_000, 250_000, 4_200, "full", ()),
    ],
    ids=["214618", "556415", "186934", "921202", "266247", "976971"],
)
def test_the_worked_rows_come_out_to_the_cent(
    claimed: int, deductible: int, limit: int, net: int, decision: str, codes: tuple[str, ...]
) -> None:
    thirds = (claimed // 10, claimed // 10, claimed - 2 * (claimed // 10))
    result = worked(*thirds, deductible=deductible, limit=limit)
    assert result.approved_net == usd(net)
    assert (result.decision, result.codes) == (decision, codes)


def test_the_deductible_comes_off_before_the_limit_unless_the_policy_says_otherwise() -> None:
    asked = items(vehicle=114_920)
    assert adjudicate(asked, terms(deductible=2_000, limit=100_000)).approved_net == usd(100_000)
    other_order = terms(deductible=2_000, limit=100_000, deductible_first=False)
    assert adjudicate(asked, other_order).approved_net == usd(98_000)


def test_what_is_disallowed_makes_it_partial_and_wear_and_a_deductible_do_not() -> None:
    cut = [AssessedItem("v", "vehicle", usd(10_000), disallowed=50_000, reason_codes=("INSUFFICIENT_PROOF",))]
    result = adjudicate(cut, terms())
    assert (result.decision, result.codes) == ("partial", ("INSUFFICIENT_PROOF",))
    assert result.lines[0].covered == usd(9_500)
    assert result.lines[0].provision == "Conditions: duties after a loss, proof of loss"
    worn = [AssessedItem("v", "vehicle", usd(10_000), depreciation=50_000)]
    assert adjudicate(worn, terms()).decision == "full"


def test_an_item_without_coverage_is_disallowed_whole_with_its_reason() -> None:
    result = adjudicate(items(vehicle=10_000, glass=500), terms())
    assert result.lines[1].disallowed == usd(500)
    assert result.lines[1].reason_codes == ("COVERAGE_NOT_HELD",)
    assert result.lines[1].deductible == usd(0)
    assert (result.decision, result.approved_net) == ("partial", usd(9_000))


def test_a_sub_limit_cuts_the_items_of_its_coverage_only() -> None:
    version = terms(coverages=(Coverage("vehicle"), Coverage("glass", sub_limit=usd(300))), deductible=0)
    asked = [*items(vehicle=1_000), *(AssessedItem(f"g{n}", "glass", usd(300)) for n in (1, 2))]
    result = adjudicate(asked, version)
    assert [line.net for line in result.lines] == [usd(1_000), usd(150), usd(150)]
    assert [line.over_limit for line in result.lines] == [usd(0), usd(150), usd(150)]


def test_what_others_took_from_shared_terms_is_not_given_again() -> None:
    asked = items(vehicle=10_000)
    assert adjudicate(asked, terms(), Used(deductible=60_000)).approved_net == usd(9_600)
    rest = adjudicate(asked, terms(limit=20_000), Used(limit=1_500_000))
    assert (rest.approved_net, rest.decision) == (usd(5_000), "partial")
    gone = adjudicate(asked, terms(limit=20_000), Used(limit=2_000_000))
    assert (gone.approved_net, gone.decision, gone.codes) == (usd(0), "denied", ("LIMIT_EXHAUSTED",))


def test_payable_now_is_what_is_not_paid_yet() -> None:
    asked = items(vehicle=10_000)
    assert adjudicate(asked, terms(), Used(paid=400_000)).payable_now == usd(5_000)
    assert adjudicate(asked, terms(), Used(paid=2_000_000)).payable_now == usd(0)


def health(limit: int = 100_000, out_of_pocket: int = 3_000) -> PolicyVersion:
    version = terms(deductible=500, limit=limit, coverages=(Coverage("treatment"),))
    sharing = CostSharing(coinsurance_bp=2_000, copay=usd(30), out_of_pocket_max=usd(out_of_pocket))
    return msgspec.structs.replace(version, cost_sharing=sharing)


def test_health_takes_deductible_coinsurance_and_copay_in_that_order() -> None:
    line = adjudicate(items(treatment=1_500), health()).lines[0]
    assert (line.deductible, line.coinsurance, line.copay) == (usd(500), usd(200), usd(30))
    assert line.net == usd(770)


def test_health_never_takes_more_than_the_out_of_pocket_maximum() -> None:
    line = adjudicate(items(treatment=50_000), health()).lines[0]
    assert (line.deductible, line.coinsurance, line.copay) == (usd(500), usd(2_500), usd(0))
    assert line.net == usd(47_000)
    spent = adjudicate(items(treatment=50_000), health(), Used(deductible=50_000, out_of_pocket=300_000))
    assert spent.approved_net == usd(50_000)


def test_an_impossible_assessment_and_a_foreign_amount_are_faults() -> None:
    for bad in (
        AssessedItem("v", "vehicle", usd(100), disallowed=10_001),
        AssessedItem("v", "vehicle", usd(100), disallowed=-1),
        AssessedItem("v", "vehicle", usd(-100)),
    ):
        with pytest.raises(ValueError, match="item v"):
            adjudicate([bad], terms())
    with pytest.raises(CurrencyMismatch):
        adjudicate([AssessedItem("v", "vehicle", Money(1, "EUR"))], terms())


amounts = st.integers(0, 3_000_000)


@st.composite
def assessments(draw: st.DrawFn) -> list[AssessedItem]:
    found = []
    for n in range(draw(st.integers(1, 6))):
        asked = draw(amounts)
        disallowed = draw(st.integers(0, asked))
        depreciation = draw(st.integers(0, asked - disallowed))
        coverage = draw(st.sampled_from(("vehicle", "glass", "treatment", "unheld")))
        found.append(AssessedItem(str(n), coverage, Money(asked, "USD"), disallowed, depreciation))
    return found


@st.composite
def versions(draw: st.DrawFn) -> PolicyVersion:
    sub_limit = draw(st.none() | amounts.map(lambda minor: Money(minor, "USD")))
    version = terms(
        coverages=(Coverage("vehicle"), Coverage("glass", sub_limit=sub_limit), Coverage("treatment")),
        deductible_first=draw(st.booleans()),
    )
    sharing = draw(
        st.none()
        | st.builds(
            CostSharing,
            coinsurance_bp=st.integers(0, 10_000),
            copay=amounts.map(lambda minor: Money(minor, "USD")),
            out_of_pocket_max=amounts.map(lambda minor: Money(minor, "USD")),
        )
    )
    return msgspec.structs.replace(
        version,
        deductible=Money(draw(amounts), "USD"),
        limit=Money(draw(amounts), "USD"),
        cost_sharing=sharing,
    )


useds = st.builds(Used, paid=amounts, deductible=amounts, limit=amounts, out_of_pocket=amounts)


def parts(line: Line) -> list[int]:
    taken = [line.deductible, line.coinsurance, line.copay, line.over_limit, line.net]
    return [part.minor for part in taken if part is not None]


@given(assessments(), versions(), useds)
def test_items_add_up_nothing_is_below_zero_and_no_limit_is_passed(
    asked: list[AssessedItem], version: PolicyVersion, used: Used
) -> None:
    result = adjudicate(asked, version, used)
    for line in result.lines:
        assert min(parts(line)) >= 0
        assert sum(parts(line)) == line.covered.minor
        assert line.claimed.minor - line.disallowed.minor - line.depreciation.minor == line.covered.minor
    net = sum(line.net.minor for line in result.lines)
    assert result.approved_net.minor == net <= max(version.limit.minor - used.limit, 0)
    for coverage in version.coverages:
        if coverage.sub_limit is not None:
            within = sum(line.net.minor for line in result.lines if line.coverage == coverage.code)
            assert within <= coverage.sub_limit.minor
    assert sum(line.deductible.minor for line in result.lines) <= max(version.deductible.minor - used.deductible, 0)
    assert (result.decision == "denied") == (net == 0)
    assert result.payable_now.minor == max(net - used.paid, 0)
    if result.decision == "partial":
        assert any(line.disallowed.minor or line.over_limit.minor for line in result.lines)


@given(assessments(), versions())
def test_the_same_claim_is_adjudicated_the_same_after_the_wire(
    asked: list[AssessedItem], version: PolicyVersion
) -> None:
    result = adjudicate(asked, version)
    assert msgspec.json.decode(msgspec.json.encode(result), type=Adjudication) == result
    read = msgspec.json.decode(msgspec.json.encode(version), type=PolicyVersion)
    assert adjudicate(asked, read) == result
