"""The guards G01 to G20 by name, and the order in which a row's guards are asked.

A guard answers None, or the sentence that refuses. Guards on the claim itself are exact, because append
checks the version that they saw; guards on other things (roster, policy, other claims) use a snapshot,
whose version is in the fact. G01 is judged where a submission meets an existing claim (`decisions.intake`),
for there is no such row otherwise.
"""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING, NamedTuple

from domain import guards_cover, guards_money, guards_people
from domain.bodies.intake import ClaimSubmitted
from domain.calendar import local_day
from domain.money import MoneyError, exponent

if TYPE_CHECKING:
    from collections.abc import Callable

    from domain.situation import Situation


CLOCK_SKEW = timedelta(minutes=2)
"""How far a reporter's clock may be ahead of ours before "in the future" is a mistake and not a clock (D)."""


class Refusal(NamedTuple):
    """Which guard refused, and its sentence."""

    guard: str
    sentence: str


def g02(situation: Situation) -> str | None:
    """Well-formed: loss <= reported <= now, amounts above zero that add up, one currency, at least one
    item.
    """
    notice, context = situation.body, situation.context
    if not isinstance(notice, ClaimSubmitted):
        return None
    if notice.reported_at > context.now + CLOCK_SKEW:
        return f"reported at {notice.reported_at.isoformat()} lies in the future"
    # A day that comes from outside may be one of UTC: in the evening of a western zone that is tomorrow already.
    if notice.loss_date > max(local_day(notice.reported_at, context.zone), local_day(notice.reported_at, UTC)):
        return f"loss date {notice.loss_date} is after the report"
    return _amounts(notice) or _names(notice)


def _amounts(notice: ClaimSubmitted) -> str | None:
    if not notice.items:
        return "a claim needs at least one item"
    try:
        exponent(notice.claimed.currency)
    except MoneyError as error:
        return str(error)
    total = 0
    for item in notice.items:
        if item.claimed.currency != notice.claimed.currency:
            return f"item {item.item_id} is in {item.claimed.currency}, the claim in {notice.claimed.currency}"
        if item.claimed.minor < 0:
            return f"item {item.item_id} claims less than nothing: {item.claimed}"
        total += item.claimed.minor
    if len({item.item_id for item in notice.items}) != len(notice.items):
        return "two items have the same id"
    if notice.claimed.minor <= 0:
        return f"the claimed amount must be above zero, not {notice.claimed}"
    return None if total == notice.claimed.minor else f"the items do not add up to {notice.claimed}"


def _names(notice: ClaimSubmitted) -> str | None:
    for name in ("source", "source_ref", "policy_number", "claimant_id", "line"):
        if not getattr(notice, name):
            return f"{name.replace('_', ' ')} is missing"
    return None if notice.injured_count >= 0 else "the number of injured people is below zero"


GUARDS: dict[str, Callable[[Situation], str | None]] = {
    "G02": g02,
    "G03": guards_cover.g03,
    "G04": guards_cover.g04,
    "G05": guards_cover.g05,
    "G06": guards_cover.g06,
    "G07": guards_cover.g07,
    "G08": guards_people.g08,
    "G09": guards_people.g09,
    "G10": guards_money.g10,
    "G11": guards_people.g11,
    "G12": guards_money.g12,
    "G13": guards_people.g13,
    "G14": guards_people.g14,
    "G15": guards_money.g15,
    "G16": guards_money.g16,
    "G17": guards_people.g17,
    "G18": guards_people.g18,
    "G19": guards_people.g19,
    "G20": guards_money.g20,
}
"""Name -> guard, without G01."""


def first_refusal(names: tuple[str, ...], situation: Situation) -> Refusal | None:
    """Ask the guards in the order of the row; the first that refuses."""
    for name in names:
        guard = GUARDS.get(name)
        sentence = guard(situation) if guard is not None else None
        if sentence is not None:
            return Refusal(name, sentence)
    return None
