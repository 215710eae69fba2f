"""What the processor leaves out because it cannot matter does not matter: shown over whole lives of claims."""

from __future__ import annotations

import random
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

from msgspec.structs import fields, replace

from domain import commands as c
from domain.bodies import deciding, ending, handling, intake
from domain.bodies.base import SYSTEM
from domain.claim import KEEPS_SEALED, evolve
from domain.delta import Delta
from domain.events import EVENTS, TYPE_OF, Fact
from domain.privacy import change_sealed, sealed_paths
from domain.process import advance, in_hand
from domain.sla import timers
from domain.statistics import SPECIAL, listed_anew
from tests.domain.test_properties import ACTS, POLICIES, told
from tests.support.claims import NOW, SENIOR, context

if TYPE_CHECKING:
    from collections.abc import Iterator

    from domain.bodies.base import Body
    from domain.claim_record import Claim

OUT_OF_REACH: tuple[Body, ...] = (
    intake.DuplicateCleared(decided_by="S", reason=""),
    deciding.OverrideRecorded(subject="payee", reason="", overridden_by="S"),
    handling.NoteAdded(kind="contact"),
    handling.MandateGiven(representative_id="L"),
    handling.MandateEnded(representative_id="L"),
    handling.DocumentWaived(checklist_item="police_report", reason="", waived_by="S"),
    handling.InformationRequested(items=("a",), owed_by="claimant", resume_state="ASSIGNED"),
    ending.LegalHoldPlaced(hold_id="H", reason=""),
    ending.LegalHoldReleased(hold_id="H", reason=""),
)
"""Facts of types that the lives below do not meet, or not with a text."""


@cache
def lives() -> tuple[tuple[Fact, ...], ...]:
    """The facts of some claims that go everywhere; the same ones in each run."""
    draw = random.Random(20261121)
    acts = (*ACTS, lambda s, n: s.try_(c.ReferToSIU(reason="x"), SENIOR))
    found = []
    for _ in range(120):
        steps = [(draw.choice(acts), draw.randrange(10_000)) for _ in range(60)]
        claimed = [draw.randrange(1, 1_500_000) for _ in range(draw.randrange(1, 4))]
        found.append(tuple(told(draw.choice(POLICIES), draw.choice(("OH", "TX")), claimed, steps).facts))
    return tuple(found)


def steps() -> Iterator[tuple[Claim | None, Fact, Claim]]:
    """Every fact of the lives with the claim before it and after it."""
    for facts in lives():
        claim: Claim | None = None
        for fact in facts:
            after = evolve(claim, fact)
            yield claim, fact, after
            claim = after


def told_all(fact: Fact) -> Fact:
    """The fact with a text in each field that has to be sealed."""
    names = {field.encode_name: field.name for field in fields(fact.body)}
    texts = {names[path]: f"text of {path}" for path in sealed_paths(fact.type)}
    return replace(fact, body=replace(fact.body, **texts))


def sealed(fact: Fact) -> Fact:
    return replace(fact, body=change_sealed(fact.type, fact.claim_id, fact.body, lambda *_: "enc:v1:x"))


def test_a_claim_is_the_same_after_a_sealed_fact_as_after_a_clear_one_but_for_the_types_it_keeps() -> None:
    met, differ = set(), set()
    assigned = next(after for _, fact, after in steps() if fact.type == "claim.assigned")
    others = [
        (assigned, Fact(TYPE_OF[type(body)], assigned.claim_id, NOW, assigned.version + 1, SYSTEM, body))
        for body in OUT_OF_REACH
    ]
    for before, fact in [*((before, fact) for before, fact, _ in steps()), *others]:
        clear = told_all(fact)
        met.add(fact.type)
        if evolve(before, clear) != evolve(before, sealed(clear)):
            differ.add(fact.type)
    assert differ == KEEPS_SEALED
    assert {name for name in EVENTS if sealed_paths(name)} - met == set()


def test_timers_of_clocks_that_nothing_happened_to_are_left_out_on_both_sides_and_nothing_else() -> None:
    changed = 0
    for before, _, after in steps():
        if before is None:
            continue
        old, new = set(timers(before)), set(timers(after))
        fewer_old, fewer_new = set(timers(before, but=after.clocks)), set(timers(after, but=before.clocks))
        assert fewer_old <= old and fewer_new <= new
        assert old - fewer_old == new - fewer_new
        assert {timer.id for timer in fewer_old} - {timer.id for timer in new} == (
            {timer.id for timer in old} - {timer.id for timer in new}
        )
        assert new - old == fewer_new - fewer_old
        changed += len(fewer_old) < len(old)
    assert changed


def test_what_follows_for_a_claim_in_hand_needs_neither_policy_nor_payee_nor_roster() -> None:
    looked, followed = 0, 0
    for _, _, after in steps():
        if not in_hand(after):
            continue
        for late in (timedelta(0), timedelta(days=40)):
            world = context(now=after.updated_at + late)
            full = advance(after, world)
            assert advance(after, replace(world, policy=None, payee=None, roster=None)) == full
            looked += 1
            followed += bool(full.facts)
    assert looked and followed


def test_what_is_not_taken_off_a_list_first_does_not_stand_on_it() -> None:
    met: set[type] = set()
    for facts in lives():
        listed: set[tuple[str, ...]] = set()
        for fact in facts:
            special = SPECIAL.get(type(fact.body))
            if special is None:
                continue
            found = Delta()
            special(found, fact, fact.body, "")
            for (view, _), is_in in found.members.items():
                if is_in and listed_anew(fact.body):
                    met.add(type(fact.body))
                    assert view not in listed, [one.type for one in facts]
                (listed.add if is_in else listed.discard)(view)
    assert met >= {handling.ClaimAssigned, ending.ClaimClosed, ending.ClaimWithdrawn}
