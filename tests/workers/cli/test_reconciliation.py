"""`reconciliation list` and `resolve`: a person says what they found, once, as a fact on the claim."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from domain.bodies.deciding import OverrideRecorded
from tests.support.commands import here
from tests.support.paying import paying
from workers.claim_reading import ClaimReader

if TYPE_CHECKING:
    from pathlib import Path

    from runtime.store.address import StoreAddress
    from tests.support.commands import Said


async def test_an_item_is_resolved_once_with_a_reason_by_a_person_of_the_roster(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    url = str(store_address.url)

    async def cs(*words: str) -> Said:
        said = ["reconciliation", *words]
        return await asyncio.to_thread(lambda: here(*said, url=url, env={"CLAIMSTREAM_EMBEDDED__DATA_DIR": data}))

    data = str(tmp_path / "store")
    async with paying(store_address, tmp_path) as house:
        house.behave(answers=0)
        claim_id = await house.pending()
        payment = (await house.claim(claim_id)).payments[0]
        fitting = {"paymentId": payment.id, "amount": payment.amount + 1, "currency": "USD", "kind": "confirmed"}
        house.say(**fitting)
        house.say(**(fitting | {"paymentId": "an invoice of somebody else"}))
        await house.items(2)
        await house.cluster.at_rest()
        open_items = (await cs("list", "--json")).json["items"]
        assert [one["resolved"] for one in open_items] == [None, None]
        ours, strange = (one["id"] for one in open_items)

        for words, sentence in (
            (("resolve", ours), "needs a reason"),
            (("resolve", "1-1", "--reason", "x"), "there is no item '1-1'"),
            (("resolve", ours, "--reason", "x", "--as", "claims_manager:MGR-999"), "has nobody 'MGR-999'"),
            (("resolve", ours, "--not-sent", "--reason", "x", "--as", "siu:SIU-001"), "NOT_ALLOWED"),
            (("resolve", strange, "--reason", "x"), "names no claim of ours"),
        ):
            refused = await cs(*words)
            assert refused.code == 2, words
            assert sentence in refused.one_line()

        finding = ("--not-sent", "--reason", "the bank had a typing error")
        done = await cs("resolve", ours, *finding, "--as", "claims_manager:MGR-001")
        assert done.code == 0, done
        on_claim = await cs("resolve", strange, "--reason", "of another insurer", "--claim", claim_id)
        assert on_claim.code == 0, on_claim
        again = await cs("resolve", ours, "--sent", "--reason", "once more")
        assert again.code == 2
        assert "was resolved by claims_manager:MGR-001" in again.one_line()

        listed = await cs("list")
        assert "is empty (2 resolved" in listed.out
        everything = (await cs("list", "--all", "--json")).json["items"]
        assert [(one["resolved"]["by"], one["resolved"]["claimId"]) for one in everything] == [
            ("claims_manager:MGR-001", claim_id),
            ("claims_manager:CLI", claim_id),
        ]
        assert {one["resolved"]["reason"] for one in everything} == {"(sealed)"}, "what was found may be personal"
        app = house.cluster.app
        facts = await ClaimReader(app.store.reads, app.claim_keyspace).entries(claim_id)
        bodies = [entry.body for entry in facts if isinstance(entry.body, OverrideRecorded)]
        assert [body.overridden_by for body in bodies] == ["MGR-001", "CLI"]
        assert (await house.cluster.verified()).ok
