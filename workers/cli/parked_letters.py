"""The dead letters of every log and group, each with an id that names it among all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from runtime.store.keys import Keyspace
from runtime.store.parking import DeadLetter, DeadLetters
from runtime.store.reads import Reads
from workers.cli.errors import Problem
from workers.cli.survey import groups_of, stored_specs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from redis.asyncio import Redis

    from runtime.store.keys import LogSpec


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """One dead letter; `id` is `log/group/partition/stream id`."""

    id: str
    log: str
    group: str
    partition: int
    parked_id: str
    origin_id: str
    entity: str
    event_type: str
    reason: str
    attempts: int
    first_failed: str
    last_failed: str
    held: bool
    fields: dict[str, str]


async def open_letters(client: Redis, specs: Iterable[LogSpec]) -> Letters:
    """Find the logs and their groups. Raises store faults."""
    reads = Reads(client)
    drawers: list[tuple[str, str, DeadLetters]] = []
    for spec in await stored_specs(reads, specs):
        keys = Keyspace(spec)
        letters = DeadLetters(client, reads, keys)
        drawers += [(spec.name, group, letters) for group, _, timed in await groups_of(reads, keys) if not timed]
    return Letters(drawers)


class Letters:
    """What operators do with dead letters."""

    def __init__(self, drawers: Sequence[tuple[str, str, DeadLetters]]) -> None:
        """`drawers`: (log, group, dead letters of the log)."""
        self._drawers = drawers

    async def all(self) -> list[Letter]:
        """Every dead letter, oldest first within each group and partition."""
        return [_letter(log, found) for log, group, letters in self._drawers for found in await letters.listed(group)]

    async def one(self, ident: str) -> Letter:
        """The letter with this id, or with this stream id when only one has it. Raises `Problem`."""
        everything = await self.all()
        found = [one for one in everything if one.id == ident]
        found = found or [one for one in everything if one.parked_id == ident]
        if len(found) == 1:
            return found[0]
        if found:
            raise Problem(f"{ident} names {len(found)} parked entries: {', '.join(one.id for one in found)}")
        raise Problem(f"nothing is parked as {ident}: `claimstream parked list` shows the ids")

    async def retry(self, letters: Iterable[Letter], *, who: str, why: str) -> int:
        """Ask the actors to take the entities of these letters again; how many that are."""
        wanted: dict[tuple[str, str, int], list[str]] = {}
        for one in letters:
            entities = wanted.setdefault((one.log, one.group, one.partition), [])
            if one.entity not in entities:
                entities.append(one.entity)
        asked = 0
        for (log, group, partition), entities in wanted.items():
            asked += await self._drawer(log, group).retry(group, partition, entities, who=who, why=why)
        return asked

    async def drop(self, letter: Letter, *, who: str, why: str) -> None:
        """Give one letter up. `Problem`: it is gone meanwhile."""
        raw = DeadLetter(
            parked_id=letter.parked_id,
            group=letter.group,
            partition=letter.partition,
            origin_id=letter.origin_id,
            entity=letter.entity,
            event_type=letter.event_type,
            reason=letter.reason,
            attempts=letter.attempts,
            first_failed=letter.first_failed,
            last_failed=letter.last_failed,
            held=letter.held,
            fields=letter.fields,
        )
        if not await self._drawer(letter.log, letter.group).drop(raw, who=who, why=why):
            raise Problem(f"{letter.id} is no longer parked: somebody else was first")

    def _drawer(self, log: str, group: str) -> DeadLetters:
        return next(letters for name, of, letters in self._drawers if (name, of) == (log, group))


def _letter(log: str, found: DeadLetter) -> Letter:
    return Letter(
        id=f"{log}/{found.group}/{found.partition}/{found.parked_id}",
        log=log,
        **msgspec.structs.asdict(found),
    )
