"""The contract of an actor: a name, a group, and handlers per event type that return effects as data.

    class Counter(Actor):
        name = "counter"
        group = "counters"

        @handles("order.placed")
        def count(self, entry: Entry) -> Effects:
            return [HashIncrement("orders", {"placed": 1})]

A handler may be `async` and may read; it writes nothing. An actor that merges over a batch overrides `handle`. An actor
may keep a memory of what it read; `forget` drops it whenever the runner is in doubt about the position.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar, TypeVar

from runtime.effects import Append, Effect, Effects, Park, Wanted
from runtime.entry import Batch, Entry
from runtime.errors import HandlerBroke

Handler = Callable[[Any, Entry], Effects | Awaitable[Effects]]
HandlerT = TypeVar("HandlerT", bound=Callable[..., Any])

_MARK = "_handles_event_types"


def handles(*event_types: str) -> Callable[[HandlerT], HandlerT]:
    """Mark a method as the handler of these event types."""

    def mark(method: HandlerT) -> HandlerT:
        setattr(method, _MARK, event_types)
        return method

    return mark


class Actor:
    """Base of all actors. Subclasses give `name` and `group`, and say what they handle."""

    name: ClassVar[str] = ""
    group: ClassVar[str] = ""
    log: ClassVar[str] = ""
    """The log that it reads; '' is the main log of the cluster."""
    adopts: ClassVar[bool] = False
    """True for the one actor per log that gets requests and unreadable entries too; all others never see them."""
    parks: ClassVar[bool] = True
    """False for an actor that takes every entry as it is (the auditor): it gets raw entries, faults and all."""

    _handlers: ClassVar[dict[str, Handler]] = {}

    def __init_subclass__(cls) -> None:
        """Collect the marked methods; two handlers of one type are a mistake of the class."""
        super().__init_subclass__()
        found: dict[str, Handler] = dict(cls._handlers)
        own: set[str] = set()
        for attribute in vars(cls).values():
            for event_type in getattr(attribute, _MARK, ()):
                if event_type in own:
                    raise TypeError(f"{cls.__name__} handles {event_type} twice")
                own.add(event_type)
                found[event_type] = attribute
        cls._handlers = found

    async def handle(self, batch: Batch) -> Effects:
        """Handle the entries of one batch in order. Override it to read or merge once per batch."""
        wanted: list[Wanted] = []
        for entry in batch.entries:
            handler = self._handlers.get(entry.type)
            if handler is not None:
                outcome = handler(self, entry)
                if inspect.isawaitable(outcome):
                    outcome = await outcome
                wanted.extend(checked(self, outcome))
        return wanted

    async def perform(self, batch: Batch) -> Effects | None:
        """Do what lies outside the store, after the effects of `handle` were settled as a mark.

        None (the default) says that this actor has no outside effects: its `handle` is settled with the batch. Any
        other answer is settled with the batch, and `handle` becomes the durable mark before the attempt.
        """
        del batch
        return None

    async def tick(self, partition: int) -> Effects:
        """Work that is due by time and not by an entry; called about once a second. Settled without entries."""
        del partition
        return ()

    def forget(self) -> None:
        """Drop what was remembered from reads: the position is in doubt, or another owner was here."""


def checked(actor: Actor, outcome: object) -> Sequence[Wanted]:
    """Take what a handler returned, if it is effects; anything else is a fault and never a success."""
    if isinstance(outcome, (list, tuple)) and all(isinstance(one, (Effect, Append, Park)) for one in outcome):
        return outcome
    raise HandlerBroke(f"{actor.name}: a handler has to return a list of effects, not {type(outcome).__name__}")


def performs_outside(actor: Actor) -> bool:
    """Does this actor override `perform`?"""
    return type(actor).perform is not Actor.perform


def ticks(actor: Actor) -> bool:
    """Does this actor override `tick`?"""
    return type(actor).tick is not Actor.tick
