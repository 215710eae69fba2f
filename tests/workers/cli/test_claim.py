"""`claim ...` without a cluster: only a store. What follows a command is the business of actors."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from config.loading import load
from domain import commands as c
from domain.bodies.base import Actor
from domain.claim import fold
from domain.events import EVENTS, decode_body
from domain.outcome import Refused
from runtime.entry import EntryReader
from tests.support.lab import J7, said
from workers.bootstrap import open_application
from workers.claim_log import EventCodec, claim_of, fact_of
from workers.commanding import Commander, Issued
from workers.lab_submission import read_lab_body

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from runtime.store.clients import StoreAddress
    from tests.support.commands import Said
    from workers.application import Application

ADJUSTER = Actor(id="MGR-001", role="claims_manager")


class Told:
    """Commands on one store."""

    def __init__(self, address: StoreAddress, folder: Path) -> None:
        self._where = ("--redis-url", str(address.url))
        self.folder = folder

    def cs(self, *words: str) -> Said:
        return said(*words, *self._where)

    def submit(self, **changes: object) -> str:
        done = self.cs("claim", "submit", json.dumps(J7 | changes))
        assert done.code == 0, done
        return done.out.strip()


@pytest.fixture
def told(store_address: StoreAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Told:
    monkeypatch.chdir(tmp_path)  # the key vault stands beside the data directory, which is relative
    return Told(store_address, tmp_path)


def test_submit_prints_the_id_and_nothing_else(told: Told) -> None:
    claim = told.submit()
    assert claim.startswith("CLM-")
    assert "\n" not in claim
    assert told.cs("claim", "show", claim, "--json").json["state"] == "SUBMITTED"


def test_a_submission_is_read_from_a_file_as_well(told: Told) -> None:
    path = told.folder / "claim.json"
    path.write_text(json.dumps(J7))
    assert told.cs("claim", "submit", str(path)).out.startswith("CLM-")


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("{", "no JSON"),
        ("{}", "Policy ID is required, Customer ID is required"),
        (json.dumps(J7 | {"type": "boat"}), "Claim type must be auto, home, or life"),
        (json.dumps(J7 | {"id": "banana"}), "claimId"),
        ("/no/such/file", "No such file"),
        ('{"a": "' + "x" * 300_000 + '"}', "longer than"),
    ],
)
def test_a_bad_submission_is_one_line_and_exit_2(told: Told, body: str, sentence: str) -> None:
    refused = told.cs("claim", "submit", body)
    assert refused.code == 2
    assert sentence in refused.one_line()


def test_the_same_reference_is_the_same_claim(told: Told) -> None:
    first = told.cs("claim", "submit", json.dumps(J7), "--reference", "mine-1", "--json").json
    again = told.cs("claim", "submit", json.dumps(J7), "--reference", "mine-1", "--json").json
    assert (first["added"], again["added"]) == (True, False)
    assert first["claimId"] == again["claimId"]


def test_a_refusal_names_state_command_and_guard(told: Told) -> None:
    claim = told.submit()
    refused = told.cs("claim", "investigate", claim, "--json")
    assert refused.code == 2
    assert json.loads(refused.err)["exit_code"] == 2
    line = told.cs("claim", "investigate", claim).one_line()
    assert "StartInvestigation in SUBMITTED refused (WRONG_STATE)" in line


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("approve", "CLM-00000000", "1"), "not found"),
        (("show", "CLM-00000000"), "not found"),
        (("history", "CLM-00000000"), "not found"),
        (("explain", "CLM-00000000"), "not found"),
        (("document", "CLM-00000000", "invoice"), "not found"),
        (("payment", "CLM-00000000"), "not found"),
        (("show", "clm-1"), "no claim id"),
        (("approve", "CLM-00000000", "12abc"), "12abc"),
        (("reject", "CLM-00000000", "--reason", "FOO"), "INSUFFICIENT_PROOF"),
        (("approve", "CLM-00000000", "1", "--as", "clams_manager:me"), "did you mean claims_manager?"),
        (("approve", "CLM-00000000", "1", "--as", "claims_manager"), "ROLE:ID"),
    ],
)
def test_what_cannot_be_is_one_line_and_exit_2(told: Told, words: tuple[str, ...], sentence: str) -> None:
    told.submit()
    refused = told.cs("claim", *words)
    assert refused.code == 2
    assert sentence in refused.one_line()


def test_explain_says_that_nothing_is_decided_yet(told: Told) -> None:
    claim = told.submit()
    assert "nothing is decided yet" in told.cs("claim", "explain", claim).out
    assert told.cs("claim", "explain", claim, "--json").json["decision"] == "none"


def test_an_unknown_lab_script_is_answered_with_those_that_are(told: Told) -> None:
    refused = told.cs("lab", "load-simple-data")
    assert refused.code == 2
    assert "load-sample-data" in refused.one_line()


@pytest.fixture
async def app(store_address: StoreAddress, tmp_path: Path) -> AsyncIterator[Application]:
    settings = load("test", environment={}, overrides={"embedded.data_dir": str(tmp_path / "store")})
    opened = await open_application(settings, store_address)
    yield opened
    await opened.close()
    await asyncio.get_running_loop().shutdown_default_executor()


async def submitted(app: Application, reference: str = "1") -> str:
    wish = await read_lab_body(app, json.dumps(J7).encode(), reference, app.clock.now())
    issued = await Commander(app).issue(wish.command.claim_id, wish.command, wish.actor)  # type: ignore[union-attr]
    assert isinstance(issued, Issued), issued
    return issued.claim.claim_id


async def test_people_who_act_at_once_are_all_decided_on_the_claim_as_it_is_then(app: Application) -> None:
    """Eight documents at once: each loses against others and is decided again, none is lost or doubled."""
    claim = await submitted(app)
    wishes = [c.UploadDocument(document_id=f"DOC-{number}", kind="invoice") for number in range(8)]
    done = await asyncio.gather(*(Commander(app).issue(claim, wish, ADJUSTER) for wish in wishes))
    assert all(isinstance(one, Issued) for one in done)
    (after,) = await app.claims.read([claim])
    assert after is not None
    assert sorted(after.document_ids) == [f"DOC-{number}" for number in range(8)]
    assert after.version == 9


async def test_a_command_that_is_sent_twice_under_one_id_is_done_once(app: Application) -> None:
    claim = await submitted(app)
    note = c.AddNote(kind="call", note="spoke to the claimant")
    issue = partial(Commander(app).issue, claim, note, ADJUSTER, command_id="note-1")
    first, again = await issue(), await issue()
    assert isinstance(first, Issued) and isinstance(again, Issued)
    assert again.repeated
    assert again.entry_ids == first.entry_ids


async def test_a_refused_command_writes_nothing(app: Application) -> None:
    claim = await submitted(app)
    before = await app.store.reads.one("XLEN", "claims:events")
    outcome = await Commander(app).issue(claim, c.StartInvestigation(scope="all of it"), ADJUSTER)
    assert isinstance(outcome, Refused)
    assert await app.store.reads.one("XLEN", "claims:events") == before


async def test_a_duplicate_names_a_claim_that_is_there_and_is_no_duplicate_itself(app: Application) -> None:
    claim, other = await submitted(app), await submitted(app, "2")

    async def same(one: str, stays: str) -> Issued | Refused:
        return await Commander(app).issue(one, c.MarkDuplicate(surviving_claim_id=stays, reason="same"), ADJUSTER)

    missing = await same(claim, "CLM-NOWHERE1")
    assert isinstance(missing, Refused) and missing.message == "surviving claim id: there is no claim CLM-NOWHERE1"
    assert isinstance(await same(claim, other), Issued)
    circle = await same(other, claim)
    assert isinstance(circle, Refused)
    assert circle.message == f"surviving claim id: {claim} was itself closed as a duplicate of {other}"


async def test_the_snapshot_is_the_fold_of_what_the_log_keeps_also_of_moments(app: Application) -> None:
    """The clock has microseconds and the log milliseconds: a snapshot with more would never be rebuilt."""
    claim = await submitted(app)
    await Commander(app).issue(claim, c.AddNote(kind="call", note="n"), ADJUSTER)
    reader = EntryReader("claimId", EventCodec(tuple(EVENTS), decode_body))
    entries: list[Any] = [reader.read(raw) async for raw in app.store.reads.stream("claims:events")]
    body = await app.store.reads.one("HGET", f"claim:{claim}", "body")
    assert fold(map(fact_of, entries)) == claim_of(body)
