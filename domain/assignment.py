"""Who handles a claim: a pure function of a roster snapshot and the claim, with the reason kept.

Filter first (guard G07), then stickiness, then rank. Nothing passes the filter by being sticky, and nobody
is chosen by name order unless load and waiting time tie. All numbers are defaults of design/domain.md
section 8. `tier` and `weight` are in `domain.triage`.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from domain.triage import RANK, Tier

if TYPE_CHECKING:
    from domain.roster import Adjuster, Roster

Rule = Literal["least_loaded", "same_event", "household", "previous_adjuster", "manual"]

STICKY_ORDER: Final[tuple[Rule, ...]] = ("same_event", "household", "previous_adjuster")
"""Which existing tie to an adjuster is honoured first."""
PREVIOUS_ADJUSTER_DAYS: Final = 90
"""A claim reopened within these days after closing goes back to its adjuster."""


class Preference(msgspec.Struct, frozen=True, rename="camel"):
    """An existing tie between the claim and an adjuster."""

    rule: Rule
    adjuster_id: str


class Subject(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The claim as assignment sees it. `barred`: adjusters who may not have it (on appeal the decider);
    `parties`: subject ids for conflicts of interest; `day`: today in the office.
    """

    line: str
    jurisdiction: str
    tier: Tier
    weight: int
    day: date
    parties: frozenset[str] = frozenset()
    restricted: bool = False
    barred: frozenset[str] = frozenset()
    catastrophe: str = ""
    group: frozenset[str] = frozenset()
    """Who alone takes claims of the catastrophe, when the loss belongs to one."""
    preferences: tuple[Preference, ...] = ()


class Candidate(msgspec.Struct, frozen=True, rename="camel"):
    """One adjuster who was looked at; `refused_by` is the first rule of the filter that refused, or None."""

    adjuster_id: str
    load: int
    capacity: int
    refused_by: str | None = None


class Assignment(msgspec.Struct, frozen=True, rename="camel"):
    """The body of `claim.assigned` as far as assignment knows it."""

    adjuster_id: str
    tier: Tier
    weight: int
    rule: Rule
    roster_version: int
    candidates: tuple[Candidate, ...]
    explanation: str


class Deferred(msgspec.Struct, frozen=True, rename="camel"):
    """Nobody is eligible: the claim waits in the overflow queue."""

    tier: Tier
    weight: int
    roster_version: int
    candidates: tuple[Candidate, ...]
    explanation: str


def refusal(adjuster: Adjuster, subject: Subject) -> str | None:
    """The first rule of guard G07 (and of the restricted groups) that keeps them from the claim."""
    if not adjuster.active:
        return "inactive"
    if adjuster.absences and any(gone.first <= subject.day <= gone.last for gone in adjuster.absences):
        return "on_leave"
    if subject.jurisdiction not in adjuster.jurisdictions or subject.line not in adjuster.lines:
        return "not_licensed"
    if adjuster.licensed_until is not None and adjuster.licensed_until < subject.day:
        return "licence_expired"
    if RANK[adjuster.skill] < RANK[subject.tier]:
        return "skill_below_tier"
    if adjuster.load >= adjuster.capacity:
        return "at_capacity"
    if adjuster.adjuster_id in subject.barred:
        return "decided_before"
    if adjuster.conflicts and adjuster.conflicts & subject.parties:
        return "conflict_of_interest"
    if subject.restricted and not adjuster.restricted:
        return "not_in_restricted_group"
    if subject.catastrophe and adjuster.adjuster_id not in subject.group:
        return "not_in_catastrophe_group"
    return None


def assign(roster: Roster, subject: Subject) -> Assignment | Deferred:
    """Chooses among the eligible; the same roster and claim always give the same answer."""
    candidates, eligible = _candidates(roster, subject)
    if not eligible:
        return _deferred(roster, subject, candidates)
    sticky = _sticky(subject, eligible)
    if sticky is not None:
        why = f"{sticky.adjuster_id}: {_STICKY_WORDS[sticky.rule]}, and eligible"
        return _assignment(roster, subject, candidates, sticky.adjuster_id, sticky.rule, why)
    chosen = eligible[0]
    for other in eligible[1:]:
        if _ranks_before(other, chosen):
            chosen = other
    return _assignment(roster, subject, candidates, chosen.adjuster_id, "least_loaded", _ranked_words(chosen, eligible))


def assign_manually(roster: Roster, subject: Subject, adjuster_id: str) -> Assignment | Deferred:
    """A supervisor's choice, which still must pass the filter."""
    candidates, eligible = _candidates(roster, subject)
    if any(adjuster.adjuster_id == adjuster_id for adjuster in eligible):
        why = f"{adjuster_id}: chosen by a supervisor, and eligible"
        return _assignment(roster, subject, candidates, adjuster_id, "manual", why)
    return _deferred(roster, subject, candidates)


def preferences(
    *,
    same_event: str | None = None,
    household: str | None = None,
    previous: str | None = None,
    days_since_closing: int = 0,
) -> tuple[Preference, ...]:
    """The ties that a claim has, in the order in which they are honoured; None where there is none."""
    recent = previous if days_since_closing <= PREVIOUS_ADJUSTER_DAYS else None
    ties = zip(STICKY_ORDER, (same_event, household, recent), strict=True)
    return tuple(Preference(rule, adjuster) for rule, adjuster in ties if adjuster)


def _candidates(roster: Roster, subject: Subject) -> tuple[tuple[Candidate, ...], list[Adjuster]]:
    candidates, eligible = [], []
    for adjuster in roster.adjusters:
        refused_by = refusal(adjuster, subject)
        candidates.append(Candidate(adjuster.adjuster_id, adjuster.load, adjuster.capacity, refused_by))
        if refused_by is None:
            eligible.append(adjuster)
    return tuple(candidates), eligible


def _sticky(subject: Subject, eligible: list[Adjuster]) -> Preference | None:
    if not subject.preferences:
        return None
    ids = {adjuster.adjuster_id for adjuster in eligible}
    held = [preference for preference in subject.preferences if preference.adjuster_id in ids]
    for rule in STICKY_ORDER:
        for preference in held:
            if preference.rule == rule:
                return preference
    return None


def _ranks_before(one: Adjuster, other: Adjuster) -> bool:
    """Less load per capacity (cross-multiplied, so exact), then the longer wait, then the id."""
    left, right = one.load * other.capacity, other.load * one.capacity
    if left != right:
        return left < right
    if one.last_assigned != other.last_assigned:
        if one.last_assigned is None or other.last_assigned is None:
            return one.last_assigned is None
        return one.last_assigned < other.last_assigned
    return one.adjuster_id < other.adjuster_id


_STICKY_WORDS: Final = {
    "same_event": "already handles a claim of the same loss event",
    "household": "already handles an open claim of the household",
    "previous_adjuster": "handled the claim before it was reopened",
}


def _ranked_words(chosen: Adjuster, eligible: list[Adjuster]) -> str:
    tied = [a for a in eligible if a.load * chosen.capacity == chosen.load * a.capacity and a is not chosen]
    load = f"{chosen.load}/{chosen.capacity}"
    words = f"{chosen.adjuster_id}: load {load} is the least of {len(eligible)} eligible"
    if not tied:
        return words
    ids = ", ".join(adjuster.adjuster_id for adjuster in tied)
    same_wait = any(adjuster.last_assigned == chosen.last_assigned for adjuster in tied)
    return f"{words}; tie with {ids} broken by the {'adjuster id' if same_wait else 'longer wait'}"


def _assignment(
    roster: Roster,
    subject: Subject,
    candidates: tuple[Candidate, ...],
    adjuster_id: str,
    rule: Rule,
    why: str,
) -> Assignment:
    if subject.catastrophe:
        why = f"{why}; of the group of {subject.catastrophe}"
    return Assignment(adjuster_id, subject.tier, subject.weight, rule, roster.version, candidates, why)


def _deferred(roster: Roster, subject: Subject, candidates: tuple[Candidate, ...]) -> Deferred:
    refusals: dict[str, int] = {}
    for candidate in candidates:
        if candidate.refused_by is not None:
            refusals[candidate.refused_by] = refusals.get(candidate.refused_by, 0) + 1
    counted = ", ".join(f"{reason} {count}" for reason, count in sorted(refusals.items()))
    of = f" of {subject.catastrophe}" if subject.catastrophe else ""
    why = f"nobody can take a {subject.tier} claim{of}: {counted or 'the roster is empty'}"
    return Deferred(subject.tier, subject.weight, roster.version, candidates, why)
