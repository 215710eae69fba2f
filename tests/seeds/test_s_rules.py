"""Rows that name a test by a pattern and need no running cluster: the state machine, clocks, poison."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from config.loading import load
from domain import commands as c
from domain.claim import evolve, fitting_row
from domain.transitions import EVENT_TYPES, TABLE, Row, State
from runtime.serving.attempts import WorkOptions
from runtime.store.append import Appended
from runtime.store.parking import DeadLetters
from runtime.store.reads import Reads
from tests.domain.test_properties import ACTS, ALIKE, NONE, POLICIES, told
from tests.support.claims import CLAIMANT, MANAGER, REVIEWER, Story
from tests.support.rows import row
from tests.support.running import Lister, serving
from tests.support.things import facts, open_things
from workers.adapters.auto_portfolio import portfolio
from workers.bootstrap import open_application
from workers.importing import Importer
from workers.timekeeper import Timekeeper
from workers.timing import SimulatedTiming

if TYPE_CHECKING:
    from pathlib import Path

    from redis.asyncio import Redis

    from domain.claim_record import Claim
    from runtime.store.clients import StoreAddress

LIVES = 500
"""Random lives of a claim: so many take every row of the table but the one that is told on purpose."""


@row("S19")
def test_state_machine_walks_every_transition() -> None:
    draw = random.Random(20250210)
    taken: set[Row] = set()
    for number in range(LIVES):
        steps = [(draw.choice(ACTS), draw.randrange(10_000)) for _ in range(60)]
        amounts = [draw.randrange(1, 1_500_000) for _ in range(draw.randrange(1, 4))]
        history = ALIKE if number % 20 == 0 else NONE
        taken |= rows_of(told(draw.choice(POLICIES), draw.choice(("OH", "TX")), amounts, steps, history))
    taken |= rows_of(questions_on_appeal()) | rows_of(told_twice())
    missing = [(one.event, one.command, one.when) for one in TABLE if one not in taken]
    assert not missing


def questions_on_appeal() -> Story:
    """The reviewer of an appeal asks for more, gets it, and the claim is where it was: under appeal."""
    denial = c.RejectClaim(
        reason_codes=("INSUFFICIENT_PROOF",), provisions=("proof of loss",), appeal_text_id="appeal.denial.1"
    )
    story = Story().submit().do(denial, MANAGER).do(c.FileAppeal(grounds="here it is"), CLAIMANT)
    assert story.state() is State.UNDER_APPEAL
    story.do(c.RequestInformation(items=("invoice",), owed_by="claimant", message="please"), REVIEWER)
    story.do(c.UploadDocument(document_id="DOC-1", kind="invoice", checklist_item="invoice"), CLAIMANT)
    assert story.state() is State.UNDER_APPEAL
    return story


def told_twice() -> Story:
    """A person finds that the claim is another one's duplicate."""
    return Story().submit().do(c.MarkDuplicate(surviving_claim_id="CLM-TEST0002", reason="the same loss"), MANAGER)


def rows_of(story: Story) -> set[Row]:
    """The rows of the table that the facts of a story took."""
    found: set[Row] = set()
    claim: Claim | None = None
    for fact in story.facts:
        if fact.type in EVENT_TYPES:
            taken = TABLE[0] if claim is None else fitting_row(claim, fact.type, fact.body, fact.at)
            assert taken is not None
            found.add(taken)
        claim = evolve(claim, fact)
    return found


@row("S20")
async def test_sla_breach_once_whoever_notices_it_and_however_often(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    """Two timekeepers look at the same overdue clocks at once, and again: each clock breaches once."""
    settings = load("test", environment={}, overrides={"embedded.data_dir": str(tmp_path / "store")})
    timing = SimulatedTiming()
    app = await open_application(settings, store_address, timing=timing)
    try:
        await Importer(app).submissions([one.submission for one in portfolio(5)])
        keepers = [
            Timekeeper(app.store.reads, app.claims, app.payees, app.claim_log, app.claim_keys(0), timing, app.rules)
            for _ in range(2)
        ]
        timing.advance(next(portfolio(1)).submission.reported_at + timedelta(days=120))
        for _ in range(6):
            both = [await keeper.due(0) for keeper in keepers]
            answers = await app.store.appender.append_many([unit for units in both for unit in units])
            assert all(isinstance(answer, Appended) or answer.version for answer in answers)
        breaches: Counter[tuple[str, str, int]] = Counter()
        async for _, fields in app.store.reads.stream("claims:events"):
            if fields[3] == b"claim.sla.breached":
                body = json.loads(fields[9])
                breaches[fields[5].decode(), body["clock"], body["cycle"]] += 1
        assert len({claim for claim, _, _ in breaches}) == 5
        assert set(breaches.values()) == {1}, breaches
    finally:
        await app.close()
        await asyncio.get_running_loop().shutdown_default_executor()


@row("S50")
@pytest.mark.parametrize("attempts", [1, 3])
async def test_poison_parked_after_n_tries_and_the_others_go_on(
    commands: Redis, store_address: StoreAddress, attempts: int
) -> None:
    things = await open_things(commands, Lister.group)
    for number in range(20):
        await things.append(facts(f"T{number}", 0, 1))
    lister = Lister(fails={"T7-1"})
    async with serving(store_address, things, lister, work=WorkOptions(attempts=attempts)) as served:
        await served.until_rest()
    (letter,) = await DeadLetters(commands, Reads(commands), things.keys).listed(Lister.group)
    assert (letter.fields["eventId"], letter.attempts) == ("T7-1", attempts)
    assert sum(given == ["T7-1"] for given in lister.given) == attempts
    assert await things.list("seen") == [f"T{number}-1" for number in range(20) if number != 7]
