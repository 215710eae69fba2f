"""The crash points of the runtime: what makes the child come to each, and what has to hold afterwards."""

from __future__ import annotations

import signal
from collections import Counter
from typing import TYPE_CHECKING

from runtime.archive.reader import ArchiveReader
from runtime.store.append import Appended
from runtime.store.keys import Keyspace
from runtime.store.parking import DeadLetters
from runtime.store.position import look
from runtime.store.reads import Reads
from tests.chaos.crash_points.actors import BAD, COPIES, GROUPS, TIMERS
from tests.chaos.crash_points.house import WITHIN, GaveUp
from tests.chaos.crash_points.orders import archive, cured, sent
from tests.support.hosts import LOG, expected, seen, spec
from tests.support.outbox import intent
from tests.support.store import command
from tests.support.things import facts
from tests.support.waiting import until
from workers.keys import NOTIFICATION_LOG, ClaimKeys, claim_log, notification_log

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from runtime.answers import Look
    from runtime.failpoints import Action
    from tests.chaos.crash_points.house import House
    from tests.support.hosts import Outside

    Step = Callable[[], Awaitable[None]]


TRIES = 3
"""Children that may give up before they come to a point."""


class ThingsHouse:
    """Strikes the points of the runtime on one store."""

    def __init__(self, house: House, client: Outside) -> None:
        """`client` is outside of the cluster."""
        self.house = house
        self.client = client
        self.commands = client.commands
        self.intents: set[str] = set()
        self.appends: list[tuple[str, str]] = []
        self._number = 0
        self.steps: dict[str, Step] = {
            "append": self._append,
            "resync": self._lose_the_group,
            "lease": self._steal_leases,
            "handover": self._steal_leases,
            "park": self._poison,
            "retry": self._retry,
            "alone": self._suspect,
            "ticker": self._timer,
            "dispatch": self._intent,
            "leave": self._drain,
            "drain": self._drain,
            "trim": self._trim,
            "archive": self._load,
            "read": self._load,
            "batch": self._load,
            "handler": self._load,
            "settle": self._load,
        }
        """What brings the child to the points of each room."""

    async def strike(self, point: str, action: Action) -> None:
        """Let it happen there; start again what died; finish; check."""
        assert point.partition(".")[0] in self.steps, f"nobody knows how to come to {point}: add a step for its room"
        for _ in range(TRIES):
            await self.house.alive()
            self._number += 1
            try:
                await self._come_to(point, action)
                break
            except GaveUp:
                await self._finish()
        else:
            raise AssertionError(f"no child comes to {point}")
        await self._finish()

    async def _come_to(self, point: str, action: Action) -> None:
        room = point.partition(".")[0]
        if room in ("park", "retry"):
            await self._prepare_poison(parked=room == "retry")
        self._arm_with = f"{point}={action}"
        if room not in ("append", "trim"):  # those the child does by itself, in the same breath
            await self.house.wish(arm=self._arm_with)
        await self.steps[room]()
        await self.house.acted(point, action)
        if room in ("leave", "drain"):
            await self.house.gone()

    async def _finish(self) -> None:
        """Everything that was begun comes to its end, whoever has to be started again."""
        await self.house.alive()
        for entity, name in self.appends:
            answer = await self.client.appender.append(facts(entity, 0, 1, command=name))
            assert isinstance(answer, Appended), f"{entity} cannot be appended again: {answer}"
            self.client.added[entity] = 1
        self.appends.clear()
        await self._cure()

        async def rested() -> bool:
            await self.house.alive()
            return all(one.at_rest and not one.parked for one in (await self.looks()).values()) and not (
                await command(self.commands, "ZCARD", TIMERS)
            )

        try:
            await until(rested, within=WITHIN, what="every group at rest")
        except AssertionError as problem:
            problem.add_note(str(await self.looks()))
            raise
        await self._nothing_lost_of(set(self.client.added) - self._checked)

    _checked: frozenset[str] = frozenset()
    _arm_with = ""

    async def looks(self) -> dict[str, Look]:
        """Where each group stands."""
        return {group: await look(self.commands, self._keys(log), group, 0) for group, log in GROUPS.items()}

    def _keys(self, log: str) -> Keyspace:
        return Keyspace(spec() if log == LOG else notification_log(1))

    async def _nothing_lost_of(self, entities: set[str]) -> None:
        wanted = expected({entity: self.client.added[entity] for entity in entities})
        assert await seen(self.commands, entities) == wanted
        self._checked |= entities

    # What brings the child to a point.

    async def _load(self) -> None:
        await self.client.add(f"T{self._number}", 2)
        await self.client.add(f"T{self._number % 5}-old", 1)

    async def _append(self) -> None:
        entity = f"A{self._number}"
        self.appends.append((entity, f"append-{entity}"))
        await self.house.wish(arm=self._arm_with, append=(entity, 0, f"append-{entity}"))

    async def _trim(self) -> None:
        await self._load()
        await self.house.wish(arm=self._arm_with, trim=True)

    async def _lose_the_group(self) -> None:
        await command(self.commands, "XGROUP", "DESTROY", LOG, "listers")
        await self._load()

    async def _steal_leases(self) -> None:
        """A stranger takes the lease whenever the child has it, until the child has noticed that it lost it."""
        name = Keyspace(spec()).lease("copiers", 0)
        child = self.house.child
        assert child is not None
        await self._load()

        async def noticed() -> bool:
            if self.house.said("reached lease.lost") or self.house.said(f"acted {self._arm_with.replace('=', ' ')}"):
                return True
            if await command(self.commands, "GET", name) == child.name.encode():
                await command(self.commands, "SET", name, "stranger", "PX", 500)
            return False

        await self.house.until(noticed, what="the child notices that its lease is gone")
        await command(self.commands, "DEL", name)

    async def _prepare_poison(self, *, parked: bool) -> None:
        cured(self.house.folder).unlink(missing_ok=True)
        if parked:
            await self._poison()

            async def there() -> bool:
                return (await self.looks())["listers"].parked == 2

            await until(there, within=WITHIN, what="the poison is parked, and what came behind it")

    async def _poison(self) -> None:
        await self.client.add(f"{BAD}{self._number}", 1)
        await self.client.add(f"{BAD}{self._number}", 1)

    async def _retry(self) -> None:
        await self._cure()

    async def _cure(self) -> None:
        """Nothing is poison any more, and an operator asks for another try."""
        cured(self.house.folder).touch()

        async def asked() -> bool:
            await self.house.alive()
            found = await look(self.commands, self._keys(LOG), "listers", 0)
            if found.backlog:
                return False
            if found.parked and not found.retries:
                letters = DeadLetters(self.commands, Reads(self.commands), self._keys(LOG))
                await letters.retry("listers", 0, ["*"], who="test", why="cured")
            return True

        await until(asked, within=WITHIN, what="an operator may ask for another try")

    async def _suspect(self) -> None:
        """As after deaths with a batch at hand: whatever comes next runs by itself."""
        record = self._keys(LOG).position("listers")
        marks = ("alone", "99999999999999-0", "marked", 1, "kills", 0)
        await command(self.commands, "HSET", record, *marks)
        await self._lose_the_group()

    async def _timer(self) -> None:
        name = f"CLK{self._number}"
        self.client.added[name] = 1
        await command(self.commands, "ZADD", TIMERS, 1, name)

    async def _intent(self) -> None:
        fields = intent(f"recipient-{self._number}", event=f"e-{self._number}")
        self.intents.add(fields[1])
        await command(self.commands, "XADD", NOTIFICATION_LOG, "*", *fields)

    async def _drain(self) -> None:
        await self._load()
        self.house.signal(signal.SIGTERM)

    # What has to hold in the end.

    async def verdict(self) -> None:
        """Each event: seen once and in order, copied once, archived once; each intent sent, with one outcome."""
        await self.client.nothing_lost_nothing_twice()
        looks = await self.looks()
        for group, found in looks.items():
            assert found.settled == found.added, f"{group}: {found}"
            assert (found.pending, found.delivered) == (0, found.position), f"{group}: {found}"
        every = {f"{entity}-{n}" for entity, count in self.client.added.items() for n in range(1, count + 1)}
        copies = [
            dict(zip(fields[::2], fields[1::2], strict=True))[b"thingId"].decode()
            async for _, fields in Reads(self.commands).stream(COPIES.name)
        ]
        assert Counter(copies) == Counter(every)
        archived = [one.id for one in ArchiveReader(archive(self.house.folder), LOG, 0).entries()]
        assert len(archived) == len(set(archived)) == looks["archivists"].settled
        await self._intents_ended()

    async def _intents_ended(self) -> None:
        keys = ClaimKeys(Keyspace(claim_log(1)), 0)
        outcomes = {name.decode() for name in await command(self.commands, "HKEYS", keys.outbox_outcomes)}
        assert outcomes == self.intents
        assert await command(self.commands, "HLEN", keys.outbox_attempts) == 0
        assert await command(self.commands, "HLEN", keys.outbox_waiting) == 0
        calls = Counter(sent(self.house.folder).read_text().split())
        assert set(calls) == self.intents
        assert max(calls.values()) <= 2, f"W35: sent again only after the one crash that it lived through: {calls}"
