"""Clocks: when they are due, what starts and stops them, one breach per cycle, warnings, replay."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from domain import commands as c
from domain.bodies import ending
from domain.bodies.paying import PaymentCompleted
from domain.calendar import Calendar
from domain.claim import decode_claim, encode_claim, fold
from domain.holidays import federal_holidays
from domain.outcome import Accepted, Refused
from domain.rules import Rules
from domain.sla import Override, Timer, next_deadline, sla_book, timers
from domain.sla_profiles import ROWS
from domain.transitions import State
from tests.support.claims import (
    BANK,
    CLAIMANT,
    MANAGER,
    NOW,
    REVIEWER,
    SENIOR,
    SUPERVISOR,
    Story,
    adjuster,
    notice,
    roster,
)

MONDAY = datetime(2025, 2, 10, 9, 0, tzinfo=UTC)


def breaches(story: Story) -> list[tuple[str, int, datetime]]:
    found = []
    for fact in story.facts:
        if isinstance(fact.body, ending.SlaBreached):
            assert fact.at == fact.body.due
            found.append((fact.body.clock, fact.body.cycle, fact.at))
    return found


@pytest.mark.parametrize(
    ("jurisdiction", "line", "clock", "due"),
    [
        ("OH", "motor", "US-MODEL.acknowledge", datetime(2025, 2, 26, tzinfo=UTC)),
        ("OH", "motor", "INTERNAL.acknowledge", datetime(2025, 2, 12, tzinfo=UTC)),
        ("IL", "motor", "IL.acknowledge", datetime(2025, 3, 5, tzinfo=UTC)),
        ("FL", "property", "FL.acknowledge", datetime(2025, 2, 18, tzinfo=UTC)),
        ("FL", "motor", "US-MODEL.acknowledge", datetime(2025, 2, 26, tzinfo=UTC)),
    ],
)
def test_the_legal_and_the_internal_profile_run_side_by_side(
    jurisdiction: str, line: str, clock: str, due: datetime
) -> None:
    """Days count from the day after receipt, to the end of the last one."""
    story = Story()
    story.only(notice(jurisdiction=jurisdiction, line=line), CLAIMANT)
    assert story.now_claim.clocks[clock].due == due
    assert "INTERNAL.acknowledge" in story.now_claim.clocks


def test_a_law_without_a_figure_leaves_only_the_internal_clock() -> None:
    story = Story().submit(jurisdiction="IL", injured_count=0)
    assert {key for key in story.now_claim.clocks if key.endswith(".decide")} == {"INTERNAL.decide"}


def test_holidays_and_the_time_zone_of_the_policy_move_the_due_time() -> None:
    rows = tuple(replace(row, calendar="OH") if row.profile == "INTERNAL" else row for row in ROWS)
    book = sla_book(rows, {"OH": Calendar(holidays=frozenset((date(2025, 2, 11),)))})
    story = Story(rules=Rules(sla=book), zone=ZoneInfo("America/New_York"))
    story.only(notice(), CLAIMANT)
    assert story.now_claim.clocks["INTERNAL.acknowledge"].due == datetime(2025, 2, 13, 5, tzinfo=UTC)


def test_a_catastrophe_order_is_a_dated_override() -> None:
    order = Override(jurisdiction="OH", clock="acknowledge", first=date(2025, 2, 1), last=date(2025, 3, 1), length=30)
    story = Story(rules=Rules(sla=sla_book(overrides=(order,))))
    story.only(notice(), CLAIMANT)
    assert story.now_claim.clocks["US-MODEL.acknowledge"].due == datetime(2025, 3, 13, tzinfo=UTC)


def test_a_breach_is_one_fact_per_clock_and_cycle_however_late_and_often_it_is_noticed() -> None:
    story = Story(roster=roster(adjuster("ADJ-001", active=False))).submit()
    story.wait(days=2)
    assert isinstance(story.fire("INTERNAL.assign:1"), Accepted)
    assert breaches(story) == [("INTERNAL.assign", 1, MONDAY + timedelta(hours=4))]
    again = story.fire("INTERNAL.assign:1")
    assert isinstance(again, Refused) and again.code == "NOTHING_DUE"
    story.follow().do(c.AddNote(kind="call"), SENIOR)
    assert len(breaches(story)) == 1
    assert story.now_claim.clocks["INTERNAL.assign"].status == "breached"


def test_a_late_decision_notes_the_breach_before_its_own_facts() -> None:
    story = Story().submit().wait(days=40)
    story.do(c.ApproveClaim(), SENIOR)
    names = [clock for clock, _, _ in breaches(story)]
    assert names == ["INTERNAL.contact", "US-MODEL.contact", "US-MODEL.decide", "INTERNAL.decide"]
    first_breach, approved = story.types.index("sla.breached"), story.types.index("approved")
    assert first_breach < approved
    assert story.now_claim.clocks["US-MODEL.decide"].status == "stopped"
    assert story.now_claim.clocks["US-MODEL.decide"].breached


def test_a_timer_of_an_earlier_cycle_or_before_its_time_does_nothing() -> None:
    story = Story().submit()
    for timer in (
        "INTERNAL.decide:2",
        "INTERNAL.decide:1",
        "INTERNAL.decide:1:50",
        "INTERNAL.acknowledge:1",
        "no.no:1",
    ):
        refused = story.fire(timer)
        assert isinstance(refused, Refused) and refused.code == "NOTHING_DUE", timer


def test_people_are_warned_at_50_and_80_percent_once_each() -> None:
    story = Story().submit()
    decide = story.now_claim.clocks["INTERNAL.decide"]
    span = decide.due - decide.started
    assert Timer("INTERNAL.decide:1:50", decide.started + span / 2) in timers(story.now_claim)
    story.wait(days=9).do(c.AddNote(kind="contact"), SENIOR)
    story.set(now=decide.started + span / 2)
    assert isinstance(story.fire("INTERNAL.decide:1:50"), Accepted)
    assert isinstance(story.fire("INTERNAL.decide:1:50"), Refused)
    assert Timer("INTERNAL.decide:1:80", decide.started + span * 80 / 100) in timers(story.now_claim)
    story.set(now=decide.started + span * 80 / 100)
    assert isinstance(story.fire("INTERNAL.decide:1:80"), Accepted)
    assert Timer("INTERNAL.decide:1", decide.due) in timers(story.now_claim)


def test_the_decide_clock_starts_only_with_the_proof_of_loss_and_pauses_while_the_claimant_owes() -> None:
    story = Story().submit(injured_count=1)
    assert not any(key.endswith(".decide") for key in story.now_claim.clocks)
    story.wait(days=1).do(c.UploadDocument(document_id="D1", kind="medical_report"), CLAIMANT)
    before = story.now_claim.clocks["US-MODEL.decide"].due
    story.do(c.RequestInformation(items=("invoice",)), SENIOR)
    assert story.now_claim.clocks["US-MODEL.decide"].status == "paused"
    story.wait(days=5).do(c.UploadDocument(document_id="D2", kind="invoice"), CLAIMANT)
    clock = story.now_claim.clocks["US-MODEL.decide"]
    assert (clock.status, clock.due) == ("running", before + timedelta(days=5))


def decide_clocks(story: Story) -> dict[str, str]:
    return {key: clock.status for key, clock in story.now_claim.clocks.items() if key.endswith(".decide")}


def test_an_answer_that_leaves_the_proof_of_loss_open_does_not_start_the_decide_clock() -> None:
    story = Story().submit(injured_count=1).do(c.RequestInformation(items=("photos",)), SENIOR)
    story.do(c.UploadDocument(document_id="D1", kind="photos"), CLAIMANT)
    assert (story.state(), story.now_claim.missing_documents) == (State.ASSIGNED, ("medical_report",))
    assert decide_clocks(story) == {}
    story.do(c.UploadDocument(document_id="D2", kind="medical_report"), CLAIMANT)
    assert set(decide_clocks(story).values()) == {"running"}


DENY = c.RejectClaim(reason_codes=("INSUFFICIENT_PROOF",), provisions=("Conditions",), appeal_text_id="appeal.denial.1")


def test_papers_for_an_appeal_start_no_clock_of_a_decision() -> None:
    story = Story().submit().do(DENY, SENIOR).do(c.FileAppeal(), CLAIMANT)
    assert set(decide_clocks(story).values()) == {"stopped"}
    story.do(c.RequestInformation(items=("invoice",)), REVIEWER)
    story.do(c.UploadDocument(document_id="D1", kind="invoice"), CLAIMANT)
    assert story.state() is State.UNDER_APPEAL
    assert set(decide_clocks(story).values()) == {"stopped"}
    assert story.now_claim.clocks["INTERNAL.appeal"].status == "running"


def test_the_last_paper_of_a_reopened_claim_starts_its_decide_clock() -> None:
    story = Story().submit(injured_count=1).do(DENY, SENIOR)
    assert story.now_claim.closed_outcome == "denied"
    story.do(c.ReopenClaim(reason_code="NEW_FACTS", reason="the report came"), SUPERVISOR)
    assert decide_clocks(story) == {}
    story.do(c.UploadDocument(document_id="D1", kind="medical_report"), CLAIMANT)
    assert set(decide_clocks(story).values()) == {"running"}


def test_waiting_for_others_than_the_claimant_does_not_pause() -> None:
    story = Story().submit().do(c.RequestInformation(items=("estimate",), owed_by="third_party"), SENIOR)
    assert story.now_claim.clocks["US-MODEL.decide"].status == "running"
    assert story.now_claim.clocks["US-MODEL.letter"].status == "running"


def test_a_status_letter_starts_the_letter_clock_again_and_may_extend_the_legal_time_to_decide() -> None:
    story = Story().submit().do(c.StartInvestigation(scope="scene"), SENIOR)
    story.wait(days=10)
    until = story.world.now + timedelta(days=45)
    letter = c.SendStatusLetter(letter="status.1", reason="more time is needed", extends_until=until)
    internal = story.now_claim.clocks["INTERNAL.decide"].due
    story.do(letter, SENIOR)
    assert story.now_claim.clocks["US-MODEL.letter"].cycle == 2
    assert story.now_claim.clocks["US-MODEL.decide"].due == until
    assert story.now_claim.clocks["INTERNAL.decide"].due == internal


def test_silence_after_two_reminders_closes_the_claim_as_inactive() -> None:
    story = Story().submit(injured_count=1).do(c.RequestInformation(items=("medical_report",)), SENIOR)
    assert Timer("reminder:1:1", NOW + timedelta(days=7)) in timers(story.now_claim)
    story.set(now=NOW + timedelta(days=7))
    assert isinstance(story.fire("reminder:1:1"), Accepted)
    assert isinstance(story.fire("reminder:1:1"), Refused)
    early = story.refused(c.CloseClaim(), SENIOR)
    assert "after its reminders" in early.message
    story.set(now=NOW + timedelta(days=14)).fire("reminder:1:2")
    assert Timer("inactive:1", NOW + timedelta(days=30)) in timers(story.now_claim)
    assert isinstance(story.fire("inactive:1"), Refused)
    story.set(now=NOW + timedelta(days=30))
    assert isinstance(story.fire("inactive:1"), Accepted)
    assert (story.state(), story.now_claim.closed_outcome) == (State.CLOSED, "inactive")
    assert story.now_claim.reserve.total == 0
    assert timers(story.now_claim) == ()


def test_a_closed_claim_has_no_timer_and_a_reopened_one_new_cycles() -> None:
    story = Story().submit().do(c.ApproveClaim(), SENIOR)
    payment = story.now_claim.pending
    assert payment is not None
    paid = c.ConfirmPayment(payment_id=payment.id, amount=story.now_claim.money(payment.amount), provider_ref="B")
    story.do(paid, BANK)
    assert timers(story.now_claim) == () and next_deadline(story.now_claim) is None
    story.wait(days=20).do(c.ReopenClaim(reason_code="NEW_FACTS", reason="hidden damage"), SUPERVISOR)
    clock = story.now_claim.clocks["INTERNAL.decide"]
    assert (clock.cycle, clock.status, clock.started) == (2, "running", story.world.now)


def test_due_times_are_rebuilt_by_replay_even_when_the_profiles_have_changed() -> None:
    story = Story().submit().wait(days=3).do(c.RequestInformation(items=("invoice",)), SENIOR)
    story.set(rules=Rules(sla=sla_book(()))).wait(days=2)
    story.do(c.UploadDocument(document_id="D", kind="invoice"), CLAIMANT)
    replayed = fold(story.facts)
    assert replayed == story.now_claim
    assert decode_claim(encode_claim(story.now_claim)).clocks == story.now_claim.clocks


def test_a_profile_row_says_whether_its_figure_was_verified() -> None:
    unverified = {(row.profile, row.clock) for row in ROWS if not row.verified}
    assert ("US-MODEL", "decide") in unverified and ("CA", "decide") not in unverified
    assert all(row.source for row in ROWS)


def test_late_payment_in_texas_adds_interest_as_a_payment_of_its_own() -> None:
    """5 business days after a Monday, one holiday among them, end with a Tuesday; then 18 %, begun days counted."""
    story = Story().submit(jurisdiction="TX").do(c.ApproveClaim(), SENIOR)
    payment = story.now_claim.pending
    assert payment is not None
    story.set(now=datetime(2025, 2, 28, 12, tzinfo=UTC))
    amount = story.now_claim.money(payment.amount)
    story.do(c.ConfirmPayment(payment_id=payment.id, amount=amount, provider_ref="B"), BANK)
    assert story.types[-3:] == ["interest.added", "payment.completed", "payment.initiated"]
    # 19,000.00 x 18 % x 10 begun days (19 to 28 February) / 365 = 93.6986 -> 93.70
    assert story.now_claim.interest == 9_370
    second = story.now_claim.pending
    assert second is not None and (second.kind, second.amount) == ("interest", 9_370)
    story.do(c.ConfirmPayment(payment_id=second.id, amount=story.now_claim.money(9_370), provider_ref="C"), BANK)
    assert (story.state(), story.now_claim.paid, story.now_claim.paid_interest) == (
        State.CLOSED,
        1_900_000,
        9_370,
    )


@pytest.mark.parametrize(
    ("cleared", "owed"),
    [
        (datetime(2025, 2, 12, 12, tzinfo=UTC), 0),
        (datetime(2025, 2, 20, 12, tzinfo=UTC), 1_874),
        (datetime(2025, 3, 20, 12, tzinfo=UTC), 9_370),
    ],
    ids=["in time", "two days late", "a time that has not come"],
)
def test_interest_counts_to_the_day_on_which_the_money_left_however_late_the_bank_says_so(
    cleared: datetime, owed: int
) -> None:
    """19,000.00 x 18 % / 365 is 9.3699 a day; the last day was 18 February, and the message comes on the 28th."""
    story = Story().submit(jurisdiction="TX").do(c.ApproveClaim(), SENIOR)
    payment = story.now_claim.pending
    assert payment is not None
    story.set(now=datetime(2025, 2, 28, 12, tzinfo=UTC))
    amount = story.now_claim.money(payment.amount)
    said = c.ConfirmPayment(payment_id=payment.id, amount=amount, provider_ref="B", cleared_at=cleared)
    story.do(said, BANK)
    assert story.now_claim.interest == owed
    booked = [fact.body for fact in story.facts if isinstance(fact.body, PaymentCompleted)]
    assert [body.late for body in booked] == [owed > 0]


def florida(**changes: Any) -> Story:
    return Story(roster=roster(adjuster("ADJ-001", jurisdictions=frozenset(("FL",))))).submit(
        jurisdiction="FL", line="property", **changes
    )


IN_60_DAYS = datetime(2025, 4, 12, tzinfo=UTC)
"""The end of the 60th day after the notice of 10 February."""


def test_florida_counts_the_time_to_decide_from_the_notice_and_not_from_the_proof() -> None:
    story = florida(injured_count=1)
    assert not story.now_claim.proof_of_loss
    clock = story.now_claim.clocks["FL.decide"]
    assert (clock.started, clock.due, clock.cycle) == (NOW, IN_60_DAYS, 1)
    story.wait(days=10).do(c.UploadDocument(document_id="D1", kind="medical_report"), CLAIMANT)
    assert story.now_claim.clocks["FL.decide"] == clock, "the proof of loss begins no second count"


def test_florida_counts_the_time_to_pay_from_the_notice_too() -> None:
    story = florida().set(payee=None).wait(days=50)
    story.do(c.ApproveClaim(), SENIOR)
    assert story.now_claim.clocks["FL.pay"].due == IN_60_DAYS
    late = florida().set(payee=None).wait(days=70)
    late.do(c.ApproveClaim(), SENIOR)
    assert late.now_claim.clocks["FL.pay"].due == late.world.now, "what is late already is due at once"


def test_a_decision_that_is_taken_back_gains_no_time_where_the_notice_counts() -> None:
    story = florida().set(payee=None).wait(days=20)
    story.do(c.ApproveClaim(), SENIOR).wait(days=5).do(c.RescindDecision(reason="new facts"), MANAGER)
    assert story.now_claim.clocks["FL.decide"].due == IN_60_DAYS


def test_texas_pays_at_the_latest_60_days_after_everything_was_there() -> None:
    story = Story().submit(jurisdiction="TX").set(payee=None).wait(days=10)
    story.do(c.ApproveClaim(), SENIOR)
    clocks = story.now_claim.clocks
    assert clocks["TX-OUTER.pay"].due == datetime(2025, 4, 12, tzinfo=UTC)
    assert clocks["TX.pay"].due == datetime(2025, 2, 28, tzinfo=UTC)


def test_a_fire_that_may_be_arson_has_30_days_in_texas_and_a_letter_that_says_so() -> None:
    story = Story().submit(jurisdiction="TX", peril="fire")
    assert story.now_claim.clocks["TX.decide"].due == datetime(2025, 3, 5, tzinfo=UTC)
    story.do(c.ReferToSIU(reason="accelerant"), SENIOR)
    assert story.now_claim.clocks["TX.decide"].due == datetime(2025, 3, 13, tzinfo=UTC)
    assert story.now_claim.clocks["TX.letter"].status == "running"
    other = Story().submit(jurisdiction="TX", peril="hail").do(c.ReferToSIU(reason="staged"), SENIOR)
    assert other.now_claim.clocks["TX.decide"].due == datetime(2025, 3, 5, tzinfo=UTC)


def test_texas_lets_a_letter_extend_the_time_once_and_by_45_days() -> None:
    story = Story().submit(jurisdiction="TX")
    due = story.now_claim.clocks["TX.decide"].due

    def letter(days: int) -> c.SendStatusLetter:
        return c.SendStatusLetter(letter="l", reason="more time", extends_until=due + timedelta(days=days))

    assert "45 days" in story.refused(letter(46), SENIOR).message
    story.do(letter(45), SENIOR)
    assert story.now_claim.clocks["TX.decide"].due == due + timedelta(days=45)
    assert "1 time(s)" in story.refused(letter(50), SENIOR).message


def test_a_letter_that_extends_the_time_does_not_end_a_pause() -> None:
    story = Story().submit().do(c.RequestInformation(items=("invoice",)), SENIOR).wait(days=1)
    until = story.world.now + timedelta(days=40)
    story.do(c.SendStatusLetter(letter="l", reason="r", extends_until=until), SENIOR)
    clock = story.now_claim.clocks["US-MODEL.decide"]
    assert (clock.status, clock.due) == ("paused", until)


def test_federal_holidays_are_no_business_days() -> None:
    assert federal_holidays(2025) == tuple(
        date.fromisoformat(day)
        for day in (
            "2025-01-01 2025-01-20 2025-02-17 2025-05-26 2025-06-19 2025-07-04 2025-09-01 2025-10-13 2025-11-11"
            " 2025-11-27 2025-12-25"
        ).split()
    )
    assert date(2021, 12, 24) in federal_holidays(2021), "a Saturday is kept on Friday"
    assert date(2023, 1, 2) in federal_holidays(2023), "a Sunday is kept on Monday"
    assert date(2015, 6, 19) not in federal_holidays(2015)
    story = Story(now=datetime(2025, 2, 14, 9, 0, tzinfo=UTC))
    story.only(notice(), CLAIMANT)
    assert story.now_claim.clocks["INTERNAL.acknowledge"].due == datetime(2025, 2, 19, tzinfo=UTC)
