"""The pipeline of one batch: triage, handle, merge, settle; and what happens when one of these fails.

A failed batch is halved until the one bad entry is alone; that one is tried a bounded number of times and then parked
by settle, and the partition goes on. Handling never writes, so a handler may run again after any doubt.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from runtime import failpoints
from runtime.actor import Actor, checked, performs_outside
from runtime.answers import GuardFailed, Invalid, ParkedEntry, SettleAnswer, Settled, Standing
from runtime.effects import Effect, Park, Wanted
from runtime.entry import Batch, Entry
from runtime.errors import EffectRefused, Halted, ReaderTooOld, StoreUnavailable, Unreadable
from runtime.serving.attempts import Attempts, WorkOptions
from runtime.serving.bisect import cut, halves
from runtime.serving.settling import Doubt, Settling, outcome_name, refuse
from runtime.serving.triage import Known, Plan, triage
from runtime.serving.turn import ParkNow, Turn, only_parking
from runtime.signals import BatchSettled, Bus, EntriesHandled, EntryParked, HandlerFailed

if TYPE_CHECKING:
    from runtime.clock import Clock
    from runtime.serving.gate import Gate
    from runtime.serving.protocols import Link
    from runtime.serving.waits import Waits

Parts = list[Sequence[Entry]]

PATIENCE = 3
"""Conflicts of one entry, or doubts at one position, that may be a race. After them there is a wait."""

NOT_THE_ENTRY = (StoreUnavailable, ReaderTooOld, Doubt, Halted)
"""Faults that no entry is to blame for: they leave the pipeline and are met by the runner."""


class Work:
    """Handles and settles batches of one (group, partition)."""

    def __init__(
        self,
        actor: Actor,
        partition: int,
        link: Link,
        waits: Waits,
        bus: Bus,
        clock: Clock,
        gate: Gate,
        known: Known,
        options: WorkOptions | None = None,
    ) -> None:
        """Nothing is served before `reset` has said where the group stands."""
        self._actor = actor
        self._partition = partition
        self._link = link
        self._waits = waits
        self._bus = bus
        self._clock = clock
        self._gate = gate
        self._known = known
        self._settling = Settling(link, waits)
        self._attempts = Attempts(options or WorkOptions())
        self._outside = performs_outside(actor)
        self._held: Counter[str] = Counter()
        self._conflicts = 0

    @property
    def position(self) -> str:
        """The last entry whose effects are applied."""
        return self._settling.position

    @property
    def retries(self) -> int:
        """Requests of operators to take parked entries again that wait."""
        return self._settling.retries

    def note_retries(self, waiting: int) -> None:
        """Remember how many requests of operators wait."""
        self._settling.retries = waiting

    def rolled_back(self, standing: Standing) -> str:
        """Why the store must have been rolled back; '' when nothing says so."""
        return self._settling.rolled_back(standing.position)

    def trust_the_store(self) -> None:
        """The partition is halted: an operator looks before it goes on, and then the store's word counts."""
        self._settling.trust_the_store()

    def reset(self, standing: Standing) -> None:
        """Take what resync found as the truth, and forget everything else."""
        self._settling.reset(standing.position, standing.retries, standing.token)
        self._held = Counter(standing.held)
        self._attempts.reset(standing)
        self._actor.forget()

    async def serve(self, entries: Sequence[Entry]) -> None:
        """Settle all of a batch, in order, in as many pieces as it takes. Raises `Doubt`, `Halted`, store faults."""
        pending: deque[Sequence[Entry]] = deque([entries])
        while pending and not self._waits.stopping:
            part = pending.popleft()
            suspects = self._attempts.suspects(part)
            again = await (self._carefully(part, suspects) if suspects else self._in_company(part))
            pending.extendleft(reversed(again))

    async def tick(self) -> None:
        """Let the actor do what is due by time."""
        wanted = checked(self._actor, await self._actor.tick(self._partition))
        if wanted:
            await self._settling.aside(_aside(wanted).settlement({}, ()))

    async def take_again(self, entity: str, parked: Sequence[ParkedEntry]) -> None:
        """Handle the parked entries of one entity in order; stop at the first that still fails."""
        for one in parked:
            try:
                await self._take_one_again(entity, one)
            except NOT_THE_ENTRY:
                raise
            except Exception as problem:
                self._actor.forget()
                self._tell_failed(1, one.attempts + 1, problem)
                return

    async def _take_one_again(self, entity: str, one: ParkedEntry) -> None:
        if one.entry.fault:
            raise Unreadable(one.entry.fault)
        async with self._gate.shared():
            wanted = await self._handled([one.entry])
        for park in wanted:
            if isinstance(park, Park):
                raise Unreadable(park.reason)
        await self._settling.aside(_aside(wanted).settlement({}, ()), [(one.parked_id, entity)])
        self._held[entity] -= 1
        if self._held[entity] <= 0:
            del self._held[entity]

    async def _in_company(self, part: Sequence[Entry]) -> Parts:
        """Handle a batch beside those of other partitions; after a death under a durable mark."""
        async with self._gate.shared():
            if self._attempts.marks:
                await self._mark(part, alone=False)
            return await self._attempt(part)

    async def _carefully(self, part: Sequence[Entry], suspects: int) -> Parts:
        """Run suspects with the process to themselves, under a durable mark, so that a death counts against them."""
        slices = cut(part, suspects)
        if len(slices) > 1:
            return slices
        if len(part) == 1 and self._attempts.kills_the_process(part[0].id):
            await self._park_unhandled(part[0], f"the process died {self._attempts.options.kills} times with it alone")
            return []
        async with self._gate.alone():
            await self._mark(part, alone=True)
            await failpoints.reach("alone.marked")
            return await self._attempt(part)

    async def _mark(self, part: Sequence[Entry], *, alone: bool) -> None:
        if not await self._link.mark(self.position, part[-1].id, len(part), alone=alone):
            raise Doubt("fenced")

    async def _attempt(self, part: Sequence[Entry]) -> Parts:
        """Handle and settle once. Returns what has to be done again, in order (empty: all settled)."""
        started = self._clock.monotonic()
        try:
            turn = Turn(part, triage(part, self._actor, self._held, self._known))
            turn.wanted = await self._handled(turn.plan.deliver)
        except NOT_THE_ENTRY:
            raise
        except Exception as problem:
            return await self._failed(part, problem)
        if turn.cut < len(part):
            self._actor.forget()
            return [part[: turn.cut], part[turn.cut :]]
        answer = await self._settle(turn, started)
        if isinstance(answer, GuardFailed) and not answer.key.startswith(("held ", "parked ")):
            return await self._contended(part, answer)
        if isinstance(answer, Invalid):
            return await self._failed(part, EffectRefused(answer.why))
        refuse(answer)
        return []

    async def _handled(self, entries: list[Entry]) -> Sequence[Wanted]:
        """What the actor wants for these entries; an actor with outside effects first marks its attempt durably."""
        if not entries:
            return ()
        batch = Batch(self._actor.log, self._partition, entries)
        await failpoints.reach("handler.before")
        wanted = checked(self._actor, await self._actor.handle(batch))
        await failpoints.reach("handler.after")
        if not self._outside:
            return wanted
        await self._settling.aside(_aside(wanted).settlement({}, ()))
        return checked(self._actor, await self._actor.perform(batch))

    async def _settle(self, turn: Turn, started: float) -> SettleAnswer:
        """Settle one turn and take note of it."""
        handled = self._clock.monotonic()
        parks = turn.parks
        park_effects = self._park_effects(parks) if parks else []
        if parks:
            await failpoints.reach("park.before")
        answer = await self._settling.settle(turn.settlement(self._held, park_effects))
        settled = self._clock.monotonic()
        name = outcome_name(answer)
        self._tell_settled(turn, name, handled - started, settled - handled)
        if isinstance(answer, Settled):
            self._conflicts = 0
            self._attempts.settled([entry.id for entry in turn.entries])
            for park in parks:
                self._held[park.entity] += 1
                self._tell(EntryParked, entry_id=park.entry.id, reason=park.reason, held=park.held)
        return answer

    def _park_effects(self, parks: Sequence[ParkNow]) -> list[Effect]:
        now = self._clock.now().isoformat()
        return [
            effect
            for park in parks
            for effect in self._link.park(
                park.entry,
                park.entity,
                park.reason,
                *self._attempts.of(park.entry.id, now),
                held=park.held,
                now=now,
            )
        ]

    async def _contended(self, part: Sequence[Entry], answer: GuardFailed) -> Parts:
        """Somebody else decided on the entity: look again, in a smaller batch; one alone waits longer each time."""
        self._actor.forget()
        if len(part) == 1:
            self._conflicts += 1
            if self._conflicts > PATIENCE:
                async with self._waits.declared("backoff", f"{answer.key} stands at {answer.version}"):
                    await self._waits.pause(self._conflicts - PATIENCE)
        return halves(part)

    async def _failed(self, part: Sequence[Entry], problem: Exception) -> Parts:
        """Halve the batch; or count a try of the one entry, wait, and try again or park it."""
        self._actor.forget()
        if len(part) > 1:
            self._tell_failed(len(part), 0, problem)
            return halves(part)
        entry = part[0]
        tries = self._attempts.failed(entry.id, self._clock.now().isoformat())
        self._tell_failed(1, tries, problem)
        if isinstance(problem, Unreadable):
            await self._park_unhandled(entry, str(problem))
            return []
        if tries >= self._attempts.options.attempts:
            await self._park_unhandled(entry, _text(problem))
            return []
        async with self._waits.declared("backoff", _text(problem)):
            await self._waits.pause(tries)
        return [part]

    async def _park_unhandled(self, entry: Entry, reason: str) -> None:
        refuse(await self._settle(only_parking(entry, reason), self._clock.monotonic()))

    def _tell_failed(self, entries: int, tries: int, problem: Exception) -> None:
        limit = self._attempts.options.attempts
        self._tell(HandlerFailed, entries=entries, attempt=tries, limit=limit, error=_text(problem))

    def _tell_settled(self, turn: Turn, outcome: str, handle: float, settle: float) -> None:
        self._tell(
            BatchSettled, entries=len(turn.entries), outcome=outcome, handle_seconds=handle, settle_seconds=settle,
            position=self.position,
        )  # fmt: skip
        if outcome == "ok" and turn.plan.deliver:
            age = self._clock.now().timestamp() - turn.plan.deliver[0].added_ms / 1000
            self._tell(EntriesHandled, counts=turn.counts, oldest_age_seconds=max(age, 0.0))

    def _tell(self, kind: type[BatchSettled | EntriesHandled | EntryParked | HandlerFailed], **fields: object) -> None:
        self._bus.emit(
            kind(actor=self._actor.name, group=self._actor.group, partition=self._partition, **fields)  # type: ignore[arg-type]
        )


def _aside(wanted: Sequence[Wanted]) -> Turn:
    """Effects that belong to no entry of the log."""
    return Turn([], Plan(deliver=[], behind=[], broken=[]), wanted)


def _text(problem: Exception) -> str:
    return f"{type(problem).__name__}: {problem}"[:400]
