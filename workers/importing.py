"""Puts submissions, and the policies and customers that come with a portfolio, into the logs: many at once.

Idempotent: ids follow from the source, so a file that is imported twice adds nothing. An unknown outcome (the
reply was lost) is settled by asking again with the same command ids.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, time
from itertools import islice
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from domain.bodies.base import Actor
from domain.context import Context
from domain.deciding import decide
from domain.events import SCHEMA_VERSION
from domain.identity import command_id, event_id
from domain.outcome import Accepted
from domain.privacy import SealContext, claim_subject, person_subject
from runtime.effects import Append
from runtime.store.append import Appended
from workers.claim_log import Cause
from workers.keys import CUSTOMER_LOG
from workers.record_log import customer_append, policy_append
from workers.submissions import submit_command
from workers.zones import zone_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from domain.customer import CustomerRegistered
    from domain.policy_events import PolicyIssued
    from runtime.store.append import AppendAnswer
    from workers.adapters.auto_row import AutoRow
    from workers.application import Application
    from workers.submissions import Submission

BATCH = 200
"""Submissions of one round trip: 0.6 MB of entries at most, some 10 ms of the store's time."""

BREATH = 20
"""Rows between two turns of the loop, some 2 ms."""

PATIENCE_SECONDS = 30.0
"""How long an import waits for a store that is away before it gives up."""

T = TypeVar("T")


class Record(Protocol):
    """A customer and the policy of that customer, as they were registered."""

    @property
    def registered(self) -> CustomerRegistered:
        """The customer."""
        ...

    @property
    def issued(self) -> PolicyIssued:
        """The policy."""
        ...


class Imported(msgspec.Struct):
    """What became of a number of submissions. `refused_at`: which of them were refused, counted from 0, in
    the order of `refused`, which says why.
    """

    added: int = 0
    known: int = 0
    refused: list[str] = []
    refused_at: list[int] = []
    claim_ids: list[str] = []

    def __iadd__(self, other: Imported) -> Imported:
        """Add up."""
        self.added += other.added
        self.known += other.known
        before = len(self.claim_ids)
        self.refused.extend(other.refused)
        self.refused_at.extend(before + place for place in other.refused_at)
        self.claim_ids.extend(other.claim_ids)
        return self


class Ready(msgspec.Struct):
    """A batch that is sealed and decided, and only has to be appended. `result` holds what is known before that."""

    records: list[Append]
    notices: list[Append]
    result: Imported


class Importer:
    """Imports into one application; `import_ahead` keeps it busy with a stream of batches."""

    def __init__(self, app: Application) -> None:
        """`app` is open."""
        self._app = app

    async def portfolio(self, rows: Sequence[AutoRow]) -> Imported:
        """Policies, customers and first notices of loss of some rows of a portfolio."""
        ready = await self.ready(rows, [row.submission for row in rows])
        await self.send_records(ready)
        return await self.send_notices(ready)

    async def records(self, records: Sequence[Record]) -> int:
        """Customers and their policies without any claim; how many of the two are new."""
        return await self.send_records(await self.ready(records, ()))

    async def submissions(self, submissions: Sequence[Submission]) -> Imported:
        """First notices of loss; each is registered or met again, or refused with the reason."""
        return await self.send_notices(await self.ready((), submissions))

    async def ready(self, records: Sequence[Record], submissions: Sequence[Submission]) -> Ready:
        """Seal and decide everything of a batch. Its keys are made in one transaction of the vault."""
        sealer = self._app.sealer
        ids = [sealer.claim_id(one.source, one.source_ref) for one in submissions]
        people = [person_subject(record.registered.customer_id) for record in records]
        await asyncio.to_thread(sealer.prepare, [*people, *map(claim_subject, ids)])
        ready = Ready([], [], Imported(claim_ids=ids))
        for place, record in enumerate(records):
            await _breathe(place)
            ready.records += self._record(record)
        for place, (submission, claim_id) in enumerate(zip(submissions, ids, strict=True)):
            await _breathe(place)
            unit = self._notice(submission, claim_id)
            if isinstance(unit, str):
                ready.result.refused_at.append(place)
                ready.result.refused.append(f"{submission.source_ref}: {unit}")
            else:
                ready.notices.append(unit)
        return ready

    async def send_records(self, ready: Ready) -> int:
        """Append policies and customers; how many of them are new."""
        answers = await self._app.store.appender.append_surely(ready.records, seconds=PATIENCE_SECONDS)
        return sum(map(_is_new, answers))

    async def send_notices(self, ready: Ready) -> Imported:
        """Append the first notices of loss, once their policies are there."""
        answers = await self._app.store.appender.append_surely(ready.notices, seconds=PATIENCE_SECONDS)
        ready.result.added = sum(map(_is_new, answers))
        ready.result.known = len(answers) - ready.result.added
        return ready.result

    def _notice(self, submission: Submission, claim_id: str) -> Append | str:
        """The append of one first notice of loss, or why it cannot be."""
        command = submit_command(
            submission, claim_id, description=submission.description, loss_location=submission.loss_location
        )
        actor = Actor(id=submission.claimant_id, role=submission.reporter_role)
        now = self._app.timing.after(submission.reported_at.astimezone(UTC))
        zone = zone_of(submission.jurisdiction)
        outcome = decide(None, command, Context(now=now, actor=actor, rules=self._app.rules, zone=zone))
        if not isinstance(outcome, Accepted):
            return outcome.message
        identity = command_id("submit", submission.source, submission.source_ref)
        unit, _ = self._app.claim_log.append(None, outcome, Cause(identity, identity, command_id=identity))
        return unit

    def _record(self, record: Record) -> list[Append]:
        """The policy and the customer of a record; both are registered when the policy begins."""
        registered = record.registered
        at = datetime.combine(registered.registered, time(), UTC)
        personal: dict[str, str] = getattr(record, "personal", {})
        if personal:
            identity = event_id(f"{CUSTOMER_LOG}|{registered.customer_id}", 1)
            subject = person_subject(registered.customer_id)
            context = SealContext(identity, "customer.registered", SCHEMA_VERSION, "sealed", subject)
            sealed = self._app.sealer.seal(context, msgspec.json.encode(personal).decode())
            registered = msgspec.structs.replace(registered, sealed=sealed)
        return [
            policy_append(None, 0, record.issued, at, "system:import"),
            customer_append(None, 0, registered, at, "system:import"),
        ]


def _is_new(answer: AppendAnswer) -> bool:
    """Whether it was not there before."""
    return isinstance(answer, Appended) and not answer.repeated


async def _breathe(place: int) -> None:
    """Let the loop turn now and then: what the socket did not take at once of the batch before goes out meanwhile."""
    if place % BREATH == 0:
        await asyncio.sleep(0)


def batches(rows: Iterable[T], size: int = BATCH) -> Iterable[list[T]]:
    """Cut a stream of rows into batches."""
    source = iter(rows)
    while batch := list(islice(source, size)):
        yield batch
