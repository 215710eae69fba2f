"""What cannot be is refused with a precise sentence on every way in and leaves nothing; what can be is decided."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import pytest

from domain import commands as c
from domain.bodies.base import Actor
from domain.outcome import Refused
from domain.requests import Rejected
from domain.transitions import State
from runtime.store.parking import DeadLetters
from tests.support.claims import SENIOR
from tests.support.notices import auto_row, claims_cluster
from tests.support.store import command
from tests.support.windows import window
from workers.adapters.submission_files import SubmissionFile
from workers.cli.submit import _imported
from workers.commanding import Commander, Issued
from workers.importing import Importer
from workers.keys import CLAIM_LOG, REQUEST_LOG
from workers.lab_submission import read_lab_body
from workers.submissions import encode

if TYPE_CHECKING:
    from pathlib import Path

    from runtime.store.address import StoreAddress
    from tests.support.small_cluster import SmallCluster

TOLD = datetime(2015, 3, 2, 9, 0, tzinfo=UTC)
AMOUNT = "Valid claim amount is required"
ROW = "POL-521585"


class Case(NamedTuple):
    """What is wrong in the lab's words, the sentence for it; the same in the documented format, and its sentence."""

    name: str
    lab: dict[str, Any]
    says: str
    line: dict[str, Any]
    line_says: str


def items(claimed: str, **more: Any) -> dict[str, Any]:
    return {"items": [{"itemId": "v", "coverage": "vehicle", "claimed": claimed}], **more}


CASES = [
    Case("NaN", {"amount": "NaN"}, AMOUNT, items("NaN"), "items[0].claimed: amount 'NaN'"),
    Case("12abc", {"amount": "12abc"}, AMOUNT, items("12abc"), "items[0].claimed: amount '12abc'"),
    Case("below zero", {"amount": -1}, AMOUNT, items("-1"), "items[0].claimed:"),
    Case("zero", {"amount": 0}, AMOUNT, items("0.00"), "items: nothing is claimed"),
    Case("1e400", {"amount": "1e400"}, AMOUNT, items("1e400"), "items[0].claimed:"),
    Case("too many cents", {"amount": "10.005"}, AMOUNT, items("10.005"), "items[0].claimed:"),
    Case("no currency", {"currency": "DOLLARS"}, "ISO 4217", items("10", currency="DOLLARS"), "currency:"),
    Case(
        "a day that is none",
        {"incidentDate": "2015-02-30"},
        "Incident date must be a date",
        {"lossDate": "2015-02-30"},
        "lossDate:",
    ),
    Case(
        "in the future",
        {"incidentDate": "2999-01-01"},
        "must not be after the report",
        {"lossDate": "2999-01-01"},
        "lossDate:",
    ),
    Case(
        "long ago",
        {"incidentDate": "0001-01-01"},
        "must not be before 1900",
        {"lossDate": "0001-01-01"},
        "lossDate: the year",
    ),
    Case(
        "10 MB",
        {"description": "x" * 10_485_760},
        "the limit is 262,144",
        {"description": "x" * 10_485_760},
        "longer than 262,144",
    ),
    Case(
        "a long text",
        {"description": "x" * 20_001},
        "must not be longer than 10000",
        {"description": "x" * 20_001},
        "description:",
    ),
    Case(
        "control characters",
        {"description": "a\x00b"},
        "must not hold control characters",
        {"description": "a\x00b"},
        "description: holds a control character",
    ),
    Case(
        "a broken name",
        {"policyId": "POL\n1"},
        "policyId must be one line",
        {"policyNumber": "POL\n1"},
        "policyNumber: holds a control character",
    ),
    Case("priority", {"priority": "bogus"}, "Priority must be low", {"priority": "bogus"}, "priority:"),
]


def lab_body(**changes: Any) -> dict[str, Any]:
    known = {"policyId": ROW, "customerId": "CUST-521585", "amount": 4200, "description": "hit", "type": "auto"}
    return known | {"incidentDate": "2015-03-01"} | changes


def raw(claim_id: str, data: dict[str, Any]) -> list[str]:
    fields = {
        "eventId": f"e-{claim_id}", "eventType": "claim.submitted", "claimId": claim_id,
        "timestamp": "2015-03-02T09:00:00Z", "data": json.dumps(data), "version": "1.0",
    }  # fmt: skip
    return [part for pair in fields.items() for part in pair]


async def letters(cluster: SmallCluster, log: str, group: str) -> dict[str, str]:
    """Why entries are parked, by claim."""
    store = cluster.app.store
    found = await DeadLetters(store.commands, store.reads, cluster.app.keyspace(log)).listed(group)
    return {one.fields.get("claimId", ""): one.reason for one in found}


async def nothing_left(cluster: SmallCluster, ids: list[str]) -> None:
    keys = [key async for key in cluster.app.store.reads.keys("claim:*")]
    assert not [key for key in keys if any(name.encode() in key for name in ids)]
    report = await cluster.verified()
    assert report.ok, {name: one.first for name, one in report.invariants.items() if one.first}


@pytest.mark.parametrize(("log", "group"), [(REQUEST_LOG, "intake"), (CLAIM_LOG, "processors")])
async def test_a_raw_entry_that_cannot_be_is_parked_with_its_field_and_nothing_is_half_done(
    store_address: StoreAddress, tmp_path: Path, log: str, group: str
) -> None:
    async with claims_cluster(store_address, tmp_path) as cluster:
        await Importer(cluster.app).records([auto_row(ROW)])
        ids = {f"CLM-BAD{number:05d}": case for number, case in enumerate(CASES)}
        for name, case in ids.items():
            body = lab_body(**case.lab)
            if log == CLAIM_LOG:
                body["description"] = body["description"][:300_000]  # eight groups read it there: longer shows no more
            await command(cluster.app.store.commands, "XADD", log, "*", *raw(name, body))
        await cluster.at_rest()
        parked = await letters(cluster, log, group)
        for name, case in ids.items():
            assert case.says in parked.get(name, "not parked"), case.name
        await nothing_left(cluster, list(ids))


async def test_a_command_that_cannot_be_is_refused_in_the_same_words_and_writes_nothing(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    async with claims_cluster(store_address, tmp_path) as cluster:
        await Importer(cluster.app).records([auto_row(ROW)])
        for case in CASES:
            if case.name == "10 MB":
                continue  # the command line reads no more than 256 KiB: tests/workers/cli
            body = msgspec.json.encode(lab_body(**case.lab))
            wish = await read_lab_body(cluster.app, body, case.name, TOLD)
            assert isinstance(wish, Rejected) and case.says in wish.message, case.name
        await nothing_left(cluster, ["CLM-"])


async def test_a_line_of_a_file_that_cannot_be_is_told_by_its_field_and_the_others_go_in(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    good = json.loads(encode(auto_row(ROW).submission))
    lines = [good | case.line | {"sourceRef": case.name} for case in CASES] + [good | {"sourceRef": "good"}]
    text = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    async with claims_cluster(store_address, tmp_path) as cluster:
        importer = Importer(cluster.app)
        await importer.records([auto_row(ROW)])
        stream = io.BufferedReader(io.BytesIO(text))
        result = await _imported(importer, SubmissionFile(stream, len(text)), lambda so_far: None)
        await cluster.at_rest()
        report = await cluster.verified()
    told = {one["line"]: one["reason"] for one in result.told}
    for number, case in enumerate(CASES, 1):
        assert case.line_says in told.get(number, "not told"), case.name
    assert (result.added, result.bad) == (1, len(CASES))
    assert report.ok and report.claims == 1


async def test_what_is_well_formed_is_registered_and_acknowledged_and_then_decided_by_the_rules(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    """An unknown policy, a loss before inception, and a foreign currency are no malformed input."""
    async with claims_cluster(store_address, tmp_path) as cluster:
        await Importer(cluster.app).records([auto_row(ROW)])
        wishes = {
            "CLM-UNKNOWN01": lab_body(policyId="POL-NOBODYS"),
            "CLM-BEFORE001": lab_body(incidentDate="1950-01-01"),
            "CLM-FOREIGN01": lab_body(currency="EUR"),
        }
        for name, data in wishes.items():
            await command(cluster.app.store.commands, "XADD", REQUEST_LOG, "*", *raw(name, data))
        await cluster.at_rest()
        unknown, before, foreign = await cluster.app.claims.read(list(wishes))
        report = await cluster.verified()
    assert unknown is not None and before is not None and foreign is not None
    assert all(claim.acknowledged_at is not None for claim in (unknown, before, foreign))
    assert (unknown.state, unknown.decision.reason_codes) == (State.CLOSED, ("NO_POLICY_FOUND",))
    assert (before.state, before.decision.reason_codes) == (State.CLOSED, ("LOSS_BEFORE_INCEPTION",))
    assert (foreign.coverage.outcome, foreign.currency, foreign.state) == ("review", "EUR", State.ASSIGNED)
    assert report.ok, report.invariants


async def test_somebody_elses_claim_id_is_a_conflict_and_somebody_elses_claim_is_out_of_reach(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    async with claims_cluster(store_address, tmp_path) as cluster:
        (theirs,) = (await Importer(cluster.app).portfolio([auto_row(ROW)])).claim_ids
        await cluster.at_rest()
        (before,) = await cluster.app.claims.read([theirs])
        stream = cluster.app.store.commands
        await command(stream, "XADD", REQUEST_LOG, "*", *raw(theirs, lab_body(customerId="CUST-OTHER")))
        upload = json.dumps({"documentId": "D", "documentType": "photos", "uploadedBy": "CUST-OTHER"})
        fields = raw("CLM-NEXT0001", {})[:2] + ["eventType", "claim.document.uploaded", "claimId", theirs]
        fields += ["timestamp", "2015-03-20T09:00:00Z", "data", upload, "version", "1.0"]
        await command(stream, "XADD", CLAIM_LOG, "*", *fields)
        await cluster.at_rest()
        taken = await letters(cluster, REQUEST_LOG, "intake")
        strange = await letters(cluster, CLAIM_LOG, "processors")
        other = Actor(id="CUST-OTHER", role="claimant")
        refused = await Commander(cluster.app).issue(theirs, c.WithdrawClaim(reason="mine"), other)
        missing = await Commander(cluster.app).issue("CLM-0THERTENANT", c.AddNote(kind="call"), SENIOR)
        (after,) = await cluster.app.claims.read([theirs])
        report = await cluster.verified()
    assert "is taken by another submission" in taken[theirs]
    assert "CUST-OTHER is neither claimant nor insured" in strange[theirs]
    assert isinstance(refused, Refused) and refused.code == "NOT_ALLOWED"
    assert isinstance(missing, Refused) and missing.code == "NOT_FOUND"
    assert after == before
    assert report.ok, report.invariants


@window("W31")
async def test_a_forged_sequence_that_is_no_number_is_parked_once_and_the_claim_goes_on(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    """W31: it was parked by four groups, held the claim back in each, and kept `verify` red."""
    async with claims_cluster(store_address, tmp_path) as cluster:
        (claim_id,) = (await Importer(cluster.app).portfolio([auto_row(ROW)])).claim_ids
        await cluster.at_rest()
        for sequence in ("zz", "-5", "3.0", "9" * 40):
            fields = [*raw(claim_id, lab_body()), "sequence", sequence]
            await command(cluster.app.store.commands, "XADD", CLAIM_LOG, "*", *fields)
        await cluster.at_rest()
        note = c.AddNote(kind="contact")
        assert isinstance(await Commander(cluster.app).issue(claim_id, note, SENIOR), Issued)
        await cluster.at_rest()
        parked = await letters(cluster, CLAIM_LOG, "processors")
        elsewhere = [await letters(cluster, CLAIM_LOG, name) for name in ("analytics", "notifications", "auditors")]
        held = await command(cluster.app.store.commands, "HLEN", "claims:events:held:analytics")
        report = await cluster.verified()
    assert "sequence is not a positive integer" in parked[claim_id]
    assert elsewhere == [{}, {}, {}] and held == 0
    assert report.ok, {name: one.first for name, one in report.invariants.items() if one.first}
