"""The same roster and claim always go to the same adjuster, and nobody passes the filter by a tie."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.assignment import (
    Assignment,
    Deferred,
    Preference,
    Subject,
    assign,
    assign_manually,
    preferences,
    refusal,
)
from domain.bodies.handling import ClaimAssigned
from domain.context import Ties
from domain.roster import Absence, Adjuster, Catastrophe, Roster, with_load
from domain.triage import RANK, TIERS, Tier
from tests.support import claims

DAY = date(2015, 2, 2)
AWAY = (Absence(DAY - timedelta(days=3), DAY + timedelta(days=3)),)


def adjuster(number: int, states: str, skill: Tier, load: int, at: str, absences: tuple[Absence, ...] = ()) -> Adjuster:
    hour, minute = map(int, at.split(":"))
    return Adjuster(
        adjuster_id=f"ADJ-{number:03d}",
        jurisdictions=frozenset(states.split()),
        lines=frozenset({"motor"}),
        skill=skill,
        capacity=40,
        load=load,
        last_assigned=datetime(2015, 2, 2, hour, minute, tzinfo=UTC),
        absences=absences,
    )


ROSTER = Roster(
    7,
    (
        adjuster(1, "OH IN", "STANDARD", 12, "08:10"),
        adjuster(2, "OH IL", "COMPLEX", 18, "08:00"),
        adjuster(3, "OH IL IN", "SPECIALIST", 12, "08:30"),
        adjuster(4, "OH IN", "SPECIALIST", 28, "07:45"),
        adjuster(5, "OH IL", "COMPLEX", 4, "07:00", AWAY),
        adjuster(6, "IN", "SPECIALIST", 40, "06:30"),
    ),
)


def subject(tier: Tier, weight: int, state: str = "OH", **more: object) -> Subject:
    return msgspec.structs.replace(Subject("motor", state, tier, weight, DAY), **more)


def eligible(found: Assignment | Deferred) -> list[str]:
    return [c.adjuster_id[-3:] for c in found.candidates if c.refused_by is None]


PARKED = subject("STANDARD", 2)
INJURED = subject("SPECIALIST", 5)


@pytest.mark.parametrize(
    ("asked", "able", "goes_to", "rule"),
    [
        (PARKED, ["001", "002", "003", "004"], "ADJ-001", "least_loaded"),
        (INJURED, ["003", "004"], "ADJ-003", "least_loaded"),
        (
            subject("COMPLEX", 3, preferences=preferences(household="ADJ-002")),
            ["002", "003", "004"],
            "ADJ-002",
            "household",
        ),
        (subject("SPECIALIST", 5, barred=frozenset({"ADJ-003"})), ["004"], "ADJ-004", "least_loaded"),
        (
            subject("STANDARD", 2, preferences=preferences(previous="ADJ-005", days_since_closing=60)),
            ["001", "002", "003", "004"],
            "ADJ-001",
            "least_loaded",
        ),
    ],
    ids=["976971", "521585", "463727", "521585 overturned", "976971 reopened"],
)
def test_the_worked_examples_go_to_the_documented_adjuster(
    asked: Subject, able: list[str], goes_to: str, rule: str
) -> None:
    found = assign(ROSTER, asked)
    assert isinstance(found, Assignment)
    assert eligible(found) == able
    assert (found.adjuster_id, found.rule, found.roster_version) == (goes_to, rule, 7)


def test_a_claim_that_nobody_can_take_is_deferred_with_the_reasons() -> None:
    away = tuple(replace(a, absences=AWAY) if a.adjuster_id in ("ADJ-003", "ADJ-004") else a for a in ROSTER.adjusters)
    found = assign(Roster(8, away), subject("SPECIALIST", 5, "IN"))
    assert isinstance(found, Deferred)
    assert [c.refused_by for c in found.candidates] == [
        "skill_below_tier",
        "not_licensed",
        "on_leave",
        "on_leave",
        "on_leave",
        "at_capacity",
    ]
    assert "at_capacity 1" in found.explanation


def test_the_explanation_says_what_decided() -> None:
    tie = assign(ROSTER, PARKED)
    assert tie.explanation == (
        "ADJ-001: load 12/40 is the least of 4 eligible; tie with ADJ-003 broken by the longer wait"
    )
    assert (
        "household" in assign(ROSTER, subject("COMPLEX", 3, preferences=preferences(household="ADJ-002"))).explanation
    )


@pytest.mark.parametrize(
    ("change", "asked", "reason"),
    [
        ({"active": False}, PARKED, "inactive"),
        ({"absences": AWAY}, PARKED, "on_leave"),
        ({"absences": (Absence(DAY, DAY),)}, PARKED, "on_leave"),
        ({"jurisdictions": frozenset({"IN"})}, PARKED, "not_licensed"),
        ({"lines": frozenset({"property"})}, PARKED, "not_licensed"),
        ({"licensed_until": DAY - timedelta(days=1)}, PARKED, "licence_expired"),
        ({"skill": "STANDARD"}, INJURED, "skill_below_tier"),
        ({"load": 40}, PARKED, "at_capacity"),
        (
            {"conflicts": frozenset({"CUST-1"})},
            replace(PARKED, parties=frozenset({"CUST-1"})),
            "conflict_of_interest",
        ),
        ({}, replace(PARKED, barred=frozenset({"ADJ-003"})), "decided_before"),
        ({}, replace(PARKED, restricted=True), "not_in_restricted_group"),
        ({"load": 39, "licensed_until": DAY, "restricted": True}, replace(INJURED, restricted=True), None),
    ],
)
def test_the_filter_names_the_first_rule_that_refuses(
    change: dict[str, object], asked: Subject, reason: str | None
) -> None:
    assert refusal(replace(ROSTER.adjusters[2], **change), asked) == reason


def test_a_tie_to_an_adjuster_is_honoured_in_order_and_only_for_90_days() -> None:
    both = preferences(same_event="ADJ-004", household="ADJ-002", previous="ADJ-003", days_since_closing=90)
    found = assign(ROSTER, subject("STANDARD", 2, preferences=both))
    assert isinstance(found, Assignment) and (found.adjuster_id, found.rule) == ("ADJ-004", "same_event")
    assert preferences(previous="ADJ-003", days_since_closing=90) == (both[-1],)
    assert preferences(previous="ADJ-003", days_since_closing=91) == ()


def test_a_supervisor_may_choose_but_not_past_the_filter() -> None:
    chosen = assign_manually(ROSTER, INJURED, "ADJ-004")
    assert isinstance(chosen, Assignment) and (chosen.adjuster_id, chosen.rule) == ("ADJ-004", "manual")
    assert isinstance(assign_manually(ROSTER, INJURED, "ADJ-002"), Deferred)


def test_who_was_never_assigned_waited_longest_and_the_id_decides_last() -> None:
    fresh = replace(ROSTER.adjusters[2], last_assigned=None)
    found = assign(replace(ROSTER, adjusters=(ROSTER.adjusters[0], fresh)), PARKED)
    assert isinstance(found, Assignment) and found.adjuster_id == "ADJ-003"
    twins = (replace(fresh, adjuster_id="ADJ-008"), replace(fresh, adjuster_id="ADJ-007"))
    found = assign(replace(ROSTER, adjusters=twins), PARKED)
    assert isinstance(found, Assignment) and found.adjuster_id == "ADJ-007"
    assert found.explanation.endswith("tie with ADJ-008 broken by the adjuster id")


def test_load_counts_against_the_capacity_it_is_carried_with() -> None:
    light = replace(ROSTER.adjusters[0], adjuster_id="ADJ-A", load=8, capacity=40)
    large = replace(light, adjuster_id="ADJ-B", load=10, capacity=80)
    found = assign(Roster(1, (light, large)), PARKED)
    assert isinstance(found, Assignment) and found.adjuster_id == "ADJ-B"


def test_load_is_compared_exactly_and_falls_to_zero_at_most() -> None:
    third = replace(ROSTER.adjusters[0], adjuster_id="ADJ-A", load=1, capacity=3)
    more = replace(third, adjuster_id="ADJ-B", load=333_334, capacity=1_000_000, last_assigned=None)
    found = assign(Roster(1, (more, third)), PARKED)
    assert isinstance(found, Assignment) and found.adjuster_id == "ADJ-A"
    at = datetime(2015, 2, 2, 9, 0, tzinfo=UTC)
    after = with_load(Roster(1, (third,)), "ADJ-A", 2, at)
    assert (after.version, after.adjusters[0].load, after.adjusters[0].last_assigned) == (2, 3, at)
    assert with_load(after, "ADJ-A", -9).adjusters[0].load == 0


states = st.sampled_from(("OH", "IN", "IL"))
ids = st.sampled_from([f"ADJ-{n}" for n in range(8)])
adjusters = st.builds(
    Adjuster,
    adjuster_id=ids,
    jurisdictions=st.frozensets(states),
    lines=st.just(frozenset({"motor"})),
    skill=st.sampled_from(TIERS),
    capacity=st.integers(0, 40),
    load=st.integers(0, 45),
    last_assigned=st.none() | st.integers(0, 3).map(lambda h: datetime(2015, 2, 2, h, tzinfo=UTC)),
    active=st.booleans(),
    absences=st.sampled_from(((), AWAY)),
    conflicts=st.sampled_from((frozenset(), frozenset({"CUST-1"}))),
)
rosters = st.lists(adjusters, max_size=8, unique_by=lambda a: a.adjuster_id).map(lambda a: Roster(1, tuple(a)))
ties = st.builds(Preference, st.sampled_from(("same_event", "household", "previous_adjuster")), ids)
subjects = st.builds(
    Subject,
    line=st.just("motor"),
    jurisdiction=states,
    tier=st.sampled_from(TIERS),
    weight=st.integers(1, 8),
    day=st.just(DAY),
    parties=st.just(frozenset({"CUST-1"})),
    barred=st.frozensets(ids, max_size=2),
    preferences=st.lists(ties, max_size=3).map(tuple),
)


@given(rosters, subjects)
def test_the_filter_is_never_passed_and_the_least_loaded_is_chosen(roster: Roster, asked: Subject) -> None:
    found = assign(roster, asked)
    able = [a for a in roster.adjusters if refusal(a, asked) is None]
    if isinstance(found, Deferred):
        assert able == []
        return
    chosen = next(a for a in able if a.adjuster_id == found.adjuster_id)
    assert asked.jurisdiction in chosen.jurisdictions
    assert RANK[chosen.skill] >= RANK[asked.tier]
    assert chosen.load < chosen.capacity
    assert chosen.adjuster_id not in asked.barred
    if found.rule == "least_loaded":
        assert all(chosen.load * other.capacity <= other.load * chosen.capacity for other in able)


@given(rosters, subjects)
def test_the_order_of_the_roster_does_not_decide(roster: Roster, asked: Subject) -> None:
    reordered = tuple(sorted(roster.adjusters, key=lambda a: a.adjuster_id, reverse=True))
    one, other = assign(roster, asked), assign(Roster(1, reordered), asked)
    assert type(one) is type(other)
    if isinstance(one, Assignment) and isinstance(other, Assignment):
        assert one.adjuster_id == other.adjuster_id


def test_a_catastrophe_has_its_own_group_and_one_event_does_not_stick_to_one_adjuster() -> None:
    storm = Catastrophe(
        code="STORM-1",
        jurisdictions=frozenset(("OH",)),
        first=date(2025, 1, 30),
        last=date(2025, 2, 3),
        adjusters=frozenset(("ADJ-CAT",)),
        perils=frozenset(("hail",)),
    )
    people = (claims.adjuster("ADJ-001"), claims.adjuster("ADJ-CAT", load=20))
    story = claims.Story(roster=Roster(7, people, (storm,)), ties=Ties(same_event="ADJ-001")).submit(peril="hail")
    owner = story.now_claim.owner
    assert owner is not None and owner.adjuster_id == "ADJ-CAT"
    assigned = next(fact.body for fact in story.facts if isinstance(fact.body, ClaimAssigned))
    assert "of the group of STORM-1" in assigned.explanation
    assert [one.refused_by for one in assigned.candidates] == ["not_in_catastrophe_group", None]
    for other in ({"peril": "fire"}, {"peril": "hail", "loss_event": "PILE-UP-7"}):
        elsewhere = claims.Story(roster=Roster(7, people, (storm,))).submit(**other)
        assert elsewhere.now_claim.owner is not None and elsewhere.now_claim.owner.adjuster_id == "ADJ-001"
    named = claims.Story(roster=Roster(7, people, (storm,))).submit(peril="water", loss_event="STORM-1")
    assert named.now_claim.owner is not None and named.now_claim.owner.adjuster_id == "ADJ-CAT"


def test_a_catastrophe_whose_group_is_full_waits_in_the_overflow_queue() -> None:
    storm = Catastrophe("STORM-1", frozenset(("OH",)), date(2025, 1, 1), date(2025, 3, 1), frozenset(("ADJ-CAT",)))
    people = (claims.adjuster("ADJ-001"), claims.adjuster("ADJ-CAT", load=40))
    story = claims.Story(roster=Roster(7, people, (storm,))).submit()
    assert story.now_claim.owner is None and story.types[-1] == "assignment.deferred"
