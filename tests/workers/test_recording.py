"""Policies and payees as people change them: decisions see it from then on, and earlier ones keep what they used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from domain import commands as c
from domain.customer import PayeeChanged, PayeeChecked
from domain.money import Money
from domain.policy_events import PolicyCancelled, PolicyEndorsed
from domain.transitions import State
from tests.support.claims import MANAGER, SENIOR
from tests.support.commands import cli
from tests.support.notices import auto_row, claims_cluster
from workers.commanding import Commander, Issued
from workers.importing import Importer
from workers.recording import NoSuchRecord, Recorder

if TYPE_CHECKING:
    from pathlib import Path

    from runtime.store.address import StoreAddress

POLICY, CUSTOMER = "POL-921202", "CUST-921202"


async def test_new_bank_details_hold_a_payment_back_until_a_call_back_confirms_them(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    async with claims_cluster(store_address, tmp_path) as cluster:
        (claim_id,) = (await Importer(cluster.app).portfolio([auto_row(POLICY)])).claim_ids
        await cluster.at_rest()
        recorder, commander = Recorder(cluster.app), Commander(cluster.app)
        (claim,) = await cluster.app.claims.read([claim_id])
        assert claim is not None
        await recorder.customer(CUSTOMER, lambda known: PayeeChanged(at=claim.updated_at), SENIOR)
        for name in claim.missing_documents:
            upload = c.UploadDocument(document_id=f"D-{name}", kind=name)
            assert isinstance(await commander.issue(claim_id, upload, SENIOR), Issued)
        approved = await commander.issue(claim_id, c.ApproveClaim(), SENIOR)
        assert isinstance(approved, Issued), str(approved)
        await cluster.at_rest()
        (waiting,) = await cluster.app.claims.read([claim_id])
        by_hand = await commander.issue(claim_id, c.InitiatePayment(), MANAGER)
        checked = PayeeChecked(at=claim.updated_at, called_back=True)
        await recorder.customer(CUSTOMER, lambda known: checked, SENIOR)
        paid = await commander.issue(claim_id, c.InitiatePayment(), MANAGER)
        await cluster.at_rest()
        report = await cluster.verified()
    assert waiting is not None and waiting.state is State.APPROVED
    assert not isinstance(by_hand, Issued) and (by_hand.guard, "call-back" in by_hand.message) == ("G16", True)
    assert isinstance(paid, Issued), str(paid)
    assert report.ok, report.invariants


@pytest.mark.timeout(600)  # several command lines, each opens the application anew
async def test_an_endorsement_holds_for_later_losses_and_a_cancellation_for_decisions_still_open(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    async with claims_cluster(store_address, tmp_path) as cluster:
        row = auto_row("POL-521585")
        (claim_id,) = (await Importer(cluster.app).portfolio([row])).claim_ids
        await cluster.at_rest()
        recorder, commander = Recorder(cluster.app), Commander(cluster.app)
        terms = row.policy.versions[0]
        later = replace(terms, version=2, effective=row.submission.loss_date.replace(year=2016), limit=Money(1, "USD"))
        after = await recorder.policy("POL-521585", lambda policy: PolicyEndorsed(terms=later), MANAGER)
        assert (len(after.versions), after.revision) == (2, 2)
        cancelled = PolicyCancelled(effective=row.submission.loss_date, reason="never paid")
        await recorder.policy("POL-521585", lambda policy: cancelled, MANAGER)
        (claim,) = await cluster.app.claims.read([claim_id])
        assert claim is not None and claim.coverage.policy_version == 1
        upload = c.UploadDocument(document_id="D", kind="medical_report")
        assert isinstance(await commander.issue(claim_id, upload, SENIOR), Issued)
        refused = await commander.issue(claim_id, c.ApproveClaim(), SENIOR)
        assert not isinstance(refused, Issued) and refused.guard == "G03", str(refused)
        with pytest.raises(NoSuchRecord):
            await recorder.policy("POL-0", lambda policy: cancelled, MANAGER)
        report = await cluster.verified()
        url = str(store_address.url)
    assert report.ok, report.invariants
    shown = cli("policy", "show", "POL-521585", "--json", url=url)
    assert shown.code == 0, shown.err
    assert [one["claimId"] for one in shown.json["claims"]] == [claim_id]
    done = cli("policy", "reinstate", "POL-521585", "--from", "2016-01-01", url=url)
    assert done.code == 0, done.err
    for words in (
        ("policy", "endorse", "POL-521585", "--from", "2017-01-01", "--limit", "12abc"),
        ("payee", "CUST-0", "--changed"),
    ):
        said = cli(*words, url=url)
        assert said.code == 2, words
        said.one_line()
