"""Which raw requests are taken: each has one effect, none gets lost, none begins a claim in the future."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from domain.events import EVENTS, decode_body
from domain.rules import DEFAULT_RULES
from runtime.clock import SystemClock
from runtime.effects import Append, Park
from runtime.entry import Entry, EntryReader
from runtime.store.keys import Keyspace
from workers.adoption import Adoption
from workers.claim_log import ClaimLog, EventCodec
from workers.keys import claim_log
from workers.timing import WallTiming

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from domain.claim_record import Claim
    from domain.policy import Policy

READER = EntryReader("claimId", EventCodec(tuple(EVENTS), decode_body))
DATA = {"policyId": "P", "customerId": "C", "amount": 5, "description": "x", "type": "auto"}
ADDED_MS = 1_768_900_000_000  # 2026-01-20T09:06:40Z


class Nothing:
    """A store without claims and policies, and a sealer that seals nothing."""

    async def read(self, claim_ids: Sequence[str]) -> list[Claim | None]:
        return [None for _ in claim_ids]

    async def find(self, numbers: Collection[str]) -> dict[str, Policy]:
        del numbers
        return {}

    def seal_body(self, event_id: str, event_type: str, schema: str, claim_id: str, body: object) -> object:
        del event_id, event_type, schema, claim_id
        return body


def request(
    claim_id: str = "CLM-ABCDEF01", *, event_id: str = "e-1", timestamp: str = "2026-01-20T09:00:00Z",
    data: str = json.dumps(DATA), added_ms: int = ADDED_MS,
) -> Entry:  # fmt: skip
    fields = {
        "eventId": event_id, "eventType": "claim.submitted", "claimId": claim_id, "timestamp": timestamp,
        "data": data, "version": "1.0",
    }  # fmt: skip
    return READER.read((f"{added_ms}-0".encode(), [part.encode() for pair in fields.items() for part in pair]))


async def adopted(*requests: Entry) -> list[Append | Park]:
    log = ClaimLog(Keyspace(claim_log(1)), Nothing())  # type: ignore[arg-type]  # the one method that is used
    adoption = Adoption(Nothing(), Nothing(), log, WallTiming(SystemClock()), DEFAULT_RULES)
    return await adoption.adopt(requests)


async def test_two_claims_with_one_event_id_are_two_requests_and_none_gets_lost() -> None:
    first, second = await adopted(request("CLM-ABCDEF01"), request("CLM-ABCDEF02"))
    assert isinstance(first, Append) and isinstance(second, Append)
    assert first.command_id != second.command_id


async def test_a_request_that_its_producer_sends_twice_has_one_command_id() -> None:
    first, second = [(await adopted(request(added_ms=at)))[0] for at in (ADDED_MS, ADDED_MS + 5)]
    assert isinstance(first, Append) and isinstance(second, Append)
    assert first.command_id == second.command_id


async def test_a_notice_of_somebody_else_under_a_taken_id_is_parked_and_not_dropped() -> None:
    theirs = request(event_id="e-2", data=json.dumps(DATA | {"customerId": "OTHER", "amount": 9}))
    first, second = await adopted(request(), request(event_id="e-1b"), theirs)
    assert isinstance(first, Append), "the same notice again asks for nothing"
    assert isinstance(second, Park) and "with another claimant, amount" in second.reason


async def test_a_request_from_the_future_is_parked_and_a_clock_that_is_a_little_ahead_is_not() -> None:
    ahead, future = await adopted(
        request("CLM-ABCDEF01", timestamp="2026-01-21T09:00:00Z"),
        request("CLM-ABCDEF02", timestamp="2026-01-21T09:10:00Z"),
    )
    assert isinstance(ahead, Append)
    assert isinstance(future, Park)
    assert "lies in the future" in future.reason


async def test_an_entry_id_that_its_producer_made_up_is_no_clock() -> None:
    (one,) = await adopted(request(added_ms=5))
    assert isinstance(one, Append)


async def test_a_body_that_is_nested_too_deeply_harms_no_neighbour() -> None:
    deep, sound = await adopted(request(data='{"x":' + "[" * 100_000), request("CLM-ABCDEF02"))
    assert isinstance(deep, Park)
    assert "nested too deeply" in deep.reason
    assert isinstance(sound, Append)
