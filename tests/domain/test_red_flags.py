"""Red flags add up to a referral at 50, look only at what they may, and never guess."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from domain.red_flags import REFER_FROM, WEIGHTS, RedFlagFacts, red_flags
from tests.support.policies import LOSS_DAY, usd


def test_266247_is_referred_for_a_new_policy_and_an_injury_with_trivial_damage() -> None:
    found = red_flags(
        RedFlagFacts(
            loss_day=LOSS_DAY,
            reported_day=LOSS_DAY + timedelta(days=3),
            claimed=usd(100),
            limit=usd(100_000),
            inception=LOSS_DAY - timedelta(days=6),
            injured_count=1,
            trivial_damage=True,
        )
    )
    assert found.codes == ("NEW_POLICY", "INJURY_TRIVIAL_DAMAGE")
    assert (found.score, found.refer) == (50, True)


def test_921202_has_two_flags_and_is_not_referred() -> None:
    found = red_flags(
        RedFlagFacts(
            loss_day=LOSS_DAY,
            reported_day=LOSS_DAY,
            claimed=usd(72_930),
            limit=usd(500_000),
            inception=LOSS_DAY - timedelta(days=22),
            total_loss=True,
            police_report="no",
        )
    )
    assert found.codes == ("NEW_POLICY", "NO_POLICE_REPORT")
    assert (found.score, found.refer) == (45, False)


def flags_of(
    *,
    inception: date | None = None,
    increased: date | None = None,
    police: str = "unknown",
    theft: bool = False,
    claims: int = 1,
    claimed: int = 10_000,
    limit: int | None = 250_000,
    delay: int = 0,
    contact: bool = False,
    reused: bool = False,
) -> tuple[str, ...]:
    return red_flags(
        RedFlagFacts(
            loss_day=LOSS_DAY,
            reported_day=LOSS_DAY + timedelta(days=delay),
            claimed=usd(claimed),
            limit=usd(limit) if limit is not None else None,
            inception=inception,
            cover_increased_on=increased,
            theft=theft,
            police_report=police,  # type: ignore[arg-type]  # the words of the cases below
            claims_in_24_months=claims,
            shared_contact=contact,
            document_reused=reused,
        )
    ).codes


def before_loss(days: int) -> date:
    return LOSS_DAY - timedelta(days=days)


@pytest.mark.parametrize(
    ("raised", "flag"),
    [
        (flags_of(inception=before_loss(30)), "NEW_POLICY"),
        (flags_of(increased=before_loss(60)), "COVER_INCREASED"),
        (flags_of(police="no", theft=True), "NO_POLICE_REPORT"),
        (flags_of(claims=3), "FREQUENCY"),
        (flags_of(claimed=95_000, limit=100_000), "NEAR_LIMIT"),
        (flags_of(claimed=105_000, limit=100_000), "NEAR_LIMIT"),
        (flags_of(delay=31), "LATE_REPORT"),
        (flags_of(contact=True), "SHARED_CONTACT"),
        (flags_of(reused=True), "DOCUMENT_REUSED"),
    ],
)
def test_each_sign_raises_its_flag(raised: tuple[str, ...], flag: str) -> None:
    assert raised == (flag,)


@pytest.mark.parametrize(
    "raised",
    [
        flags_of(),
        flags_of(inception=before_loss(31)),
        flags_of(inception=before_loss(-20)),
        flags_of(increased=before_loss(61)),
        flags_of(police="unknown", theft=True),
        flags_of(police="no"),
        flags_of(claims=2),
        flags_of(claimed=94_999, limit=100_000),
        flags_of(claimed=105_001, limit=100_000),
        flags_of(claimed=105_001, limit=None),
        flags_of(delay=30),
    ],
)
def test_just_beside_a_sign_nothing_is_raised(raised: tuple[str, ...]) -> None:
    assert raised == ()


def test_an_unknown_police_report_is_not_no() -> None:
    assert flags_of(police="unknown", theft=True) == ()


def test_a_reused_document_refers_alone_and_a_shared_contact_does_not() -> None:
    assert WEIGHTS["DOCUMENT_REUSED"] >= REFER_FROM > WEIGHTS["SHARED_CONTACT"]


def test_no_flag_can_see_who_the_person_is() -> None:
    forbidden = {"sex", "education", "occupation", "hobbies", "relationship", "capital", "age", "zip"}
    assert not [field for field in RedFlagFacts.__struct_fields__ if forbidden & set(field.split("_"))]
