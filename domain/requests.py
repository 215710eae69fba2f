"""The lab's raw requests (source-systems.md B2) as commands, or as precise refusals in the lab's own words.

A raw entry has no sequence: it is a wish, never a fact. Its amounts are read as text, digit by digit, so
that NaN, `12abc`, -1 and 1e400 never become a number. Other dialects are refused with a reason that a
person understands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, NamedTuple

import msgspec

from domain import commands as c
from domain.bodies.base import Actor
from domain.calendar import local_day
from domain.coverage import ClaimedItem
from domain.identity import is_claim_id
from domain.money import Money, MoneyError, parse_money
from domain.reasons import PROVISIONS, REASON_CODES

LINES = {"auto": "motor", "home": "property", "life": "life"}
"""Lab type -> line."""
ITEM_COVERAGES = {"motor": "vehicle", "property": "property", "life": "life"}
"""The coverage of the one item that a lab amount becomes, when the request names none."""
SOME_CUSTOMER = "customer"
"""Who the lab says uploaded a document when it does not say who: the claimant of the claim."""
PRIORITIES = ("low", "normal", "high", "urgent")
MAX_DESCRIPTION = 10_000
"""Characters; a longer text belongs into a document."""
MAX_NAME = 128
"""Characters of what names somebody or something, as in the submission format."""
NAMES = (
    "id policyId policyNumber customerId type currency submittedBy channel peril coverage assignedTo assignedBy "
    "documentId documentType documentName documentHash uploadedBy approvedBy rejectedBy"
).split()
FIRST_YEAR, LAST_YEAR = 1900, 2199
"""Years of moments and days that are taken: beyond them no calendar can count on, and no claim was ever made."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_CONTROL_OR_BREAK = re.compile(r"[\x00-\x1f\x7f]")

RoleOf = Callable[[str], str]
"""Who in the lab's requests (`approvedBy`, `rejectedBy`) has which role; the roster knows."""


class Raw(NamedTuple):
    """The six fields of a raw entry, as text; `data` is JSON."""

    event_type: str
    claim_id: str
    event_id: str
    timestamp: str
    data: str
    version: str = "1.0"


class Wish(NamedTuple):
    """A usable request: what is wanted and by whom; `at` is when the producer says that it happened."""

    command: c.Command
    actor: Actor
    at: datetime


class Rejected(NamedTuple):
    """A request that cannot be used: every reason, and the one line for the parking list."""

    reasons: tuple[str, ...]
    message: str


class Skipped(NamedTuple):
    """A request that asks for nothing of its own (the typed entry follows)."""

    reason: str


def read_request(
    raw: Raw,
    *,
    jurisdiction: str,
    currency: str = "USD",
    role_of: RoleOf = lambda name: "claims_manager",
    zone: tzinfo = UTC,
) -> Wish | Rejected | Skipped:
    """Read one raw entry. `jurisdiction` is where the policy lives, `zone` its time zone; the lab does not say."""
    problem = _envelope(raw)
    if problem is not None:
        return problem
    try:
        data = _DECODER.decode(raw.data)
    except (msgspec.DecodeError, UnicodeError) as error:
        return _parked(f"data is not a JSON object: {error}")
    except RecursionError:
        return _parked("data is nested too deeply")
    at = _moment(raw.timestamp)
    if at is None:
        return _parked(f"timestamp {_shown(raw.timestamp)} is not ISO 8601 with a time zone")
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        return _parked(f"timestamp {_shown(raw.timestamp)} is not between {FIRST_YEAR} and {LAST_YEAR}")
    request = _Request(raw, data, at, jurisdiction, currency, role_of, zone)
    unfit = [name for name in NAMES if len(value := request.text(name)) > MAX_NAME or _CONTROL_OR_BREAK.search(value)]
    if unfit:
        return _invalid(f"{unfit[0]} must be one line of at most {MAX_NAME} characters")
    return _READERS[raw.event_type](request)


class _Request(NamedTuple):
    raw: Raw
    data: Mapping[str, msgspec.Raw]
    at: datetime
    jurisdiction: str
    currency: str
    role_of: RoleOf
    zone: tzinfo

    def text(self, *names: str) -> str:
        """The first of these keys that holds a text; empty otherwise."""
        for name in names:
            value = _plain(self.data.get(name))
            if isinstance(value, str) and value.strip():
                return value.strip()
        return ""


_DECODER = msgspec.json.Decoder(dict[str, msgspec.Raw])


def _envelope(raw: Raw) -> Rejected | None:
    """What is wrong outside of the body."""
    if not raw.event_type:
        return _parked("eventType is missing: this is another dialect; convert it with `claimstream import`")
    if raw.event_type not in _READERS:
        known = ", ".join(_READERS)
        return _parked(f"event type {_shown(raw.event_type)} cannot be requested; known requests are {known}")
    if raw.version not in ("1.0", ""):
        return _parked(f"version {_shown(raw.version)} is not known; this reader knows 1.0")
    if not is_claim_id(raw.claim_id):
        return _parked(f"claimId {_shown(raw.claim_id)} is not CLM- and 8 or more of A-Z 0-9")
    return None


def _submission(request: _Request) -> Wish | Rejected:
    reasons: list[str] = []
    policy = request.text("policyId", "policyNumber") or _needed(reasons, "Policy ID is required")
    customer = request.text("customerId") or _needed(reasons, "Customer ID is required")
    amount = _amount(request, "amount", reasons, "Valid claim amount is required")
    description = _description(request, reasons)
    line = LINES.get(request.text("type")) or _needed(reasons, "Claim type must be auto, home, or life")
    priority = _priority(request, reasons)
    loss = _loss_date(request, reasons)
    given = request.text("id")
    if given and given != request.raw.claim_id:
        reasons.append(f"id {_shown(given)} is not the claimId of the entry")
    if reasons or amount is None:
        return Rejected(tuple(reasons), f"Validation failed: {', '.join(reasons)}")
    coverage = request.text("coverage") or ITEM_COVERAGES[line]
    command = c.SubmitClaim(
        claim_id=request.raw.claim_id,
        source=request.text("submittedBy") or "customer-portal",
        source_ref=request.raw.claim_id,
        channel=request.text("channel") or "web",
        reporter_role="claimant",
        policy_number=policy,
        line=line,
        peril=request.text("peril"),
        jurisdiction=request.jurisdiction,
        loss_date=loss,
        reported_at=request.at,
        claimant_id=customer,
        items=(ClaimedItem(coverage, coverage, amount),),
        priority=priority,
        description=description,
    )
    return Wish(command, Actor(id=customer, role="claimant"), request.at)


def _needed(reasons: list[str], sentence: str) -> str:
    reasons.append(sentence)
    return ""


def _description(request: _Request, reasons: list[str]) -> str:
    text = request.text("description")
    if not text:
        reasons.append("Claim description is required")
    elif len(text) > MAX_DESCRIPTION:
        reasons.append(f"Claim description must not be longer than {MAX_DESCRIPTION} characters")
    elif _CONTROL.search(text):
        reasons.append("Claim description must not hold control characters")
    return text


def _priority(request: _Request, reasons: list[str]) -> str:
    given = _plain(request.data.get("priority"))
    if given is None:
        return "normal"
    if given not in PRIORITIES:
        reasons.append("Priority must be low, normal, high, or urgent")
        return "normal"
    return str(given)


def _loss_date(request: _Request, reasons: list[str]) -> date:
    """`incidentDate`, or the day of the report; a day that cannot be or lies in the future is refused."""
    reported = local_day(request.at, request.zone)
    text = request.text("incidentDate", "lossDate")
    if not text:
        return reported
    try:
        day = _day(text, request.zone)
    except ValueError:
        reasons.append("Incident date must be a date such as 2025-01-15")
        return reported
    if day.year < FIRST_YEAR:
        reasons.append(f"Incident date must not be before {FIRST_YEAR}")
        return reported
    # The incident's day is local to the policy and the report's is UTC: at UTC+14 it is tomorrow already.
    if day > (request.at + timedelta(hours=14)).date():
        reasons.append("Incident date must not be after the report")
    return day


def _day(text: str, zone: tzinfo) -> date:
    """A day as it is written, or the day of an instant where the policy lives. `ValueError`: neither.

    Midnight UTC is how programs write a day that have no days, only instants.
    """
    moment = _moment(text) if len(text) > len("2025-01-15") else None
    if moment is None or moment.time() == time(0):
        return date.fromisoformat(text[:10])
    return local_day(moment, zone)


def _amount(request: _Request, name: str, reasons: list[str], sentence: str) -> Money | None:
    """A JSON number or a decimal text in major units, strictly; the currency is the request's or the given
    one.
    """
    raw = request.data.get(name)
    text = bytes(raw).decode() if raw is not None else ""
    if text.startswith('"'):
        text = str(_plain(raw))
    try:
        amount = parse_money(text, request.text("currency") or request.currency)
    except MoneyError as error:
        reasons.append(sentence if raw is None or "currency" not in str(error) else str(error))
        return None
    if amount.minor == 0:
        reasons.append(sentence)
        return None
    return amount


def _assignment(request: _Request) -> Wish | Rejected:
    adjuster = request.text("assignedTo")
    if not adjuster:
        return _invalid("Adjuster ID is required")
    by = request.text("assignedBy") or "system"
    role = "system" if by == "system" else "supervisor"
    return Wish(c.AssignClaim(adjuster_id=adjuster), Actor(id=by, role=role), request.at)


def _document(request: _Request) -> Wish | Rejected:
    document_id = request.text("documentId")
    kind = request.text("documentType")
    if not document_id or not kind:
        return _invalid(*(["Document ID is required"] if not document_id else []), *_if(not kind, "Document type"))
    name, digest = request.text("documentName"), request.text("documentHash")
    command = c.UploadDocument(document_id=document_id, kind=kind, name=name, hash=digest)
    by = request.text("uploadedBy") or SOME_CUSTOMER
    return Wish(command, Actor(id=by, role="claimant"), request.at)


def _if(missing: bool, what: str) -> list[str]:
    return [f"{what} is required"] if missing else []


def _approval(request: _Request) -> Wish | Rejected:
    reasons: list[str] = []
    amount = _amount(request, "approvedAmount", reasons, "Valid approved amount is required")
    by = request.text("approvedBy") or _needed(reasons, "Approver ID is required")
    if reasons:
        return _invalid(*reasons)
    command = c.ApproveClaim(amount=amount, escalate=True)
    return Wish(command, Actor(id=by, role=request.role_of(by)), request.at)


def _rejection(request: _Request) -> Wish | Rejected:
    reasons: list[str] = []
    given = request.text("rejectionReason") or _needed(reasons, "Rejection reason is required")
    by = request.text("rejectedBy") or _needed(reasons, "Rejecter ID is required")
    code = reason_code(given)
    if given and not code:
        reasons.append(f"Rejection reason must be one of {', '.join(REASON_CODES)}")
    if reasons:
        return _invalid(*reasons)
    command = c.RejectClaim(reason_codes=(code,), provisions=(PROVISIONS[code],), appeal_text_id="appeal.denial.1")
    return Wish(command, Actor(id=by, role=request.role_of(by)), request.at)


_REASON_WORDS = (
    ("MISREPRESENTATION", ("fraud", "misrepresent", "false statement")),
    ("DUPLICATE", ("duplicate",)),
    ("BELOW_DEDUCTIBLE", ("deductible",)),
    ("PERIL_EXCLUDED", ("exclu",)),
    ("LOSS_AFTER_EXPIRY", ("expired",)),
    ("POLICY_CANCELLED", ("cancel", "lapse")),
    ("LATE_NOTICE", ("late notice", "late report", "reported late")),
    ("COVERAGE_NOT_HELD", ("not covered", "no coverage", "coverage")),
    ("LIMIT_EXHAUSTED", ("limit",)),
    ("INSUFFICIENT_PROOF", ("insufficient", "document", "proof", "evidence")),
)


def reason_code(text: str) -> str:
    """The reason code that a free text of a lab request means; empty when it means none that we know."""
    word = re.sub(r"[^A-Z]+", "_", text.upper()).strip("_")
    if word in REASON_CODES:
        return word
    lowered = text.lower()
    for code, words in _REASON_WORDS:
        if any(known in lowered for known in words):
            return code
    return ""


def _status_change(request: _Request) -> Wish | Rejected | Skipped:
    status = request.text("newStatus")
    if status in ("approved", "rejected", "assigned", "submitted"):
        return Skipped(f"status {status}: the typed entry says so itself")
    return _parked(f"status {_shown(status)} cannot be set: a status follows from what happened to the claim")


_READERS: dict[str, Callable[[_Request], Wish | Rejected | Skipped]] = {
    "claim.submitted": _submission,
    "claim.assigned": _assignment,
    "claim.document.uploaded": _document,
    "claim.approved": _approval,
    "claim.rejected": _rejection,
    "claim.status.changed": _status_change,
}


def _invalid(*reasons: str) -> Rejected:
    return Rejected(reasons, f"Validation failed: {', '.join(reasons)}")


def _parked(reason: str) -> Rejected:
    return Rejected((reason,), reason)


def _plain(raw: msgspec.Raw | None) -> Any:
    """A text, None, or the bytes of anything else: numbers are never made here."""
    if raw is None or bytes(raw) == b"null":
        return None
    return msgspec.json.decode(raw, type=str) if bytes(raw).startswith(b'"') else bytes(raw)


def _moment(text: str) -> datetime | None:
    """ISO 8601 with a zone, in UTC."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _shown(text: str) -> str:
    shown = ascii(text)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
