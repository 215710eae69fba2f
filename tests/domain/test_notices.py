"""Who is told what: the claimant is told all that is due to him and nothing that is restricted."""

from __future__ import annotations

import msgspec
import pytest

from domain import commands as c
from domain.events import EVENTS
from domain.notices import CLAIMANT_SIDE, MATRIX, RESTRICTED, SILENT, Intent, Template, intents
from tests.support.claims import BANK, CLAIMANT, SENIOR, SIU, Story, notice

PAIRS = [(event, template) for event, templates in MATRIX.items() for template in templates]


@pytest.mark.parametrize(("event", "template"), PAIRS, ids=lambda part: getattr(part, "id", part))
def test_no_claimant_template_carries_a_restricted_field(event: str, template: Template) -> None:
    if template.audience in CLAIMANT_SIDE:
        assert not RESTRICTED.intersection(template.fields)
        assert not template.restricted


@pytest.mark.parametrize(("event", "template"), PAIRS, ids=lambda part: getattr(part, "id", part))
def test_a_template_names_only_fields_that_its_event_has(event: str, template: Template) -> None:
    assert set(template.fields) <= set(EVENTS[event].__struct_encode_fields__)


NEVER_FOR_CLAIMANTS = (
    "siu.referred siu.concluded sla.breached sla.warned reserve.changed approval.requested approval.returned"
    " validated duplicate.flagged"
).split()


@pytest.mark.parametrize("event", NEVER_FOR_CLAIMANTS)
def test_the_claimant_never_hears_of_this(event: str) -> None:
    assert not {template.audience for template in MATRIX.get(f"claim.{event}", ())} & CLAIMANT_SIDE


def test_every_event_is_either_told_or_silent_on_purpose() -> None:
    assert set(MATRIX) | SILENT == set(EVENTS)
    assert not set(MATRIX) & SILENT


def told(story: Story, audience: str) -> list[str]:
    return [i.template for fact in story.facts for i in intents(fact) if i.recipient == audience]


def test_the_claimant_of_an_investigated_claim_hears_the_same_as_any_other() -> None:
    story = Story().submit().do(c.ReferToSIU(reason="staged"), SENIOR).do(c.CloseSIU(outcome="cleared"), SIU)
    assert told(story, "claimant") == ["claimant.received", "claimant.acknowledged", "claimant.handler"]


@pytest.mark.parametrize("visible", [True, False])
def test_an_investigation_is_told_only_when_it_is_visible_and_in_neutral_words(visible: bool) -> None:
    story = Story().submit().do(c.StartInvestigation(scope="suspected fraud", visible=visible), SENIOR)
    mine = [i for i in intents(story.facts[-1]) if i.recipient == "claimant"]
    assert [i.template for i in mine] == (["claimant.file_review"] if visible else [])
    assert all(i.fields == {"phase": "started"} for i in mine)


def test_an_urgent_claim_uses_the_urgent_lane() -> None:
    story = Story()
    story.only(notice(priority="urgent"), CLAIMANT)
    assert {i.lane for i in intents(story.facts[0])} == {"urgent"}


def test_a_partial_approval_tells_of_the_right_to_appeal() -> None:
    story = Story().submit().do(c.ApproveClaim(amount=notice().items[0].claimed.__class__(100_000, "USD")), SENIOR)
    approved = next(fact for fact in story.facts if fact.type == "claim.approved")
    letter = next(i for i in intents(approved) if i.recipient == "claimant")
    assert letter.template == "claimant.approved_partial" and letter.fields["appealTextId"]


def test_intents_are_the_same_for_ever_and_can_be_stored() -> None:
    story = Story().submit().do(c.ApproveClaim(), SENIOR)
    payment = story.now_claim.pending
    assert payment is not None
    story.do(c.FailPayment(payment_id=payment.id, reason="offline"), BANK)
    for fact in story.facts:
        found = intents(fact)
        assert found == intents(fact)
        for intent in found:
            decoded = msgspec.json.decode(msgspec.json.encode(intent), type=Intent)
            assert (decoded.template, decoded.recipient_id) == (intent.template, intent.recipient_id)


def test_nobody_is_told_twice_by_one_fact() -> None:
    for templates in MATRIX.values():
        keys = [(template.audience, template.id) for template in templates]
        assert len(keys) == len(set(keys))
