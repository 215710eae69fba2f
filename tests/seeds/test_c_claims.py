"""What must never happen, seed 001: lost assignments, double effects, double payments, nonsense that is taken."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.support.lab import J7, Lab, texts
from tests.support.rows import row
from tests.support.waiting import until_sync
from workers.roster import demo_roster

if TYPE_CHECKING:
    from collections.abc import Iterator


@row("S25", "C13")
def test_c2_two_hundred_test_claims_are_all_assigned_and_spread_over_the_eligible(lab: Lab) -> None:
    ids = lab.cs("lab", "submit-test-claims", "--count", "200", "--gap", "0.02").out.split()
    assert len(set(ids)) == 200
    until_sync(lambda: all(lab.snapshot(claim)["assignedTo"] for claim in ids), what="all are assigned")
    lab.rest()
    snapshots = [lab.snapshot(claim) for claim in ids]
    assert Counter(snapshot["state"] for snapshot in snapshots) == {"ASSIGNED": 200}

    given = Counter(snapshot["assignedTo"] for snapshot in snapshots)
    licensed = {one.adjuster_id for one in demo_roster().adjusters if "OH" in one.jurisdictions}
    assert set(given) <= licensed
    assert len(given) > len(licensed) // 2, f"they went to few: {given}"
    assert max(given.values()) < 200 // 4, f"one has too many: {given}"


def test_c3_a_group_that_is_set_back_to_the_beginning_changes_nothing(lab: Lab) -> None:
    lab.paid()
    lab.rest()
    before = picture(lab)
    lab.client.xgroup_setid("claims:events", "processors", "0")
    lab.submit(policyId="POL-4040")  # wakes the group; denied by the clerical rule, so that nobody is assigned
    lab.rest()
    after = picture(lab)
    assert after["workloads"] == before["workloads"]
    assert after["queues"] - before["queues"] == Counter()
    assert lab.verified()["differences"] == 0


def picture(lab: Lab) -> dict[str, Any]:
    """What the processors write: how many claims each adjuster has, what waits for payment."""
    names = sorted(lab.client.scan_iter("adjuster:*:workload"))
    return {
        "workloads": {name: lab.client.lrange(name, 0, -1) for name in names},
        "queues": Counter(lab.client.lrange("queue:payment:pending", 0, -1)),
    }


def test_c4_approve_approve_reject_pays_once(lab: Lab) -> None:
    claim = lab.assigned()
    assert lab.cs("claim", "approve", claim, "2500").code == 0
    again, rejected = (
        lab.cs("claim", "approve", claim, "2500"),
        lab.cs("claim", "reject", claim, "--reason", "INSUFFICIENT_PROOF"),
    )
    for refused in (again, rejected):
        assert refused.code == 2
        assert "WRONG_STATE" in refused.one_line()
    lab.until_state(claim, "PAYMENT_PENDING")
    lab.rest()
    assert lab.types(claim).count("claim.payment.initiated") == 1
    assert lab.client.lrange("queue:payment:pending", 0, -1).count(claim.encode()) == 1


def test_c5_nothing_is_paid_beyond_what_was_approved(lab: Lab) -> None:
    claim = lab.assigned(amount=4500)
    assert lab.cs("claim", "approve", claim, "9000").code == 2
    lab.ok("claim", "approve", claim, "4000.50")
    lab.until_state(claim, "PAYMENT_PENDING")
    answers = [lab.cs("claim", "payment", claim).code for _ in range(3)]
    assert answers == [0, 2, 2]
    lab.until_state(claim, "CLOSED")
    assert lab.cs("claim", "reject", claim, "--reason", "INSUFFICIENT_PROOF").code == 2
    for body in claims(lab):
        assert body.get("paid", 0) <= body.get("approved", 0)
    shown = lab.ok("claim", "show", claim)
    assert (shown["approved"], shown["paid"], shown["closedOutcome"]) == (400050, 400050, "paid_partial")


def claims(lab: Lab) -> Iterator[dict[str, Any]]:
    """Every claim of the store, as its snapshot holds it."""
    for key in lab.client.scan_iter("claim:*", _type="hash"):
        yield json.loads(lab.client.hget(key, "body"))


def test_c6_unknown_claims_and_unknown_statuses_change_nothing(lab: Lab) -> None:
    claim = lab.assigned()
    lab.rest()
    facts = lab.client.xlen("claims:events")
    refused = lab.cs("claim", "approve", "CLM-00000000", "1")
    assert refused.code == 2
    assert "not found" in refused.one_line()
    assert lab.client.xlen("claims:events") == facts
    before = lab.snapshot(claim)
    for data in ({"previousStatus": "assigned", "newStatus": "banana"}, {"previousStatus": "assigned"}):
        parked(lab, "claim.status.changed", claim, data)
    assert lab.snapshot(claim) == before
    assert not lab.client.exists("claim:CLM-00000000")


def parked(lab: Lab, event_type: str, claim: str, data: object, **changes: str) -> str:
    """Why a raw entry is parked; it is dropped again, and the facts are as before."""
    before = sum(bool(entry.get("sequence")) for entry in lab.log())
    origin = lab.raw(event_type, claim, data, **changes)

    def letter() -> dict[str, str] | None:
        found = lab.ok("parked", "list")["parked"]
        return next((one for one in found if one["origin_id"] == origin), None)

    reason: str = (found := until_sync(letter, what="it is parked") or {})["reason"]
    assert sum(bool(entry.get("sequence")) for entry in lab.log()) == before
    assert lab.verified()["differences"] == 0, "a parked entry is no difference"
    lab.ok("parked", "drop", found["id"], "--reason", "the row is shown")
    return reason


def test_c7_a_claim_id_that_is_taken_is_a_conflict(lab: Lab) -> None:
    claim = "CLM-0000C7C7"
    lab.submit(id=claim, submittedBy="portal-one")
    before = lab.snapshot(claim)["amount"]
    refused = lab.cs("claim", "submit", json.dumps(J7 | {"id": claim, "amount": 9, "submittedBy": "portal-two"}))
    assert refused.code == 2
    assert "CONFLICT" in refused.one_line()
    assert lab.snapshot(claim)["amount"] == before


def test_c8_amounts_and_priorities_that_are_none_are_refused_and_nothing_is_appended(lab: Lab) -> None:
    lab.rest()
    before = lab.client.xlen("claims:events")
    for wrong, sentence in (
        ({"amount": "12abc"}, "Valid claim amount is required"),
        ({"amount": "abc"}, "Valid claim amount is required"),
        ({"amount": "NaN"}, "Valid claim amount is required"),
        ({"priority": "bogus"}, "Priority must be low, normal, high, or urgent"),
    ):
        refused = lab.cs("claim", "submit", json.dumps(J7 | wrong))
        assert refused.code == 2
        assert sentence in refused.one_line()
    assert lab.client.xlen("claims:events") == before


def test_facts_complete(lab: Lab) -> None:
    """Row C11: every fact carries what projections read, so that no key is ever made of something undefined."""
    claim = lab.paid()
    lab.rest()
    for entry in lab.log():
        if not entry.get("sequence"):
            continue
        body = json.loads(entry["data"])
        assert body["type"] in ("auto", "home", "life"), entry
        assert body["priority"] in ("low", "normal", "high", "urgent"), entry
        assert body["claimantId"], entry
    of_claim = {entry["eventType"]: json.loads(entry["data"]) for entry in lab.log() if entry["claimId"] == claim}
    assert of_claim["claim.submitted"]["amount"] == 2500
    assert of_claim["claim.approved"]["approvedAmount"] == 2500
    assert of_claim["claim.approved"]["processingTimeHours"] >= 0
    assert of_claim["claim.payment.completed"]["assignedTo"]
    names = {key.decode() for key in lab.client.scan_iter("*")}
    fields = {field for key in names if key.startswith("analytics:") for field in hash_fields(lab, key)}
    assert not [name for name in names | fields if "undefined" in name or "None" in name]


def hash_fields(lab: Lab, key: str) -> list[str]:
    return list(texts(lab.client.hgetall(key))) if lab.client.type(key) == b"hash" else []


def test_amounts_apart(lab: Lab) -> None:
    """Row S30: what is claimed, approved and paid is added up apart, to the cent."""
    lab.rest()
    before = amounts(lab)
    claim = lab.assigned(amount=4500)
    lab.ok("claim", "approve", claim, "4000.50")
    lab.until_state(claim, "PAYMENT_PENDING")
    lab.rest()
    halfway = amounts(lab)
    lab.ok("claim", "payment", claim)
    lab.until_state(claim, "CLOSED")
    lab.rest()
    after = amounts(lab)
    assert after - before == Counter({"submitted": 450_000, "approved": 400_050, "paid": 400_050})
    assert halfway["paid"] == before["paid"]


def amounts(lab: Lab) -> Counter[str]:
    """Minor units by what was done."""
    found = lab.ok("dashboard", "--once")["amounts_minor"]
    names = {"claim.submitted": "submitted", "claim.approved": "approved", "claim.payment.completed": "paid"}
    return Counter({word: found.get(f"{name}:minor:USD", 0) for name, word in names.items()})


def test_foreign_dialect_parked_with_a_reason_for_people(lab: Lab) -> None:
    """Row C19: three dialects met in one stream; two of them are parked, and the log goes on."""
    claim = lab.assigned()
    lab.rest()
    before = sum(bool(entry.get("sequence")) for entry in lab.log())
    dialects = (
        {"type": "claim_submitted", "claim_id": claim, "payload": "{}"},
        {"event_type": "claim.submitted", "event_id": "e1", "data": "{}"},
    )
    origins = {lab.client.xadd("claims:events", fields).decode() for fields in dialects}

    def letters() -> list[dict[str, Any]] | None:
        found = [one for one in lab.ok("parked", "list")["parked"] if one["origin_id"] in origins]
        return found if len(found) == len(origins) else None

    for letter in until_sync(letters, what="both are parked") or []:
        assert "eventType" in letter["reason"], letter
        lab.ok("parked", "drop", letter["id"], "--reason", "the row is shown")
    lab.rest()
    assert sum(bool(entry.get("sequence")) for entry in lab.log()) == before
    lab.ok("claim", "document", claim, "invoice")
