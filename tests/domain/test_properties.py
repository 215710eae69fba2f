"""Whatever people, bank and clocks do, in any order: money stays within the approval; replay agrees."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain import commands as c
from domain.bodies import deciding, ending, handling, paying
from domain.claim import decode_claim, encode_claim, fold
from domain.context import History
from domain.coverage import ClaimedItem
from domain.decisions.timers import parse_timer
from domain.duplicates import LossTrace
from domain.events import Fact, decode_body, encode_body
from domain.money import Money
from domain.outcome import Refused
from domain.sla import timers
from domain.transitions import EVENT_TYPES, State
from tests.support.claims import (
    ADJUSTER,
    ADJUSTER_II,
    BANK,
    CLAIMANT,
    LOSS,
    MANAGER,
    PAYEE,
    RECOVERY,
    REVIEWER,
    SENIOR,
    SIU,
    SUPERVISOR,
    Story,
    policy,
    roster,
    usd,
)

if TYPE_CHECKING:
    from domain.bodies.base import Actor
    from domain.policy import Policy

PEOPLE = (ADJUSTER, ADJUSTER_II, SENIOR, MANAGER)
POLICIES = (
    policy(),
    policy(limit=usd(9_000), deductible=usd(500)),
    policy(deductible=usd(0)),
    policy(effective=date(2025, 1, 20)),
)


def money(n: int) -> Money:
    """Some amount around what matters, to the cent."""
    return Money((n * 7_919) % 2_600_000, "USD")


def person(n: int) -> Actor:
    return PEOPLE[n % len(PEOPLE)]


def bank(story: Story, n: int, kind: str) -> None:
    payments = story.now_claim.payments
    payment_id = payments[n % len(payments)].id if payments else "PAY-none"
    amount = Money(payments[n % len(payments)].amount if payments else 1, story.now_claim.currency)
    if kind == "confirm":
        story.try_(c.ConfirmPayment(payment_id=payment_id, amount=amount, provider_ref="B"), BANK)
    elif kind == "fail":
        story.try_(c.FailPayment(payment_id=payment_id, reason="offline", retryable=n % 2 == 0), BANK)
    else:
        part = money(n) if n % 3 == 0 else None
        message = c.ReversePayment(payment_id=payment_id, reason="back", amount=part, provider_ref="R")
        story.try_(message, BANK)


def fire(story: Story, n: int) -> None:
    due = timers(story.now_claim)
    if due:
        timer = due[n % len(due)]
        story.set(now=max(story.world.now, timer.due))
        clock, cycle, mark = parse_timer(timer.id)
        story.try_(c.FireTimer(clock=clock, cycle=cycle, mark=mark))


def deny(story: Story, n: int) -> None:
    wish = c.RejectClaim(reason_codes=("INSUFFICIENT_PROOF",), provisions=("x",), appeal_text_id="a")
    story.try_(wish, person(n))


def assess(story: Story, n: int) -> None:
    item = c.ItemAssessment(item_id="a", disallowed=n % 900, depreciation=n % 500, reason_codes=("LIMIT_EXHAUSTED",))
    story.try_(c.ApproveClaim(items=(item,), escalate=n % 2 == 0), person(n))


NONE = History()
ALIKE = History(similar=(LossTrace("CLM-OTHER001", "POL-1", LOSS, "single_vehicle_collision", usd(9)),))

Act = Callable[[Story, int], object]
ACTS: tuple[Act, ...] = (
    lambda s, n: s.follow(),
    lambda s, n: s.follow(),
    lambda s, n: s.wait(hours=n % 2_000),
    lambda s, n: s.try_(c.ApproveClaim(), person(n)),
    lambda s, n: s.try_(c.ApproveClaim(amount=money(n), escalate=n % 2 == 0), person(n)),
    assess,
    deny,
    lambda s, n: s.try_(c.ProposeDecision(amount=money(n) if n % 2 else None), person(n)),
    lambda s, n: s.try_(c.ReturnProposal(reason="no"), person(n)),
    lambda s, n: bank(s, n, "confirm"),
    lambda s, n: bank(s, n, "confirm"),
    lambda s, n: bank(s, n, "fail"),
    lambda s, n: bank(s, n, "reverse"),
    lambda s, n: s.try_(c.InitiatePayment(amount=money(n) if n % 2 else None), BANK),
    lambda s, n: s.try_(c.InitiatePayment(kind="expense", amount=money(n)), BANK),
    lambda s, n: s.try_(c.RetryPayment(), BANK),
    lambda s, n: s.try_(c.SetReserve(indemnity=money(n), reason="x"), person(n)),
    lambda s, n: s.try_(c.SetReserve(expense=money(n), reason="x"), person(n)),
    lambda s, n: s.try_(c.RequestInformation(items=(f"doc{n % 3}",)), person(n)),
    lambda s, n: s.try_(c.UploadDocument(document_id=f"D{n}", kind=f"doc{n % 3}"), CLAIMANT),
    lambda s, n: s.try_(c.StartInvestigation(scope="x"), person(n)),
    lambda s, n: s.try_(c.CompleteInvestigation(finding="x"), person(n)),
    lambda s, n: s.try_(c.ReferToSIU(reason="x"), SENIOR),
    lambda s, n: s.try_(c.CloseSIU(outcome="cleared" if n % 2 else "confirmed"), SIU),
    lambda s, n: s.try_(c.FileAppeal(), CLAIMANT),
    lambda s, n: s.try_(c.DecideAppeal(outcome="overturned"), REVIEWER),
    lambda s, n: s.try_(
        c.DecideAppeal(outcome="upheld", reason_codes=("X",), provisions=("x",), appeal_text_id="a"), REVIEWER
    ),
    lambda s, n: s.try_(c.ReopenClaim(reason_code="NEW", reason="x"), SUPERVISOR),
    lambda s, n: s.try_(c.RescindDecision(reason="x"), MANAGER),
    lambda s, n: s.try_(c.WithdrawClaim(reason="x", outcome="withdrawn" if n % 2 else "paid_partial"), CLAIMANT),
    lambda s, n: s.try_(c.MarkDuplicate(surviving_claim_id="CLM-OTHER001", reason="x"), SENIOR),
    lambda s, n: s.try_(c.CloseClaim(), person(n)),
    lambda s, n: s.try_(c.ReassignClaim(reason="x"), SUPERVISOR),
    lambda s, n: s.try_(c.RecordRecovery(kind="salvage", stage="received", amount=money(n)), RECOVERY),
    lambda s, n: s.try_(c.SendStatusLetter(letter="l", reason="r"), SENIOR),
    fire,
    fire,
    lambda s, n: s.set(payee=PAYEE if n % 3 else None),
)

STEPS = st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 10_000)), min_size=12, max_size=70)
ITEMS = st.lists(st.integers(1, 1_500_000), min_size=1, max_size=3)


def told(
    policy: Policy,
    jurisdiction: str,
    claimed: list[int],
    steps: list[tuple[Act, int]],
    history: History = NONE,
) -> Story:
    """Play it; every step is checked."""
    story = Story(policy=policy, roster=roster(), history=history)
    items = tuple(
        ClaimedItem(name, "vehicle", Money(minor, "USD")) for name, minor in zip("abc", claimed, strict=False)
    )
    story.submit(items=items, jurisdiction=jurisdiction, vehicles=2)
    for act, number in steps:
        act(story, number)
        check_money(story)
        check_rest(story)
    return story


def check_money(story: Story) -> None:
    """paid <= approved <= limit; nothing below zero; incurred = paid + outstanding, from the facts."""
    claim = story.now_claim
    assert 0 <= claim.paid <= claim.approved
    assert 0 <= claim.paid_interest <= claim.interest
    assert claim.balance >= 0 and claim.reserve.indemnity >= 0 and claim.reserve.expense >= 0
    if claim.approved:
        assert claim.decision.limit is not None and claim.approved <= claim.decision.limit
    paid, outstanding = counted(story.facts)
    assert claim.paid_all == paid
    assert claim.reserve.total == outstanding
    assert claim.incurred == paid + outstanding


def counted(facts: list[Fact]) -> tuple[int, int]:
    """Paid in all and outstanding reserve, from the facts without the fold."""
    paid = outstanding = 0
    for fact in facts:
        body = fact.body
        if isinstance(body, handling.ReserveChanged):
            outstanding = body.indemnity.minor + body.expense.minor
        elif isinstance(body, paying.PaymentCompleted):
            paid += body.amount.minor
            outstanding -= body.amount.minor if body.kind != "interest" else 0
            assert body.paid_total.minor == paid
        elif isinstance(body, paying.PaymentReversed):
            paid -= body.amount.minor
            outstanding += body.amount.minor if body.kind != "interest" else 0
    return paid, outstanding


def check_rest(story: Story) -> None:
    claim = story.now_claim
    if claim.state is State.CLOSED:
        assert claim.reserve.total == 0 and claim.pending is None and timers(claim) == ()
        assert claim.closed_outcome
        assert claim.paid_out == 0 or claim.closed_outcome in ("paid", "paid_partial")
    assert (claim.pending is not None) == (claim.state is State.PAYMENT_PENDING)
    assert sum(payment.status == "pending" for payment in claim.payments) <= 1


def test_random_lives_hold_too_and_reach_every_state_and_every_event_of_the_table() -> None:
    """The properties below mean something: the same acts, seeded, go everywhere."""
    draw = random.Random(20250210)
    states: set[State] = set()
    events: set[str] = set()
    for number in range(500):
        steps = [(draw.choice(ACTS), draw.randrange(10_000)) for _ in range(60)]
        claimed = [draw.randrange(1, 1_500_000) for _ in range(draw.randrange(1, 4))]
        history = ALIKE if number % 20 == 0 else NONE
        story = told(draw.choice(POLICIES), draw.choice(("OH", "TX")), claimed, steps, history)
        states |= {story.state()}
        events |= {fact.type for fact in story.facts}
    assert states >= set(State) - {State.SUBMITTED}
    assert events >= set(EVENT_TYPES)


@given(st.sampled_from(POLICIES), st.sampled_from(["OH", "TX"]), ITEMS, STEPS)
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_money_holds_in_any_order_of_commands_and_replay_gives_the_same_state_and_money(
    policy: Policy, jurisdiction: str, claimed: list[int], steps: list[tuple[Act, int]]
) -> None:
    story = told(policy, jurisdiction, claimed, steps)
    from_wire = [
        Fact(f.type, f.claim_id, f.at, f.sequence, f.actor, decode_body(f.type, encode_body(f.body)))
        for f in story.facts
    ]
    assert fold(from_wire) == story.claim
    assert [fact.sequence for fact in story.facts] == list(range(1, len(story.facts) + 1))
    halfway = fold(from_wire[: len(from_wire) // 2])
    if halfway is not None:
        resumed = decode_claim(encode_claim(halfway))
        assert fold(from_wire[halfway.version :], resumed) == story.claim


@given(st.sampled_from(POLICIES), ITEMS, STEPS)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_items_add_up_and_nothing_is_paid_without_an_approval_that_stands(
    policy: Policy, claimed: list[int], steps: list[tuple[Act, int]]
) -> None:
    approved: int | None = None
    paid = 0
    for fact in told(policy, "TX", claimed, steps).facts:
        body = fact.body
        if isinstance(body, deciding.ClaimApproved):
            assert sum(line.net.minor for line in body.items) == body.approved_net.minor
            for line in body.items:
                parts = line.deductible.minor + line.over_limit.minor + line.net.minor
                assert parts == line.covered.minor >= line.net.minor >= 0
                assert line.covered.minor + line.disallowed.minor + line.depreciation.minor == line.claimed.minor
            approved = body.approved_net.minor
        elif isinstance(body, deciding.ClaimRejected | deciding.DecisionRescinded):
            approved = paid or None
        elif isinstance(body, paying.PaymentInitiated) and body.kind == "indemnity":
            assert approved is not None and paid + body.amount.minor <= approved
        elif isinstance(body, paying.PaymentCompleted | paying.PaymentReversed) and body.kind == "indemnity":
            paid += body.amount.minor if isinstance(body, paying.PaymentCompleted) else -body.amount.minor


@given(st.sampled_from(POLICIES), ITEMS, STEPS)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_clock_breaches_at_most_once_per_cycle_and_every_timer_id_is_new(
    policy: Policy, claimed: list[int], steps: list[tuple[Act, int]]
) -> None:
    facts = told(policy, "OH", claimed, steps).facts
    breaches = [(f.body.clock, f.body.cycle) for f in facts if isinstance(f.body, ending.SlaBreached)]
    assert len(breaches) == len(set(breaches))
    starts = [(ch.clock, ch.cycle) for f in facts for ch in f.body.clocks if ch.op == "start"]
    assert len(starts) == len(set(starts))


@given(ITEMS, STEPS, st.sampled_from(ACTS), st.integers(0, 10_000))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_refused_command_changes_nothing(
    claimed: list[int], steps: list[tuple[Act, int]], act: Act, number: int
) -> None:
    story = told(POLICIES[0], "OH", claimed, steps)
    before, facts = story.claim, len(story.facts)
    answers = len(story.answers)
    act(story, number)
    for answer in story.answers[answers:]:
        if isinstance(answer, Refused):
            assert story.claim == before and len(story.facts) == facts
            assert answer.message and answer.command
            assert answer.state == story.now_claim.state
