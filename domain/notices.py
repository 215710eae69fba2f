"""Who is told what: the matrix of design/domain.md section 10 as data. Pure, from the event alone.

An intent names subjects, never addresses. Its identity is (event id, recipient, template), so a replay
tells nobody twice. `Template.fields` is the closed list of body keys that a message may carry; a test walks
every template for claimants and holds it against `RESTRICTED`. The claimant never hears of SLA clocks, SIU,
red flags, fraud scores, reserves or escalations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from domain.events import TYPE_OF

if TYPE_CHECKING:
    from collections.abc import Callable

    from domain.bodies.base import Body
    from domain.events import Fact

Audience = Literal[
    "claimant",
    "adjuster",
    "previous_adjuster",
    "supervisor",
    "manager",
    "broker",
    "provider",
    "siu",
    "legal",
    "compliance",
]
Lane = Literal["urgent", "normal"]

RESTRICTED: frozenset[str] = frozenset(
    (
        "score redFlags flagScore byRule finding notes scope investigatorId indemnity expense"
        " previousIndemnity previousExpense roleNeeded authority candidates explanation weight tier"
        " duplicateScore clock cycle percent proposerId proposerRole rosterVersion note rule ruleVersion"
        " approverId decidedBy"
    ).split()
)
"""Body keys (on the wire) that no message to a claimant may carry."""

CLAIMANT_SIDE: frozenset[Audience] = frozenset(("claimant", "broker", "provider"))


class Template(NamedTuple):
    """One message: its id, who gets it, the body keys that it may carry, and when it is sent at all."""

    id: str
    audience: Audience
    fields: tuple[str, ...] = ()
    when: Callable[[Any], bool] | None = None
    restricted: bool = False
    """Only for people with a need to know; never in a shared list."""


class Intent(msgspec.Struct, frozen=True, rename="camel"):
    """Tell one recipient one thing. `recipient_id` is a subject or adjuster id, or the audience's mailbox
    (`supervisor`).
    """

    recipient: Audience
    recipient_id: str
    template: str
    lane: Lane
    fields: dict[str, Any]
    restricted: bool = False


def _t(template: str, audience: Audience, fields: str = "", when: Callable[[Any], bool] | None = None) -> Template:
    return Template(template, audience, tuple(fields.split()), when)


def _r(template: str, audience: Audience, fields: str = "", when: Callable[[Any], bool] | None = None) -> Template:
    return Template(template, audience, tuple(fields.split()), when, restricted=True)


def _visible(body: Any) -> bool:
    return bool(body.visible)


def _from_broker(body: Any) -> bool:
    return bool(body.reporter_role == "broker")


def _owed_by(role: str) -> Callable[[Any], bool]:
    return lambda body: bool(body.owed_by == role)


def _nobody_took_it(body: Any) -> bool:
    """Nobody could take it within the house's time to assign (4 business hours): it waits in the overflow queue."""
    return bool(body.name == "assign")


def _health(body: Any) -> bool:
    return bool(body.type == "health")


MATRIX: dict[str, tuple[Template, ...]] = {
    "claim.submitted": (
        _t("claimant.received", "claimant", "policyNumber lossDate"),
        _t("broker.received", "broker", "policyNumber lossDate", _from_broker),
    ),
    "claim.acknowledged": (_t("claimant.acknowledged", "claimant", "channel"),),
    "claim.assigned": (
        _t("claimant.handler", "claimant", "adjusterId"),
        _t("adjuster.work_item", "adjuster", "tier weight explanation"),
    ),
    "claim.reassigned": (
        _t("claimant.handler", "claimant", "adjusterId"),
        _t("adjuster.work_item", "adjuster", "tier weight explanation reason"),
        _t("adjuster.taken_over", "previous_adjuster", "adjusterId reason"),
    ),
    "claim.assignment.deferred": (_t("supervisor.overflow", "supervisor", "tier weight explanation"),),
    "claim.duplicate.flagged": (_r("supervisor.possible_duplicate", "supervisor", "score candidates"),),
    "claim.document.uploaded": (_t("adjuster.document", "adjuster", "documentId kind complete"),),
    "claim.information.requested": (
        _t("claimant.items_needed", "claimant", "items dueBy", _owed_by("claimant")),
        _t("provider.items_needed", "provider", "items dueBy", _owed_by("provider")),
        _t("adjuster.waiting", "adjuster", "items owedBy dueBy"),
    ),
    "claim.information.reminded": (
        _t("claimant.reminder", "claimant", "items number", _owed_by("claimant")),
        _t("adjuster.reminded", "adjuster", "items number"),
    ),
    "claim.information.completed": (_t("adjuster.items_complete", "adjuster", ""),),
    "claim.investigated": (
        _t("claimant.file_review", "claimant", "phase", _visible),
        _r("supervisor.investigation", "supervisor", "phase scope finding"),
    ),
    "claim.status.notified": (_t("claimant.status_letter", "claimant", "letter reason extendsUntil"),),
    "claim.approval.requested": (_r("supervisor.approval_needed", "supervisor", "approvedNet proposerId roleNeeded"),),
    "claim.approval.returned": (_r("adjuster.returned", "adjuster", "approverId reason"),),
    "claim.approved": (
        _t(
            "claimant.approved",
            "claimant",
            "decision approvedNet deductible items reasonCodes payBy",
            lambda body: body.decision == "full",
        ),
        _t(
            "claimant.approved_partial",
            "claimant",
            "decision approvedNet deductible items reasonCodes payBy appealTextId",
            lambda body: body.decision == "partial",
        ),
        _t("adjuster.approved", "adjuster", "decision approvedNet"),
        _t("provider.approved", "provider", "approvedNet", _health),
    ),
    "claim.rejected": (
        _t("claimant.rejected", "claimant", "reasonCodes provisions appealTextId appealBy regulatorId"),
        _t("adjuster.rejected", "adjuster", "reasonCodes"),
    ),
    "claim.payment.initiated": (_t("claimant.payment_on_its_way", "claimant", "amount kind method dueBy"),),
    "claim.payment.completed": (_t("claimant.paid", "claimant", "amount kind clearedAt balance"),),
    "claim.payment.failed": (
        _t("claimant.confirm_in_portal", "claimant", "kind"),
        _t("adjuster.payment_failed", "adjuster", "paymentId reason attempt retryable"),
    ),
    "claim.payment.reversed": (_t("adjuster.payment_reversed", "adjuster", "paymentId amount reason"),),
    "claim.decision.rescinded": (
        _t("claimant.rescinded", "claimant", "reason"),
        _t("adjuster.rescinded", "adjuster", "reason rescindedBy"),
    ),
    "claim.withdrawn": (
        _t("claimant.withdrawn", "claimant", "outcome"),
        _t("adjuster.withdrawn", "adjuster", "reason"),
    ),
    "claim.duplicate.confirmed": (
        _t("claimant.duplicate", "claimant", "survivingClaimId"),
        _t("adjuster.duplicate", "adjuster", "survivingClaimId decidedBy"),
    ),
    "claim.closed": (
        _t("claimant.closed", "claimant", "outcome paidTotal"),
        _t("adjuster.closed", "adjuster", "outcome"),
    ),
    "claim.reopened": (
        _t("claimant.reopened", "claimant", "reasonCode"),
        _t("supervisor.reopened", "supervisor", "reasonCode count"),
    ),
    "claim.appeal.filed": (
        _t("claimant.appeal_received", "claimant", ""),
        _t("supervisor.appeal", "supervisor", "filedByRole fromState"),
    ),
    "claim.appeal.decided": (
        _t("claimant.appeal_decided", "claimant", "outcome reasonCodes provisions appealTextId"),
        _t("adjuster.appeal_decided", "adjuster", "outcome"),
    ),
    "claim.sla.warned": (
        _t("adjuster.deadline", "adjuster", "clock percent due"),
        _t("supervisor.deadline", "supervisor", "clock percent due", lambda body: body.percent >= 80),
    ),
    "claim.sla.breached": (
        _t("adjuster.breach", "adjuster", "clock due"),
        _t("manager.breach", "manager", "clock due"),
        _t("compliance.breach", "compliance", "clock due profile jurisdiction"),
        _t("supervisor.overflow_waiting", "supervisor", "clock due", _nobody_took_it),
    ),
    "claim.red_flags.raised": (_r("siu.red_flag", "siu", "redFlags flagScore"),),
    "claim.siu.referred": (
        _r("siu.referral", "siu", "reason score redFlags"),
        _r("legal.referral", "legal", ""),
    ),
    "claim.siu.concluded": (
        _r("supervisor.siu_concluded", "supervisor", "outcome"),
        _r("legal.siu", "legal", "outcome"),
    ),
}
"""Event type -> who is told what. An event that is not here is told to nobody, and `SILENT` says that this
is meant.
"""

SILENT: frozenset[str] = frozenset(TYPE_OF.values()) - frozenset(MATRIX)
"""Event types of which nobody is told."""


def intents(fact: Fact) -> tuple[Intent, ...]:
    """What to tell whom because of this fact; the same for ever, from the fact alone."""
    templates = MATRIX.get(fact.type)
    if templates is None:
        return ()
    body = fact.body
    lane: Lane = "urgent" if body.priority == "urgent" else "normal"
    found = []
    for template in templates:
        if template.when is not None and not template.when(body):
            continue
        recipient = _recipient(template.audience, body)
        if recipient:
            fields = _fields(template, body)
            found.append(Intent(template.audience, recipient, template.id, lane, fields, template.restricted))
    return tuple(found)


def _recipient(audience: Audience, body: Body) -> str:
    """The id of who is told; empty when there is nobody (no adjuster yet)."""
    if audience == "claimant":
        return body.claimant_id
    if audience == "adjuster":
        return body.assigned_to
    if audience == "previous_adjuster":
        previous = str(getattr(body, "previous_adjuster_id", ""))
        return previous if previous != body.assigned_to else ""
    return audience


def _fields(template: Template, body: Body) -> dict[str, Any]:
    """The allowed keys that the body holds, as they are on the wire."""
    if not template.fields:
        return {}
    names = _wire_names(type(body))
    return {key: value for key in template.fields if (value := getattr(body, names[key], None)) not in (None, "", ())}


_NAMES: dict[type[Body], dict[str, str]] = {
    kind: dict(zip(kind.__struct_encode_fields__, kind.__struct_fields__, strict=True)) for kind in TYPE_OF
}


def _wire_names(kind: type[Body]) -> dict[str, str]:
    return _NAMES[kind]
