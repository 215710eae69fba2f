"""What a fault may touch, and the list of all faults: name, number in guarantees.md (c), how to do it.

A fault is an async function of the scene that returns whether it was exercised: False (or `Impossible`) when this
machine cannot do it, or when the moment was wrong; the table then says so, and a fault that no seed exercised makes
the verdict UNKNOWN.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from runtime.store.keys import Keyspace
from tests.chaos.campaign.embedded_target import AWAY
from workers.keys import claim_log, notification_log, request_log

if TYPE_CHECKING:
    import random
    from pathlib import Path

    from tests.chaos.campaign.history import History
    from tests.chaos.campaign.load import Book, Client, RawProducer
    from tests.chaos.campaign.plan import Plan
    from tests.chaos.campaign.proxy import Proxy
    from tests.chaos.campaign.target import Target
    from tests.chaos.campaign.workers import Slot, Workers


class Impossible(Exception):
    """This fault cannot be done on this machine; the message says why."""


class Scene:
    """One seed while its faults happen."""

    def __init__(
        self,
        plan: Plan,
        target: Target,
        workers: Workers,
        book: Book,
        producers: list[RawProducer],
        clients: list[Client],
        history: History,
        folder: Path,
    ) -> None:
        """Everything runs."""
        self.plan = plan
        self.target = target
        self.workers = workers
        self.book = book
        self.producers = producers
        self.clients = clients
        self.history = history
        self.folder = folder
        self.client_proxies: list[Proxy] = []
        self.moved: list[list[str]] = []
        """Fields of the entries that were trimmed on purpose: they count as if they were archived."""
        self.keyspaces = [Keyspace(log(plan.partitions)) for log in (claim_log, request_log, notification_log)]

    @property
    def chance(self) -> random.Random:
        """The seed's."""
        return self.book.chance

    def slot(self) -> Slot:
        """Any slot with somebody in it."""
        alive = [slot for slot in self.workers.slots if slot.alive]
        return self.chance.choice(alive or self.workers.slots)

    def stream(self, *, outbox: bool = True) -> tuple[Keyspace, int]:
        """Any partition of any log."""
        keys = self.chance.choice(self.keyspaces if outbox else self.keyspaces[:2])
        return keys, self.chance.randrange(keys.spec.partitions)

    async def tried(self, *words: Any, key: str | None = None) -> Any:
        """Send a command; None when the store refuses it or is away."""
        with suppress(*AWAY):
            return await self.target.run(*words, key=key)
        return None

    async def surely(self, *words: Any) -> None:
        """Send a command until it is done."""
        while await self.tried(*words) is None:  # noqa: ASYNC110  # of another process: there is no event to wait for
            await asyncio.sleep(0.1)

    async def groups(self, keys: Keyspace, partition: int) -> list[str]:
        """The groups that a partition ever had."""
        state = keys.state(partition)
        fields = await self.tried("HKEYS", state, key=state) or []
        return sorted(name.decode()[6:] for name in fields if name.startswith(b"group:"))

    async def strike(self, name: str) -> bool:
        """Do one fault, and write down whether it was exercised."""
        self.history.write("nemesis", "fault", name=name, state="begin", done=False, detail="")
        done, detail = False, ""
        try:
            done = await FAULTS[name].run(self)
        except Impossible as problem:
            detail = str(problem)
        except AWAY as problem:
            detail = f"the store was away: {type(problem).__name__}"
        self.history.write("nemesis", "fault", name=name, state="end", done=done, detail=detail)
        return done

    async def pause(self, low: float, high: float) -> None:
        """Let something happen in the meantime."""
        await asyncio.sleep(self.chance.uniform(low, high))


Do = Callable[[Scene], Awaitable[bool]]


class Fault(msgspec.Struct, frozen=True):
    """One kind of harm. `flavour`: '' in any seed; else only in seeds of that flavour (`plan.py`)."""

    name: str
    number: str
    run: Do
    flavour: str = ""


FAULTS: dict[str, Fault] = {}
"""By name, in the order of the table; filled by the modules `faults_*`."""


def fault(name: str, number: str, flavour: str = "") -> Callable[[Do], Do]:
    """Register a fault."""

    def register(do: Do) -> Do:
        FAULTS[name] = Fault(name, number, do, flavour)
        return do

    return register
