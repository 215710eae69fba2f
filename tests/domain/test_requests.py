"""The lab's raw requests: adopted when valid, refused in the lab's own words when not."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from domain import commands as c
from domain.coverage import ClaimedItem
from domain.money import Money
from domain.requests import Raw, Rejected, Skipped, Wish, read_request, reason_code

J7: dict[str, Any] = {
    "policyId": "POL-001",
    "customerId": "CUST-001",
    "amount": 2500,
    "description": "Rear-end collision",
    "type": "auto",
}


def raw(event: str = "claim.submitted", data: dict[str, Any] | str | None = None, **fields: str) -> Raw:
    body = data if isinstance(data, str) else json.dumps(J7 if data is None else data)
    known = {
        "event_type": event,
        "claim_id": "CLM-1A2B3C4D",
        "event_id": "e1",
        "timestamp": "2025-01-20T10:00:00.123Z",
        "data": body,
    }
    return Raw(**(known | fields))


def read(request: Raw) -> Wish | Rejected | Skipped:
    return read_request(request, jurisdiction="OH")


def test_a_lab_submission_becomes_a_notice_with_one_item_in_minor_units() -> None:
    wish = read(raw(data=J7 | {"amount": 2500.5, "priority": "urgent", "incidentDate": "2025-01-15"}))
    assert isinstance(wish, Wish) and isinstance(wish.command, c.SubmitClaim)
    command = wish.command
    assert (command.line, command.priority, command.loss_date) == ("motor", "urgent", date(2025, 1, 15))
    assert command.items == (ClaimedItem("vehicle", "vehicle", Money(250_050, "USD")),)
    assert wish.at == datetime(2025, 1, 20, 10, 0, 0, 123_000, tzinfo=UTC)


def test_every_missing_key_is_named_in_the_words_of_the_lab() -> None:
    refused = read(raw(data={}))
    assert isinstance(refused, Rejected)
    assert refused.message == (
        "Validation failed: Policy ID is required, Customer ID is required, Valid claim amount is required, "
        "Claim description is required, Claim type must be auto, home, or life"
    )


@pytest.mark.parametrize(
    "amount",
    ['"12abc"', '"abc"', "-1", "0", "1e400", "NaN", "Infinity", "true", "null", "[1]", '""', "0.001", '"-0"'],
)
def test_an_amount_that_is_no_amount_is_refused(amount: str) -> None:
    body = json.dumps(J7).replace("2500", amount)
    refused = read(raw(data=body))
    assert isinstance(refused, Rejected)
    assert "Valid claim amount is required" in refused.message or "not a JSON object" in refused.message


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"priority": "bogus"}, "Priority must be low, normal, high, or urgent"),
        ({"type": "boat"}, "Claim type must be auto, home, or life"),
        ({"description": "x" * 10_001}, "Claim description must not be longer than 10000 characters"),
        ({"description": "a\x00b"}, "Claim description must not hold control characters"),
        ({"incidentDate": "2025-02-30"}, "Incident date must be a date such as 2025-01-15"),
        ({"incidentDate": "2026-01-01"}, "Incident date must not be after the report"),
        ({"currency": "XYZ"}, "is no ISO 4217 currency code"),
        ({"id": "CLM-OTHER000"}, "is not the claimId of the entry"),
    ],
)
def test_a_bad_field_is_refused_by_name(change: dict[str, Any], sentence: str) -> None:
    refused = read(raw(data=J7 | change))
    assert isinstance(refused, Rejected) and sentence in refused.message


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"event_type": ""}, "another dialect"),
        ({"event_type": "claim_submitted"}, "cannot be requested"),
        ({"event_type": "claim.payment.completed"}, "cannot be requested"),
        ({"version": "2.0"}, "version '2.0' is not known"),
        ({"claim_id": "undefined"}, "is not CLM- and 8 or more"),
        ({"timestamp": "yesterday"}, "is not ISO 8601"),
        ({"timestamp": "2025-01-20T10:00:00"}, "is not ISO 8601"),
        ({"data": "\x00\x01"}, "not a JSON object"),
        ({"data": "[]"}, "not a JSON object"),
    ],
)
def test_a_foreign_or_broken_entry_is_refused_with_a_reason_for_people(fields: dict[str, str], sentence: str) -> None:
    refused = read(raw()._replace(**fields))
    assert isinstance(refused, Rejected) and sentence in refused.message


def test_the_other_requests_become_commands() -> None:
    approval = read(raw("claim.approved", {"approvedAmount": 2000, "approvedBy": "ADJ-1"}))
    assert isinstance(approval, Wish)
    assert approval.command == c.ApproveClaim(amount=Money(200_000, "USD"), escalate=True)
    rejection = read(raw("claim.rejected", {"rejectionReason": "Insufficient documentation", "rejectedBy": "ADJ-1"}))
    assert isinstance(rejection, Wish) and isinstance(rejection.command, c.RejectClaim)
    assert rejection.command.reason_codes == ("INSUFFICIENT_PROOF",)
    upload = read(raw("claim.document.uploaded", {"documentId": "D", "documentType": "invoice", "uploadedBy": "x"}))
    assert isinstance(upload, Wish)
    assert upload.command == c.UploadDocument(document_id="D", kind="invoice")
    assignment = read(raw("claim.assigned", {"assignedTo": "ADJ-4", "assignedBy": "system"}))
    assert isinstance(assignment, Wish) and assignment.command == c.AssignClaim(adjuster_id="ADJ-4")


def test_a_rejection_without_a_reason_that_we_know_is_refused() -> None:
    for data in ({"rejectedBy": "A"}, {"rejectedBy": "A", "rejectionReason": "because"}):
        refused = read(raw("claim.rejected", data))
        assert isinstance(refused, Rejected) and "ejection reason" in refused.message


def test_a_status_cannot_be_set_and_an_announced_one_is_skipped() -> None:
    assert isinstance(read(raw("claim.status.changed", {"newStatus": "approved"})), Skipped)
    refused = read(raw("claim.status.changed", {"newStatus": "banana"}))
    assert isinstance(refused, Rejected) and "'banana' cannot be set" in refused.message


def test_reason_words_map_to_codes() -> None:
    assert reason_code("below_deductible") == "BELOW_DEDUCTIBLE"
    assert reason_code("Policy exclusion applies") == "PERIL_EXCLUDED"
    assert reason_code("") == ""


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"timestamp": "0001-01-01T00:00:00+14:00"}, "not ISO 8601"),
        ({"timestamp": "9999-12-31T23:59:59-14:00"}, "not ISO 8601"),
        ({"timestamp": "9999-12-31T23:59:59Z"}, "not between 1900 and 2199"),
        ({"timestamp": "0001-01-01T00:00:00Z"}, "not between 1900 and 2199"),
        ({"data": J7 | {"incidentDate": "0001-01-01"}}, "must not be before 1900"),
        ({"data": '{"policyId": ' + "[" * 50_000 + "]" * 50_000 + "}"}, "nested too deeply"),
        ({"data": J7 | {"policyId": "P" * 129}}, "policyId must be one line of at most 128 characters"),
        ({"data": J7 | {"submittedBy": "S" * 90_000}}, "submittedBy must be one line"),
        ({"data": J7 | {"customerId": "CUST\n001"}}, "customerId must be one line"),
        ({"data": J7 | {"amount": 10_000_000_000.01}}, "Valid claim amount is required"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_no_calendar_or_figure_could_hold_is_refused_in_words(fields: dict[str, Any], said: str) -> None:
    refused = read(raw(**fields))
    assert isinstance(refused, Rejected)
    assert said in refused.message
