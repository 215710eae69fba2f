"""`customer show`: the risk score from the history of claims, with its reasons."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from domain.customer_risk import WEIGHTS, risk_score
from domain.facets import Duplicate, Siu
from tests.support.claims import LOSS, Story, notice
from tests.support.commands import cli
from tests.support.notices import auto_row, claims_cluster, told_again
from tests.support.rows import row
from workers.importing import Importer

if TYPE_CHECKING:
    from pathlib import Path

    from domain.claim_record import Claim
    from runtime.store.address import StoreAddress


def claim(number: int = 1, days: int = 0) -> Claim:
    told = notice(claim_id=f"CLM-TEST{number:04d}", source_ref=str(number), loss_date=LOSS + timedelta(days=days))
    return Story().do(told).now_claim


def codes(*claims: Claim) -> dict[str, int]:
    return {reason.code: reason.points for reason in risk_score(claims, LOSS).reasons}


def test_one_ordinary_claim_is_no_risk() -> None:
    assert risk_score([claim()], LOSS).score == 0


def test_every_claim_beyond_the_first_in_24_months_counts_up_to_a_limit() -> None:
    assert codes(claim(1), claim(2, -30))["FREQUENT_CLAIMS"] == 10
    assert codes(*(claim(number, -number) for number in range(1, 9)))["FREQUENT_CLAIMS"] == 30
    assert "FREQUENT_CLAIMS" not in codes(claim(1), claim(2, -800))


def test_confirmed_fraud_weighs_most_and_the_score_ends_at_100() -> None:
    worst = [
        replace(claim(number, -number), siu=Siu(status="confirmed"), duplicate=Duplicate(status="none"))
        for number in range(1, 6)
    ]
    worst += [replace(claim(number, -number), duplicate=Duplicate(status="confirmed")) for number in range(6, 9)]
    found = risk_score(worst, LOSS)
    assert found.reasons[0].code == "FRAUD_CONFIRMED"
    assert found.score == 100


def test_no_reason_gives_more_than_the_whole_score_and_none_is_about_the_person() -> None:
    assert all(each <= most <= 100 for each, most in WEIGHTS.values())
    words = ("SEX", "AGE", "EDUCATION", "OCCUPATION", "HOBB", "RELATION")
    assert not [code for code in WEIGHTS if any(word in code for word in words)]


@row("S57")
async def test_customer_show_tells_the_score_from_0_to_100_with_reasons(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    url = str(store_address.url)
    async with claims_cluster(store_address, tmp_path, partitions=2) as cluster:
        auto = auto_row("POL-521585")
        await Importer(cluster.app).portfolio([auto])
        day, told = auto.submission.loss_date, auto.submission.reported_at
        for number in (1, 2):
            wait = timedelta(days=40 * number)
            again = told_again(auto, "portal", f"again-{number}", loss_date=day + wait, reported_at=told + wait)
            await Importer(cluster.app).submissions([again])
        await cluster.at_rest()
    said = cli("customer", "show", "CUST-521585", "--json", url=url)
    assert said.code == 0, said.err
    risk = said.json["risk"]
    assert len(said.json["claims"]) == 3
    assert 0 < risk["score"] <= 100
    assert {reason["code"] for reason in risk["reasons"]} >= {"FREQUENT_CLAIMS"}
    assert all(reason["claims"] for reason in risk["reasons"])
    people = cli("customer", "show", "CUST-521585", url=url)
    assert f"risk {risk['score']} of 100" in people.out
    nobody = cli("customer", "show", "CUST-NOBODY", url=url)
    assert nobody.code == 2
    assert "not found" in nobody.one_line()
