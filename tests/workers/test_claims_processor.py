"""The process manager: what it returns for a batch; snapshots, policies and payees are given as values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from domain.context import Payee
from domain.events import EVENTS, decode_body
from runtime.effects import Append, HashIncrement, ListPush, Park
from runtime.entry import Batch, Entry, EntryReader
from runtime.store.keys import Keyspace
from tests.support.windows import window
from workers.adapters.auto_portfolio import read_auto_claims
from workers.adapters.auto_row import AutoRow
from workers.adoption import Adoption
from workers.claim_log import Cause, ClaimLog, EventCodec, claim_of
from workers.claims_processor import ClaimsProcessor
from workers.keys import CLAIM_LOG, ClaimKeys, claim_log
from workers.loss_index import LossIndex
from workers.roster import demo_roster
from workers.sightings import Sightings
from workers.submissions import submit_command
from workers.timing import SimulatedTiming
from workers.waiting_payees import WaitingPayees
from workers.work_lists import WorkLists

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from domain.claim_record import Claim
    from domain.policy import Policy
    from domain.roster import Roster

KEYSPACE = Keyspace(claim_log(1))
KEYS = ClaimKeys(KEYSPACE, 0)
READER = EntryReader("claimId", EventCodec(tuple(EVENTS), decode_body))


class PlainSealer:
    """Seals nothing: what is sealed is a matter of its own tests."""

    def __init__(self) -> None:
        self.prepared: list[list[str]] = []

    def prepare(self, subjects: Collection[str]) -> None:
        self.prepared.append(list(subjects))

    def seal_body(self, event_id: str, event_type: str, schema: str, claim_id: str, body: object) -> object:
        return body


class World:
    """The reads of a processor as plain values, filled by the appends that it returns."""

    def __init__(self, *rows: AutoRow) -> None:
        self.claims: dict[str, Claim] = {}
        self.policies: dict[str, Policy] = {row.policy.number: row.policy for row in rows}
        self.payees = {row.registered.customer_id for row in rows}
        self.sealer = PlainSealer()
        self.log = ClaimLog(KEYSPACE, self.sealer)  # type: ignore[arg-type]  # the methods that are used
        self.timing = SimulatedTiming()
        self.added = 0

    async def read(self, claim_ids: Sequence[str]) -> list[Claim | None]:
        return [self.claims.get(claim_id) for claim_id in claim_ids]

    async def find(self, numbers: Collection[str]) -> dict[str, Policy]:
        return {number: self.policies[number] for number in numbers if number in self.policies}

    async def snapshot(self) -> Roster:
        return demo_roster()

    async def many(self, commands: Sequence[tuple[str, ...]]) -> list[dict[bytes, bytes]]:
        return [{} for _ in commands]

    async def first(self, count: int) -> list[str]:
        return []

    def take(self, unit: Append) -> list[Entry]:
        """What the store would do with an append: the snapshot, and the entries that come to be read."""
        claim = claim_of(str(unit.snapshot["body"]).encode())
        assert claim is not None
        self.claims[claim.claim_id] = claim
        entries = []
        for fields in unit.events:
            self.added += 1
            entries.append(READER.read((f"{self.added}-0".encode(), [str(part).encode() for part in fields])))
        return entries


class Payees:
    def __init__(self, world: World) -> None:
        self._world = world

    async def find(self, claimant_ids: Collection[str]) -> dict[str, Payee]:
        known = self._world.payees & set(claimant_ids)
        return {name: Payee(payee_id=name, verified=True, sanctions_clear=True) for name in known}


def processor(world: World) -> ClaimsProcessor:
    from domain.rules import DEFAULT_RULES

    adoption = Adoption(world, world, world.log, world.timing, DEFAULT_RULES)
    index = LossIndex(world, KEYSPACE, 0)  # type: ignore[arg-type]  # an empty store: `many` is all that is asked
    return ClaimsProcessor(
        world,
        world,
        Payees(world),
        world,
        world.log,
        WorkLists(KEYS),
        adoption,
        world.timing,
        DEFAULT_RULES,
        index,
        world,
        Sightings(world, KEYSPACE, 0),  # type: ignore[arg-type]  # as above
        WaitingPayees(world, KEYS),  # type: ignore[arg-type]  # as above
    )


def auto_row(policy: str) -> AutoRow:
    return next(row for row in read_auto_claims() if isinstance(row, AutoRow) and row.policy.number == policy)


def notice(world: World, row: AutoRow, claim_id: str = "CLM-00000001") -> list[Entry]:
    """The first notice of loss of a row, appended."""
    from domain.bodies.base import Actor
    from domain.context import Context
    from domain.deciding import decide
    from domain.outcome import Accepted

    submission = row.submission
    command = submit_command(submission, claim_id, description="", loss_location="")
    actor = Actor(id=submission.claimant_id, role=submission.reporter_role)
    outcome = decide(None, command, Context(now=submission.reported_at.astimezone(UTC), actor=actor))
    assert isinstance(outcome, Accepted), outcome
    unit, _ = world.log.append(None, outcome, Cause("notice", "notice"))
    return world.take(unit)


def batch(entries: list[Entry]) -> Batch:
    return Batch(CLAIM_LOG, 0, entries)


def types_of(unit: Append) -> list[str]:
    return [str(fields[3]) for fields in unit.events]


async def test_a_notice_is_acknowledged_validated_and_assigned_in_one_append() -> None:
    world = World(auto_row("POL-521585"))
    wanted = await processor(world).handle(batch(notice(world, auto_row("POL-521585"))))
    (unit,) = [one for one in wanted if isinstance(one, Append)]
    assert types_of(unit) == ["claim.acknowledged", "claim.validated", "claim.reserve.changed", "claim.assigned"]
    assert unit.expected_version == 1


async def test_the_keys_of_a_batch_of_notices_are_fetched_in_one_look_at_the_vault() -> None:
    row = auto_row("POL-521585")
    world = World(row)
    entries = [*notice(world, row, "CLM-00000001"), *notice(world, row, "CLM-00000002")]
    await processor(world).handle(batch(entries))
    assert world.sealer.prepared == [["claim:CLM-00000001", "claim:CLM-00000002"]]


async def test_an_assignment_counts_in_the_load_in_the_step_that_decides_it() -> None:
    world = World(auto_row("POL-521585"))
    wanted = await processor(world).handle(batch(notice(world, auto_row("POL-521585"))))
    loads = [one for one in wanted if isinstance(one, HashIncrement) and one.key == KEYS.adjuster_load]
    assert [sum(amount for name, amount in one.by.items() if name != "#decisions") for one in loads] == [5]


async def test_its_own_assignment_is_not_counted_again_when_the_fact_comes_back() -> None:
    world = World(auto_row("POL-521585"))
    actor = processor(world)
    first = await actor.handle(batch(notice(world, auto_row("POL-521585"))))
    facts = [entry for one in first if isinstance(one, Append) for entry in world.take(one)]
    wanted = await actor.handle(batch(facts))
    assert not [one for one in wanted if isinstance(one, HashIncrement) and one.key == KEYS.adjuster_load]
    assert [one.key for one in wanted if isinstance(one, ListPush)] == [
        KEYS.workload(world.claims["CLM-00000001"].owner.adjuster_id),  # type: ignore[union-attr]  # it is assigned
        KEYS.queue("assigned:claims"),
    ]


async def test_a_claim_is_not_read_again_when_only_its_own_assignment_comes_back_but_for_any_fact_of_others() -> None:
    world = World(auto_row("POL-521585"))
    first_notice = notice(world, auto_row("POL-521585"))
    actor = processor(world)
    first = await actor.handle(batch(first_notice))
    facts = [entry for one in first if isinstance(one, Append) for entry in world.take(one)]
    note = raw("claim.note.added", "CLM-00000001", '{"kind":"contact"}')
    note.sequence, note.actor = len(facts) + 2, "senior_adjuster:S"
    read: list[list[str]] = []

    async def watched(claim_ids: Sequence[str]) -> list[Claim | None]:
        read.append(list(claim_ids))
        return [world.claims.get(claim_id) for claim_id in claim_ids]

    world.read = watched  # type: ignore[method-assign]  # what is read is watched
    for entries in (facts, facts[:2], [*first_notice, *facts], [*facts, note]):
        await actor.handle(batch(entries))
    assert read == [[], ["CLM-00000001"], ["CLM-00000001"], ["CLM-00000001"]]


async def test_for_a_claim_that_somebody_works_on_neither_policy_nor_payee_nor_roster_is_looked_up() -> None:
    world = World(auto_row("POL-521585"))
    first = await processor(world).handle(batch(notice(world, auto_row("POL-521585"))))
    facts = [entry for one in first if isinstance(one, Append) for entry in world.take(one)]
    asked: list[str] = []

    async def find(numbers: Collection[str]) -> dict[str, Policy]:
        asked.extend(numbers)
        return {}

    async def snapshot() -> Roster:
        asked.append("roster")
        return demo_roster()

    actor = processor(world)
    actor._payees.find = world.find = find  # type: ignore[assignment,method-assign]  # what is looked up is watched
    world.snapshot = snapshot  # type: ignore[method-assign]  # as above
    await actor.handle(batch(facts[:2]))  # without the assignment, after which it is not even read
    assert asked == []


@window("W34")
async def test_the_same_batch_again_appends_nothing_once_the_claim_has_moved_on() -> None:
    world = World(auto_row("POL-521585"))
    actor = processor(world)
    entries = notice(world, auto_row("POL-521585"))
    for one in await actor.handle(batch(entries)):
        if isinstance(one, Append):
            world.take(one)
    assert not [one for one in await actor.handle(batch(entries)) if isinstance(one, Append)]


async def test_a_loss_before_inception_is_denied_for_a_clerical_reason_without_a_person() -> None:
    world = World(auto_row("POL-794731"))
    wanted = await processor(world).handle(batch(notice(world, auto_row("POL-794731"))))
    (unit,) = [one for one in wanted if isinstance(one, Append)]
    assert types_of(unit)[-2:] == ["claim.rejected", "claim.closed"]
    claim = claim_of(str(unit.snapshot["body"]).encode())
    assert claim is not None
    assert "LOSS_BEFORE_INCEPTION" in claim.coverage.codes


async def test_an_unknown_policy_is_registered_and_acknowledged_all_the_same() -> None:
    world = World()
    wanted = await processor(world).handle(batch(notice(world, auto_row("POL-521585"))))
    (unit,) = [one for one in wanted if isinstance(one, Append)]
    assert types_of(unit)[:2] == ["claim.acknowledged", "claim.validated"]


def raw(event_type: str, claim_id: str, data: str, event_id: str = "raw-1") -> Entry:
    fields = {
        "eventType": event_type, "claimId": claim_id, "eventId": event_id,
        "timestamp": (datetime(2015, 2, 1, tzinfo=UTC) + timedelta(hours=1)).isoformat(),
        "data": data, "version": "1.0",
    }  # fmt: skip
    return READER.read((b"77-0", [part.encode() for pair in fields.items() for part in pair]))


LAB_CLAIM = (
    '{"policyId":"POL-521585","customerId":"CUST-521585","amount":2500,'
    '"description":"Rear-end collision","type":"auto"}'
)


async def test_raw_entry_adopted_as_a_fact_with_its_own_event_id_as_command_id() -> None:
    world = World(auto_row("POL-521585"))
    actor = processor(world)
    first = await actor.handle(batch([raw("claim.submitted", "CLM-ABCDEF01", LAB_CLAIM)]))
    again = await actor.handle(batch([raw("claim.submitted", "CLM-ABCDEF01", LAB_CLAIM)]))
    (unit,) = [one for one in first if isinstance(one, Append)]
    (second,) = [one for one in again if isinstance(one, Append)]
    assert types_of(unit) == ["claim.submitted"]
    assert unit.command_id
    assert unit.command_id == second.command_id


@pytest.mark.parametrize(
    ("event_type", "claim_id", "data", "said"),
    [
        ("claim.submitted", "CLM-ABCDEF01", '{"amount": -1}', "Valid claim amount is required"),
        ("claim.submitted", "CLM-ABCDEF01", "not json", "JSON"),
        ("claim.submitted", "nonsense", LAB_CLAIM, "CLM-"),
        ("claim.exploded", "CLM-ABCDEF01", LAB_CLAIM, "claim.exploded"),
        ("claim.approved", "CLM-ABCDEF01", '{"approvedAmount": 5, "approvedBy": "M-1"}', "ApproveClaim"),
    ],
)
async def test_a_request_that_cannot_be_is_parked_with_words_for_people(
    event_type: str, claim_id: str, data: str, said: str
) -> None:
    world = World(auto_row("POL-521585"))
    (park,) = await processor(world).handle(batch([raw(event_type, claim_id, data)]))
    assert isinstance(park, Park)
    assert said in park.reason
