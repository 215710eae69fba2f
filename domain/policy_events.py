"""The life of a policy as events: what happened to it, and how the state follows from that.

The stream of these events is not a claim's: each aggregate has its own (`policies:events`). Folding is total
for every history that starts with `policy.issued`; an event that cannot follow is the writer's fault and is
raised as `PolicyHistoryError`, never skipped.
"""

from __future__ import annotations

from datetime import date
from typing import Final

import msgspec
from msgspec.structs import replace

from domain.policy import Interrupted, Interruption, Policy, PolicyVersion


class PolicyHistoryError(ValueError):
    """The event cannot follow the policy's history."""


class PolicyIssued(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """`policy.issued`: the policy exists, with its first version."""

    number: str
    line: str
    jurisdiction: str
    currency: str
    customer_id: str
    insureds: tuple[str, ...]
    terms: PolicyVersion
    asset: str = ""
    quarantine: str | None = None


class PolicyEndorsed(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """`policy.endorsed`: new terms from `terms.effective` on; the version number is the next one."""

    terms: PolicyVersion
    reason: str = ""


class PolicyLapsed(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """`policy.lapsed`: no cover from the day on, as the premium was not paid; `grace`: still within grace."""

    effective: date
    grace: bool = False
    reason: str = ""


class PolicyCancelled(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """`policy.cancelled`: no cover from the day on."""

    effective: date
    reason: str = ""


class PolicyReinstated(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """`policy.reinstated`: cover again from the day on; ends every open interruption."""

    effective: date
    reason: str = ""


class PolicyQuarantined(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """`policy.quarantined`: the record cannot be trusted until somebody mended it; why, in a sentence."""

    reason: str


class PolicyReleased(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """`policy.released`: the record was checked and is trusted again."""

    reason: str


PolicyEvent = (
    PolicyIssued
    | PolicyEndorsed
    | PolicyLapsed
    | PolicyCancelled
    | PolicyReinstated
    | PolicyQuarantined
    | PolicyReleased
)

POLICY_EVENTS: Final[dict[str, type[PolicyEvent]]] = {
    "policy.issued": PolicyIssued,
    "policy.endorsed": PolicyEndorsed,
    "policy.lapsed": PolicyLapsed,
    "policy.cancelled": PolicyCancelled,
    "policy.reinstated": PolicyReinstated,
    "policy.quarantined": PolicyQuarantined,
    "policy.released": PolicyReleased,
}
"""Event type on the wire -> body."""


def evolve_policy(policy: Policy | None, event: PolicyEvent) -> Policy:
    """The policy after the event."""
    if isinstance(event, PolicyIssued):
        if policy is not None:
            raise PolicyHistoryError(f"policy {policy.number} was issued before")
        return _issued(event)
    if policy is None:
        raise PolicyHistoryError(f"{type(event).__name__} before the policy was issued")
    changed = _changed(policy, event)
    return replace(changed, revision=policy.revision + 1)


def _issued(event: PolicyIssued) -> Policy:
    return Policy(
        number=event.number,
        line=event.line,
        jurisdiction=event.jurisdiction,
        currency=event.currency,
        customer_id=event.customer_id,
        insureds=event.insureds,
        versions=(event.terms,),
        asset=event.asset,
        quarantine=event.quarantine,
    )


def _changed(policy: Policy, event: PolicyEvent) -> Policy:
    match event:
        case PolicyEndorsed():
            return _endorsed(policy, event)
        case PolicyLapsed():
            return _interrupted(policy, "grace" if event.grace else "lapsed", event.effective, event.reason)
        case PolicyCancelled():
            return _interrupted(policy, "cancelled", event.effective, event.reason)
        case PolicyReinstated():
            ended = tuple(_ended(interruption, event.effective) for interruption in policy.interruptions)
            return replace(policy, interruptions=ended)
        case PolicyQuarantined():
            return replace(policy, quarantine=event.reason)
        case PolicyReleased():
            return replace(policy, quarantine=None)
        case _:
            raise PolicyHistoryError(f"{type(event).__name__} is no event of a policy")


def _endorsed(policy: Policy, event: PolicyEndorsed) -> Policy:
    expected = max(version.version for version in policy.versions) + 1
    if event.terms.version != expected:
        raise PolicyHistoryError(f"version {event.terms.version} of {policy.number} should be {expected}")
    return replace(policy, versions=(*policy.versions, event.terms))


def _interrupted(policy: Policy, kind: Interrupted, start: date, reason: str) -> Policy:
    interruption = Interruption(kind=kind, start=start, reason=reason)
    return replace(policy, interruptions=(*policy.interruptions, interruption))


def _ended(interruption: Interruption, day: date) -> Interruption:
    if interruption.end is not None:
        return interruption
    return replace(interruption, end=max(day, interruption.start))
