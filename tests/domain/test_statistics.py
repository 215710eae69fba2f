"""Counting: the same figures for every split into batches, from the facts alone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import commands as c
from domain import statistics
from domain.claim import evolve
from domain.delta import Delta
from domain.events import Fact, decode_body, encode_body
from domain.money import Money
from domain.snapshot import status_word
from domain.statistics import average_hours, bucket, delta, fold, major_text
from tests.support.claims import BANK, SENIOR, SUPERVISOR, Story, adjuster, roster, usd


def busy_day() -> list[Fact]:
    """Three claims: paid and closed; denied and closed; approved, reassigned, still open."""
    facts: list[Fact] = []
    for number, approve in enumerate((True, False, None)):
        story = Story().submit(claim_id=f"CLM-STAT000{number}", source_ref=str(number)).wait(hours=30)
        if approve is None:
            story.do(c.ReassignClaim(reason="leave", adjuster_id="ADJ-002"), SUPERVISOR)
        elif approve:
            story.do(c.ApproveClaim(), SENIOR).wait(hours=2)
            pay = story.now_claim.pending
            assert pay is not None
            amount = Money(pay.amount, "USD")
            story.do(c.ConfirmPayment(payment_id=pay.id, amount=amount, provider_ref="B"), BANK)
        else:
            story.do(c.RejectClaim(reason_codes=("LATE_NOTICE",), provisions=("x",), appeal_text_id="a"), SENIOR)
        facts += story.facts
    return facts


FACTS = busy_day()


@given(st.lists(st.integers(0, len(FACTS)), max_size=8))
def test_no_figure_depends_on_where_a_batch_ends(cuts: list[int]) -> None:
    total = Delta()
    edges = [0, *sorted(cuts), len(FACTS)]
    for start, end in zip(edges, edges[1:], strict=False):
        total.add(fold(FACTS[start:end]))
    assert total == fold(FACTS)


def test_one_fact_alone_counts_as_it_does_in_a_batch() -> None:
    total = Delta()
    for fact in FACTS:
        total.add(delta(fact))
    assert total == fold(FACTS)


def test_figures_are_identical_after_a_replay_from_the_wire() -> None:
    again = [
        Fact(f.type, f.claim_id, f.at, f.sequence, f.actor, decode_body(f.type, encode_body(f.body))) for f in FACTS
    ]
    assert fold(again) == fold(FACTS)


def test_an_event_counts_in_the_utc_day_and_hour_in_which_it_happened() -> None:
    counts = fold(FACTS).hashes()
    assert counts[("analytics", "hourly", "2025-02-10", "9")]["claim.submitted"] == 3
    assert counts[("analytics", "hourly", "2025-02-11", "15")]["claim.approved"] == 1
    assert counts[("analytics", "daily", "2025-02-10")]["auto:claim.assigned"] == 3
    assert counts[("metrics", "daily", "2025-02-11")]["claims:auto:rejected"] == 1


def test_claimed_approved_and_paid_are_summed_apart_and_to_the_cent() -> None:
    counts = fold(FACTS).hashes()
    ten, eleven = ("analytics", "amounts", "2025-02-10"), ("analytics", "amounts", "2025-02-11")
    assert counts[ten]["claim.submitted:minor:USD"] == 6_000_000
    assert counts[eleven]["auto:claim.approved:minor:USD"] == 1_900_000
    assert counts[eleven]["claim.payment.completed:minor:USD"] == 1_900_000


def test_the_status_distribution_sums_to_all_claims_and_matches_their_words() -> None:
    words: dict[str, int] = {}
    for number in range(3):
        claim = None
        for fact in FACTS:
            if fact.claim_id == f"CLM-STAT000{number}":
                claim = evolve(claim, fact)
        assert claim is not None
        words[status_word(claim)] = words.get(status_word(claim), 0) + 1
    counted = {word: n for word, n in fold(FACTS).hashes()["analytics", "status"].items() if n}
    assert counted == words == {"approved": 1, "rejected": 1, "assigned": 1}


def test_workload_moves_with_the_claim_and_is_released_when_it_closes() -> None:
    members = fold(FACTS).members
    open_work = {(view[1], claim) for (view, claim), there in members.items() if view[-1] == "workload" and there}
    assert open_work == {("ADJ-002", "CLM-STAT0002")}
    assert {claim for (view, claim), there in members.items() if view == ("queue", "claims", "closed") and there} == {
        "CLM-STAT0000",
        "CLM-STAT0001",
    }


def test_processing_times_and_boards_are_filled() -> None:
    found = fold(FACTS)
    assert found.points[("analytics", "processing_times", "2025-02-11"), "CLM-STAT0000"] == "30.00"
    view = ("analytics", "processing", "2025-02-11")
    assert average_hours(found.counts[view]["seconds"], found.counts[view]["count"]) == "30.00"
    assert found.scores[("leaderboard", "adjusters", "resolved"), "ADJ-001"] == 2
    assert found.scores[("leaderboard", "claim_types"), "auto"] == 3


def test_a_reopened_claim_leaves_the_workload_until_it_is_assigned_again() -> None:
    story = Story().submit().do(c.ApproveClaim(), SENIOR)
    pay = story.now_claim.pending
    assert pay is not None
    story.only(c.ConfirmPayment(payment_id=pay.id, amount=Money(pay.amount, "USD"), provider_ref="B"), BANK)
    story.set(roster=roster(adjuster("ADJ-001", active=False)))
    story.do(c.ReopenClaim(reason_code="NEW_FACTS", reason="x"), SUPERVISOR)
    assert fold(story.facts).members[("adjuster", "ADJ-001", "workload"), story.now_claim.claim_id] is False


@pytest.mark.parametrize(
    ("amount", "name"),
    [
        (usd(1000), "0-1000"),
        (Money(100_001, "USD"), "1001-5000"),
        (usd(5000), "1001-5000"),
        (usd(50_000), "25001-50000"),
        (Money(5_000_001, "USD"), "50000+"),
        (Money(900, "JPY"), "0-1000"),
    ],
)
def test_a_claimed_amount_falls_into_its_bucket(amount: Money, name: str) -> None:
    assert bucket(amount) == name


def test_rendered_figures_are_decimal_text() -> None:
    assert (average_hours(0, 0), average_hours(5400, 2), major_text(7_061_000, "USD")) == (
        "0.00",
        "0.75",
        "70610.00",
    )


def test_every_special_count_belongs_to_a_known_event() -> None:
    from domain.events import TYPE_OF

    assert set(statistics.SPECIAL) | set(statistics.AMOUNTS) <= set(TYPE_OF)


def test_late_events_are_counted_in_their_own_hour() -> None:
    breach = Story().submit().wait(days=40).do(c.AddNote(kind="x"), SENIOR).facts
    due = next(fact for fact in breach if fact.type == "claim.sla.breached")
    assert due.at < datetime(2025, 3, 10, tzinfo=UTC)
    view = ("analytics", "daily", due.at.strftime("%Y-%m-%d"))
    assert fold(breach).hashes()[view]["auto:claim.sla.breached"] >= 1
