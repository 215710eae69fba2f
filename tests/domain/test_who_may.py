"""Who may act on which claim, in which role, and who reviews whom."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from domain import commands as c
from domain.authority import Delegation
from domain.bodies.base import Actor
from domain.bodies.ending import RecordAccessed
from domain.outcome import Accepted
from domain.roster import Roster, superiors
from tests.support.claims import NOW, Story, adjuster

LEAD = adjuster("ADJ-LEAD", role="senior_adjuster")
JUNIOR = adjuster("ADJ-JUN", role="adjuster_i", reports_to="ADJ-LEAD")
DEPUTY = adjuster(
    "ADJ-DEP",
    role="adjuster_i",
    delegations=(Delegation("ADJ-DEP", "senior_adjuster", NOW.date(), NOW.date()),),
)
HOUSE = Roster(7, (LEAD, JUNIOR, DEPUTY))


def as_(name: str, role: str) -> Actor:
    return Actor(id=name, role=role)


@pytest.mark.parametrize(
    "command",
    [
        c.UploadDocument(document_id="D", kind="photos"),
        c.WithdrawClaim(reason="changed my mind"),
    ],
    ids=lambda command: type(command).__name__,
)
def test_a_stranger_does_nothing_on_somebody_elses_claim(command: c.Command) -> None:
    story = Story().submit()
    refused = story.refused(command, as_("CUST-OTHER", "claimant"))
    assert (refused.code, refused.message) == (
        "NOT_ALLOWED",
        "CUST-OTHER is neither claimant nor insured of CLM-TEST0001",
    )
    story.do(command, as_("CUST-1", "claimant"))


@pytest.mark.parametrize(
    "command",
    [c.UploadDocument(document_id="D", kind="photos"), c.WithdrawClaim(reason="changed my mind")],
    ids=lambda command: type(command).__name__,
)
def test_a_representative_acts_only_while_the_claimant_names_him(command: c.Command) -> None:
    lawyer, claimant = as_("LAW-1", "representative"), as_("CUST-1", "claimant")
    named, ended = c.GiveMandate(representative_id="LAW-1"), c.EndMandate(representative_id="LAW-1")
    story = Story().submit()
    assert story.refused(command, lawyer).message == (
        "LAW-1 was not named by the claimant of CLM-TEST0001 to speak for them"
    )
    assert story.refused(named, lawyer).code == "NOT_ALLOWED"
    assert story.refused(named, as_("CUST-OTHER", "claimant")).code == "NOT_ALLOWED"
    story.do(named, claimant).do(ended, claimant)
    assert story.refused(command, lawyer).code == "NOT_ALLOWED"
    story.do(named, as_("ADJ-II", "adjuster_ii")).do(command, lawyer)


def test_a_mandate_is_given_once_to_somebody_else_and_ended_only_when_it_stands() -> None:
    story = Story().submit()
    claimant = as_("CUST-1", "claimant")
    assert story.refused(c.GiveMandate(representative_id="CUST-1"), claimant).code == "INVALID"
    assert story.refused(c.EndMandate(representative_id="LAW-1"), claimant).code == "WRONG_STATE"
    story.do(c.GiveMandate(representative_id="LAW-1"), claimant)
    assert story.refused(c.GiveMandate(representative_id="LAW-1"), claimant).code == "REPEATED"


def test_a_representative_who_was_named_appeals() -> None:
    deny = c.RejectClaim(reason_codes=("INSUFFICIENT_PROOF",), provisions=("Conditions",), appeal_text_id="a")
    story = Story().submit().do(deny, as_("SEN", "senior_adjuster"))
    assert story.refused(c.FileAppeal(), as_("LAW-1", "representative")).code == "NOT_ALLOWED"
    story.do(c.GiveMandate(representative_id="LAW-1"), as_("CUST-1", "claimant"))
    story.do(c.FileAppeal(), as_("LAW-1", "representative"))


def test_a_stranger_cannot_appeal() -> None:
    deny = c.RejectClaim(reason_codes=("INSUFFICIENT_PROOF",), provisions=("Conditions",), appeal_text_id="a")
    story = Story().submit().do(deny, as_("SEN", "senior_adjuster"))
    assert story.refused(c.FileAppeal(), as_("CUST-OTHER", "claimant")).code == "NOT_ALLOWED"
    story.do(c.FileAppeal(), as_("CUST-1", "claimant"))


def test_nobody_of_the_roster_decides_above_the_role_that_it_gives_him() -> None:
    story = Story(roster=HOUSE).submit()
    refused = story.refused(c.ApproveClaim(), as_("ADJ-JUN", "claims_manager"))
    assert refused.message == "ADJ-JUN is adjuster_i on the roster (version 7), not claims_manager"
    story.do(c.ApproveClaim(), as_("ADJ-LEAD", "senior_adjuster"))


def test_a_delegated_role_holds_on_its_days_and_not_the_day_after() -> None:
    story = Story(roster=HOUSE).submit()
    day_after = Story(roster=HOUSE).submit().wait(days=1)
    assert day_after.refused(c.ApproveClaim(), as_("ADJ-DEP", "senior_adjuster")).code == "NOT_ALLOWED"
    story.do(c.ApproveClaim(), as_("ADJ-DEP", "senior_adjuster"))


def test_who_reports_to_the_decider_does_not_review_the_appeal() -> None:
    deny = c.RejectClaim(reason_codes=("INSUFFICIENT_PROOF",), provisions=("Conditions",), appeal_text_id="a")
    story = Story(roster=HOUSE).submit().do(deny, as_("ADJ-LEAD", "senior_adjuster"))
    story.do(c.FileAppeal(), as_("CUST-1", "claimant"))
    overturn = c.DecideAppeal(outcome="overturned")
    below = story.set(superiors=superiors(HOUSE, "ADJ-JUN"))
    refused = below.refused(overturn, as_("ADJ-JUN", "appeal_reviewer"))
    assert refused.guard == "G14" and "reports to who made the decision" in refused.message
    story.set(superiors=superiors(HOUSE, "ADJ-DEP"))
    assert isinstance(story.try_(overturn, as_("ADJ-DEP", "appeal_reviewer")), Accepted)


def test_everybody_above_is_found_and_a_circle_ends() -> None:
    top = adjuster("ADJ-TOP")
    house = Roster(1, (top, replace(LEAD, reports_to="ADJ-TOP"), JUNIOR))
    assert superiors(house, "ADJ-JUN") == ("ADJ-LEAD", "ADJ-TOP")
    circle = Roster(1, (replace(top, reports_to="ADJ-JUN"), replace(LEAD, reports_to="ADJ-TOP"), JUNIOR))
    assert superiors(circle, "ADJ-JUN") == ("ADJ-LEAD", "ADJ-TOP")


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [({}, ""), ({"line": "health"}, "medical"), ({"restricted_group": "employees"}, "employee")],
    ids=["plain", "health", "employee"],
)
def test_a_look_at_a_restricted_claim_is_a_fact_and_no_other_look_is(changes: dict[str, str], kinds: str) -> None:
    story = Story().submit(**changes)
    look = c.RecordAccess(view="claim show", purpose="audit")
    assert story.refused(look, as_("CUST-1", "claimant")).code == "NOT_ALLOWED"
    if not kinds:
        assert story.refused(look, as_("COM-1", "compliance")).code == "INVALID"
        return
    before = story.state()
    story.do(look, as_("COM-1", "compliance"))
    body = story.facts[-1].body
    assert isinstance(body, RecordAccessed) and (body.record, body.purpose) == (f"claim show: {kinds}", "audit")
    assert story.state() is before
