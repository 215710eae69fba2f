"""The explanation of benefits: every decision in plain words, amounts under each other, sums that add up."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from domain import commands as c
from domain.money import Money
from domain.reasons import EX_GRATIA, REASON_CODES
from tests.support.claims import CLAIMANT, MANAGER, REVIEWER, Story
from workers.benefits import IN_WORDS, Benefits, Interest, benefits
from workers.cli.benefit_page import WIDTH, benefit_page

if TYPE_CHECKING:
    from collections.abc import Callable

PROOF = "INSUFFICIENT_PROOF"


def told(story: Story) -> Benefits:
    claim = story.claim
    assert claim is not None
    return benefits(claim, story.facts)


def denied() -> Story:
    return (
        Story()
        .submit()
        .do(
            c.RejectClaim(
                reason_codes=(PROOF,), provisions=("section 4, proof of loss",), appeal_text_id="appeal.denial.1"
            ),
            MANAGER,
        )
    )


def test_every_reason_code_has_plain_words() -> None:
    assert {*REASON_CODES, EX_GRATIA} == set(IN_WORDS)
    assert not [words for words in IN_WORDS.values() if "_" in words or words[0].isupper()]


def test_a_denial_says_why_on_which_provision_and_until_when_one_may_appeal() -> None:
    found = told(denied())
    page = " ".join(benefit_page(found).split())
    assert "denied on" in page
    assert (
        "What was sent in does not prove this part of the loss. Policy: section 4, proof of loss. [INSUFFICIENT" in page
    )
    assert found.appeal is not None and found.decided_on is not None and found.appeal.by is not None
    assert (found.appeal.by - found.decided_on).days == 180
    assert f"may appeal until {found.appeal.by}" in page
    assert found.appeal.regulator in page
    assert "Still to be paid" not in page, "nothing is owed on a denial"


def test_an_appeal_is_told_with_what_became_of_it() -> None:
    story = denied().do(c.FileAppeal(grounds="here it is"), CLAIMANT)
    assert "it is not decided yet" in benefit_page(told(story))
    story.do(c.DecideAppeal(outcome="overturned"), REVIEWER)
    assert "the claim is decided anew" in " ".join(benefit_page(told(story)).split())


def test_items_add_up_across_and_down() -> None:
    story = Story().submit().do(c.ApproveClaim(), MANAGER)
    found = told(story)
    for line in found.items:
        off = (line.disallowed, line.depreciation, line.deductible, line.over_limit)
        assert line.claimed.minor - sum(one.minor for one in off) == line.net.minor
    assert sum(line.net.minor for line in found.items) == found.approved.minor
    page = benefit_page(found)
    rows = [row for row in page.splitlines() if row.startswith(("You claimed", "- ", "= we pay"))]
    cells = [[_minor(cell) for cell in row.split() if "." in cell] for row in rows]
    for column in zip(*cells, strict=True):
        *steps, result = column
        assert sum(steps) == result, page
    assert len({len(row) for row in rows}) == 1, "amounts stand under each other"


def _minor(cell: str) -> int:
    return int(cell.strip().replace(",", "").replace(".", ""))


def test_the_claimants_copy_names_neither_decider_nor_authority_nor_state() -> None:
    found = told(Story().submit().do(c.ApproveClaim(), MANAGER))
    assert MANAGER.id in benefit_page(found)
    copy = benefit_page(found.for_claimant())
    assert MANAGER.id not in copy
    assert "authority" not in copy and "For the file" not in copy and "PAYMENT" not in copy


def test_late_interest_is_a_line_of_its_own_with_rate_and_days() -> None:
    found = told(Story().submit().do(c.ApproveClaim(), MANAGER))
    late = Interest(Money(1480, "USD"), Money(300_000, "USD"), 1800, 10, date(2025, 3, 1), date(2025, 3, 11))
    page = benefit_page(replace(found, interest=(late,)))
    assert "Interest for late payment         14.80 USD  (18 % a year for 10 days)" in page


def test_nothing_decided_is_one_line() -> None:
    page = benefit_page(told(Story().submit()))
    assert page.endswith("nothing is decided yet")
    assert "\n" not in page


@pytest.mark.parametrize("story", [denied, lambda: Story().submit().do(c.ApproveClaim(), MANAGER)])
def test_the_page_fits_a_letter(story: Callable[[], Story]) -> None:
    assert max(map(len, benefit_page(told(story())).splitlines())) <= WIDTH
