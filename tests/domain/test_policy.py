"""A policy is the fold of its events, and its terms are those of the loss date."""

from __future__ import annotations

from datetime import date, timedelta

import msgspec
import pytest

from domain.customer import (
    CUSTOMER_EVENTS,
    CustomerChanged,
    CustomerErased,
    CustomerHistoryError,
    CustomerPolicyLinked,
    CustomerRegistered,
    evolve_customer,
)
from domain.money import Money
from domain.policy import (
    Coverage,
    Policy,
    cover_increased_on,
    held_since,
    inception,
    interruption_on,
    quarantine_reason,
    version_on,
)
from domain.policy_events import (
    POLICY_EVENTS,
    PolicyCancelled,
    PolicyEndorsed,
    PolicyEvent,
    PolicyHistoryError,
    PolicyIssued,
    PolicyLapsed,
    PolicyQuarantined,
    PolicyReinstated,
    PolicyReleased,
    evolve_policy,
)
from tests.support.policies import AUTO_COVERAGES, policy, terms, usd

ISSUED = PolicyIssued(
    number="POL-1",
    line="motor",
    jurisdiction="OH",
    currency="USD",
    customer_id="CUST-1",
    insureds=("CUST-1",),
    terms=terms(effective=date(2014, 1, 1)),
)


def folded(*events: PolicyEvent) -> Policy:
    state: Policy | None = None
    for event in events:
        state = evolve_policy(state, event)
    assert state is not None
    return state


def test_terms_hold_from_their_first_day_until_the_day_before_their_end() -> None:
    held = policy(terms(effective=date(2014, 1, 1), end=date(2015, 1, 1)))
    assert version_on(held, date(2013, 12, 31)) is None
    assert version_on(held, date(2014, 1, 1)) is not None
    assert version_on(held, date(2014, 12, 31)) is not None
    assert version_on(held, date(2015, 1, 1)) is None


def test_an_endorsement_changes_nothing_before_its_day() -> None:
    higher = terms(version=2, limit=500_000, effective=date(2014, 6, 1))
    held = folded(ISSUED, PolicyEndorsed(higher))
    before, after = version_on(held, date(2014, 5, 31)), version_on(held, date(2014, 6, 1))
    assert before is not None and before.version == 1
    assert after is not None and after.version == 2
    assert cover_increased_on(held, date(2014, 12, 1)) == date(2014, 6, 1)
    assert cover_increased_on(held, date(2014, 5, 1)) is None
    assert inception(held) == date(2014, 1, 1)


def test_a_backdated_endorsement_holds_from_its_day() -> None:
    held = folded(ISSUED, PolicyEndorsed(terms(version=2, deductible=500, effective=date(2014, 1, 1))))
    used = version_on(held, date(2014, 3, 1))
    assert used is not None and used.deductible == usd(500)


def test_an_endorsement_out_of_turn_is_refused() -> None:
    with pytest.raises(PolicyHistoryError, match="should be 2"):
        folded(ISSUED, PolicyEndorsed(terms(version=3)))


def test_a_coverage_is_held_since_it_was_added() -> None:
    glass = (*AUTO_COVERAGES, Coverage("glass"))
    added = terms(version=2, effective=date(2014, 6, 1), coverages=glass)
    held = folded(ISSUED, PolicyEndorsed(added))
    assert held_since(held, "glass", date(2014, 12, 1)) == date(2014, 6, 1)
    assert held_since(held, "vehicle", date(2014, 12, 1)) == date(2014, 1, 1)
    assert held_since(held, "glass", date(2014, 2, 1)) is None


def test_there_is_no_cover_while_a_policy_is_lapsed_in_grace_or_cancelled() -> None:
    lapsed = folded(ISSUED, PolicyLapsed(date(2014, 5, 1)), PolicyReinstated(date(2014, 6, 1)))
    assert interruption_on(lapsed, date(2014, 4, 30)) is None
    assert interruption_on(lapsed, date(2014, 5, 31)) is not None
    assert interruption_on(lapsed, date(2014, 6, 1)) is None
    grace = interruption_on(folded(ISSUED, PolicyLapsed(date(2014, 5, 1), grace=True)), date(2015, 1, 1))
    assert grace is not None and grace.kind == "grace"
    ended = interruption_on(folded(ISSUED, PolicyCancelled(date(2014, 5, 1))), date(2015, 1, 1))
    assert ended is not None and ended.kind == "cancelled"


def test_a_quarantine_is_lifted_by_a_release() -> None:
    held = folded(ISSUED, PolicyQuarantined("the umbrella limit is below zero"))
    assert held.quarantine == "the umbrella limit is below zero"
    assert evolve_policy(held, PolicyReleased("typing error, mended")).quarantine is None


def test_every_event_counts_one_revision() -> None:
    held = folded(ISSUED, PolicyLapsed(date(2014, 5, 1)), PolicyReinstated(date(2014, 6, 1)))
    assert held.revision == 3


def test_an_event_that_cannot_follow_is_refused() -> None:
    with pytest.raises(PolicyHistoryError, match="before the policy was issued"):
        evolve_policy(None, PolicyCancelled(date(2014, 5, 1)))
    with pytest.raises(PolicyHistoryError, match="issued before"):
        folded(ISSUED, ISSUED)


def test_impossible_terms_are_told_in_a_sentence() -> None:
    assert quarantine_reason(terms(), "USD") is None
    assert "below zero" in (quarantine_reason(terms(limit=-1_000_000), "USD") or "")
    assert "EUR" in (quarantine_reason(terms(), "EUR") or "")
    same_day = terms(effective=date(2014, 1, 1), end=date(2014, 1, 1))
    assert "ends on" in (quarantine_reason(same_day, "USD") or "")
    odd = terms(coverages=(Coverage("glass", sub_limit=Money(-1, "USD")),))
    assert "sub-limit of glass" in (quarantine_reason(odd, "USD") or "")


def test_policies_and_their_events_survive_the_wire() -> None:
    held = folded(ISSUED, PolicyLapsed(date(2014, 5, 1), reason="premium"))
    assert msgspec.json.decode(msgspec.json.encode(held), type=Policy) == held
    for body in (ISSUED, PolicyEndorsed(terms(version=2)), PolicyCancelled(date(2014, 5, 1))):
        wire = msgspec.json.encode(body)
        assert msgspec.json.decode(wire, type=type(body)) == body
    assert b'"customerId"' in msgspec.json.encode(ISSUED)


def test_event_types_are_named_after_their_aggregate() -> None:
    assert all(name.startswith("policy.") for name in POLICY_EVENTS)
    assert all(name.startswith("customer.") for name in CUSTOMER_EVENTS)


def test_a_customer_is_the_fold_of_its_events() -> None:
    state = evolve_customer(None, CustomerRegistered("CUST-1", date(2014, 1, 1), sealed="sealed-1"))
    state = evolve_customer(state, CustomerPolicyLinked("POL-1"))
    state = evolve_customer(state, CustomerPolicyLinked("POL-1"))
    state = evolve_customer(state, CustomerChanged(language="es"))
    assert (state.policies, state.language, state.sealed, state.revision) == (("POL-1",), "es", "sealed-1", 4)


def test_an_erased_customer_keeps_its_id_and_links_and_nothing_sealed() -> None:
    state = evolve_customer(None, CustomerRegistered("CUST-1", date(2014, 1, 1), sealed="sealed-1"))
    state = evolve_customer(evolve_customer(state, CustomerPolicyLinked("POL-1")), CustomerErased())
    assert (state.customer_id, state.policies, state.sealed, state.erased) == ("CUST-1", ("POL-1",), "", True)


def test_a_customer_event_that_cannot_follow_is_refused() -> None:
    registered = CustomerRegistered("CUST-1", date(2014, 1, 1))
    with pytest.raises(CustomerHistoryError):
        evolve_customer(None, CustomerErased())
    with pytest.raises(CustomerHistoryError):
        evolve_customer(evolve_customer(None, registered), registered)


def test_a_gap_in_cover_starts_the_waiting_anew() -> None:
    first = terms(effective=date(2013, 1, 1), end=date(2014, 1, 1))
    later = terms(version=2, effective=date(2014, 1, 1) + timedelta(days=30))
    assert held_since(policy(first, later), "vehicle", date(2014, 6, 1)) == date(2014, 1, 31)
