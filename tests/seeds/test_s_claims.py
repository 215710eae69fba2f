"""Seed 001, what people do with claims: submit, look, document, investigate, decide, pay. On the running cluster."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tests.support.lab import J7, Lab
from tests.support.rows import row
from tests.support.waiting import until_sync

if TYPE_CHECKING:
    from typing import Any

B1 = (
    "eventId", "eventType", "claimId", "timestamp", "data", "version",
    "sequence", "correlationId", "causationId", "actor", "traceparent",
)  # fmt: skip
B3 = {
    "id", "policyId", "customerId", "amount", "description", "type", "status", "priority", "submittedAt", "assignedTo",
    "documents", "estimatedDays", "submittedBy", "channel", "lastUpdated", "assignedAt", "slaDeadline",
    "processingStarted", "approvedAt", "processingTimeHours", "state", "sequence", "closedOutcome", "amountMinor",
    "currency",
}  # fmt: skip


def test_s5_history_names_every_entry_with_its_actor_and_reason(lab: Lab) -> None:
    claim = lab.assigned()
    facts = lab.facts(claim)
    assert [fact["sequence"] for fact in facts] == list(range(1, len(facts) + 1))
    assert [fact["entry"] for fact in facts] == [
        entry_id.decode() for entry_id in lab.client.lrange(f"claim:{claim}:history", 0, -1)
    ]
    assert all(fact["actor"] and fact["time"] for fact in facts)
    assert facts[0]["actor"] == f"claimant:{lab.snapshot(claim)['customerId']}"
    assigned = facts[-1]
    assert (assigned["type"], assigned["actor"]) == ("claim.assigned", "system:processor")
    assert "eligible" in assigned["reason"]
    assert "claim.assigned" in lab.cs("claim", "history", claim).out


def test_s7_a_submitted_claim_is_assigned_within_a_second(lab: Lab) -> None:
    """The quickest of a few: a machine that does other work may hold any one of them up."""
    waited = []
    for _ in range(5):
        submitted, *_, assigned = lab.facts(lab.assigned())
        assert (submitted["type"], assigned["type"]) == ("claim.submitted", "claim.assigned")
        waited.append(datetime.fromisoformat(assigned["time"]) - datetime.fromisoformat(submitted["time"]))
    assert min(waited) < timedelta(seconds=1)


@row("C10")
def test_s8_an_assigned_claim_has_a_deadline_a_place_in_the_workload_and_timers(lab: Lab) -> None:
    claim = lab.assigned()
    lab.rest()
    snapshot = lab.snapshot(claim)
    assert datetime.fromisoformat(snapshot["slaDeadline"]) > datetime.fromisoformat(snapshot["assignedAt"])
    workload = lab.client.lrange(f"adjuster:{snapshot['assignedTo']}:workload", 0, -1)
    assert workload.count(claim.encode()) == 1
    assert any(claim in member.decode() for member in lab.client.zrange("claims:timers", 0, -1))
    assert lab.client.xpending("claims:events", "processors")["pending"] == 0


def test_s9_a_document_is_one_more_and_ticks_the_checklist(lab: Lab) -> None:
    claim = lab.assigned(type="life", policyId="POL-003", customerId="CUST-003")
    before = json.loads(lab.snapshot(claim)["documents"])
    lab.ok("claim", "document", claim, "invoice")
    documents = json.loads(lab.snapshot(claim)["documents"])
    assert len(documents) == len(before) + 1
    owed = lab.ok("claim", "show", claim)["documents"]
    assert owed["death_certificate"]["status"] == "required"
    lab.ok("claim", "document", claim, "death_certificate")
    assert lab.ok("claim", "show", claim)["documents"]["death_certificate"]["status"] == "received"


def test_s10_an_investigation_has_a_start_evidence_and_an_end(lab: Lab) -> None:
    claim = lab.assigned()
    assert lab.ok("claim", "investigate", claim)["state"] == "UNDER_INVESTIGATION"
    lab.ok("claim", "document", claim, "investigation_report", "--id", "DOC-REPORT-1")
    ended = lab.ok("claim", "investigate", claim, "--finding", "consistent", "--evidence", "DOC-REPORT-1")
    assert ended["state"] == "ASSIGNED"
    assert lab.types(claim)[-3:] == ["claim.investigated", "claim.document.uploaded", "claim.investigated"]


def test_s11_an_approval_authorises_the_payment(lab: Lab) -> None:
    claim = lab.assigned()
    lab.ok("claim", "approve", claim, "2500")
    lab.until_state(claim, "PAYMENT_PENDING")
    approved, paid = lab.facts(claim)[-2:]
    assert (approved["type"], paid["type"]) == ("claim.approved", "claim.payment.initiated")
    assert float(lab.snapshot(claim)["processingTimeHours"]) >= 0
    body = body_of(lab, claim, "claim.approved")
    assert sum(item["net"]["minor"] for item in body["items"]) == body["approvedNet"]["minor"] == 250_000
    assert (body["authority"]["role"], body["authority"]["cumulative"]["minor"]) == ("claims_manager", 250_000)
    ordered = body_of(lab, claim, "claim.payment.initiated")
    assert ordered["amount"] == body["approvedNet"], "exactly what was approved is ordered"
    assert not lab.types(claim).count("claim.payment.completed"), "an approval is no payment"


def test_s11_nobody_approves_more_than_his_authority(lab: Lab) -> None:
    claim = lab.assigned(amount=20_000)
    refused = lab.cs("claim", "approve", claim, "20000", "--as", "adjuster_i:JUN-001")
    assert refused.code == 2
    assert "G10" in refused.one_line()
    assert "ASSIGNED" in refused.one_line()


def test_s12_a_rejection_needs_a_reason_and_gives_appeal_and_notice(lab: Lab) -> None:
    claim = lab.assigned()
    refused = lab.cs("claim", "reject", claim)
    assert refused.code == 2
    assert "INSUFFICIENT_PROOF" in refused.one_line()
    assert lab.snapshot(claim)["state"] == "ASSIGNED"
    lab.ok("claim", "reject", claim, "--reason", "INSUFFICIENT_PROOF")
    lab.until_state(claim, "CLOSED")
    body = body_of(lab, claim, "claim.rejected")
    assert body["reasonCodes"] == ["INSUFFICIENT_PROOF"]
    assert body["appealTextId"]
    assert body["provisions"] == ["Conditions: duties after a loss, proof of loss"]
    decided = datetime.fromisoformat(lab.facts(claim)[-1]["time"])
    assert timedelta(days=179) < datetime.fromisoformat(body["appealBy"]) - decided <= timedelta(days=180)
    until_told(lab, claim, "claimant.rejected")


def until_told(lab: Lab, claim: str, template: str) -> None:
    """Wait until the claimant is to be told this, once."""
    customer = lab.snapshot(claim)["customerId"]

    def told() -> list[bytes]:
        intents = [fields for _, fields in lab.client.xrange("claims:notifications")]
        about = [fields[b"data"] for fields in intents if fields[b"claimId"] == claim.encode()]
        return [data for data in about if customer.encode() in data and f'"{template}"'.encode() in data]

    assert len(until_sync(told, within=10, what=f"{customer} is told {template}") or []) == 1


def body_of(lab: Lab, claim: str, event_type: str) -> dict[str, Any]:
    """The data of the last entry of a type."""
    entry = next(fact["entry"] for fact in reversed(lab.facts(claim)) if fact["type"] == event_type)
    ((_, fields),) = lab.client.xrange("claims:events", entry, entry)
    body: dict[str, Any] = json.loads(fields[b"data"])
    return body


def test_s13_a_payment_is_an_intent_with_a_key_that_makes_it_happen_once(lab: Lab) -> None:
    claim = lab.assigned()
    lab.ok("claim", "approve", claim, "2500")
    lab.until_state(claim, "PAYMENT_PENDING")
    shown = lab.ok("claim", "show", claim)
    assert shown["state"] == "PAYMENT_PENDING"
    assert shown["platformStatus"] == "payment_processing"
    body = body_of(lab, claim, "claim.payment.initiated")
    assert body["paymentId"] == shown["payments"][0]["id"]
    assert body["amount"] == {"minor": 250000, "currency": "USD"}
    assert datetime.fromisoformat(body["dueBy"]) > datetime.fromisoformat(lab.facts(claim)[-1]["time"])
    again = lab.cs("claim", "pay", claim)
    assert again.code == 2
    assert "WRONG_STATE" in again.one_line()
    assert lab.types(claim).count("claim.payment.initiated") == 1
    assert "PAYMENT_PENDING" in lab.cs("claim", "show", claim).out


def test_s14_the_banks_answer_pays_and_then_closes_the_claim(lab: Lab) -> None:
    claim = lab.paid()
    facts = lab.facts(claim)
    assert [fact["type"] for fact in facts[-2:]] == ["claim.payment.completed", "claim.closed"]
    assert lab.ok("claim", "show", claim, "--at", facts[-1]["time"])["state"] == "CLOSED"
    assert folded(lab, claim, until="claim.payment.completed") == "PAID"
    assert lab.snapshot(claim)["closedOutcome"] == "paid"
    assert lab.snapshot(claim)["status"] == "approved"
    until_told(lab, claim, "claimant.paid")
    until_told(lab, claim, "claimant.closed")
    late = lab.cs("claim", "payment", claim)
    assert late.code == 2, "a confirmation that comes again pays nothing again"
    assert lab.ok("claim", "show", claim)["paid"] == 250_000


def folded(lab: Lab, claim: str, *, until: str) -> str:
    """The state after the fact of a type, folded from the log."""
    from domain.claim import fold
    from domain.events import EVENTS, decode_body
    from runtime.entry import EntryReader
    from workers.claim_log import EventCodec, fact_of

    reader = EntryReader("claimId", EventCodec(tuple(EVENTS), decode_body))
    facts = []
    for fact in lab.facts(claim):
        ((entry_id, fields),) = lab.client.xrange("claims:events", fact["entry"], fact["entry"])
        facts.append(fact_of(reader.read((entry_id, [part for pair in fields.items() for part in pair]))))
        if fact["type"] == until:
            break
    after = fold(facts)
    assert after is not None
    return after.state.value


def test_s15_the_sample_data_is_there_however_often_it_is_loaded(lab: Lab) -> None:
    first, second = lab.cs("lab", "load-sample-data"), lab.cs("lab", "load-sample-data")
    assert first.out == second.out
    assert first.out.startswith("Loaded 1,600 customers and 1,600 policies")
    assert lab.client.xlen("customers:events") == lab.client.xlen("policies:events") == 1600
    assert lab.client.exists("customers:customer:CUST-001", "policies:policy:POL-001") == 2


def test_s16_a_claim_with_a_bad_amount_is_refused_in_the_words_of_the_lab(lab: Lab) -> None:
    before = lab.client.xlen("claims:events")
    refused = lab.cs("claim", "submit", json.dumps(J7 | {"amount": -1}))
    assert refused.code == 2
    assert "Valid claim amount is required" in refused.one_line()
    for wrong, sentence in (
        ({"policyId": ""}, "Policy ID is required"),
        ({"customerId": None}, "Customer ID is required"),
        ({"type": "boat"}, "Claim type must be auto, home, or life"),
        ({"incidentDate": "2999-01-01"}, "incident date must not be after the report"),
        ({"amount": "1e400"}, "Valid claim amount is required"),
    ):
        refused = lab.cs("claim", "submit", json.dumps(J7 | wrong))
        assert refused.code == 2, wrong
        assert sentence.lower() in refused.one_line().lower(), wrong
    assert lab.client.xlen("claims:events") == before


def test_s29_the_statuses_sum_to_all_claims(lab: Lab) -> None:
    lab.paid()
    lab.submit(policyId="POL-4040")  # nobody knows the policy: denied by the clerical rule
    lab.assigned()
    lab.rest()
    words = {name.decode(): int(count) for name, count in lab.client.hgetall("analytics:status").items()}
    claims = {fields["claimId"] for fields in lab.log() if fields.get("sequence")}
    assert sum(words.values()) == len(claims)
    assert set(words) <= {"submitted", "processing", "assigned", "approved", "rejected", "closed"}
    assert words["approved"] >= 1
    assert words["rejected"] >= 1
    assert words["assigned"] >= 1


def test_s42_a_claim_is_shown_as_it_stood_at_a_time(lab: Lab) -> None:
    claim = lab.paid()
    too_early = lab.cs("claim", "show", claim, "--at", "2025-01-20")
    assert too_early.code == 2
    assert "2025-01-20" in too_early.one_line()
    submitted, *_, closed = lab.facts(claim)
    before = datetime.fromisoformat(closed["time"]) - timedelta(milliseconds=1)
    assert lab.ok("claim", "show", claim, "--at", before.isoformat())["state"] != "CLOSED"
    first = lab.ok("claim", "show", claim, "--at", submitted["time"])
    assert (first["state"], first["version"]) == ("SUBMITTED", 1)
    now = lab.ok("claim", "show", claim)
    assert lab.ok("claim", "show", claim, "--at", "2099-01-20") == now
    assert lab.cs("claim", "show", claim, "--at", "someday").code == 2


def test_s62_an_entry_has_the_fields_of_the_lab_and_then_ours(lab: Lab) -> None:
    claim = lab.submit()
    first = lab.facts(claim)[0]["entry"]
    ((_, fields),) = lab.client.xrange("claims:events", first, "+", count=1)
    assert tuple(name.decode() for name in fields) == B1
    assert fields[b"eventType"] == b"claim.submitted"
    assert fields[b"version"] == b"1.0"
    assert json.loads(fields[b"data"])["amount"] == 2500


def test_s66_the_snapshot_has_the_fields_of_the_lab_with_each_transition(lab: Lab) -> None:
    claim = lab.submit()
    assert lab.snapshot(claim).keys() >= B3
    lab.until_state(claim, "ASSIGNED")
    snapshot = lab.snapshot(claim)
    assert snapshot.keys() >= B3
    assert (snapshot["status"], snapshot["type"], snapshot["amount"]) == ("assigned", "auto", "2500.00")
    assert (snapshot["estimatedDays"], snapshot["amountMinor"], snapshot["currency"]) == ("7", "250000", "USD")
    assert snapshot["description"].startswith("enc:v1:")
    assert lab.client.ttl(f"claim:{claim}") == -1
