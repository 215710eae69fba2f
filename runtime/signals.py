"""Typed signals: what the runtime says about itself.

Logs, metrics and tests are three subscribers of one `Bus`; nothing in the runtime logs or counts directly.
The signals of supervision live in `runtime.supervision.signals`; those of serving and storing live here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import msgspec

Subscriber = Callable[["Signal"], None]


class Signal(msgspec.Struct, frozen=True):
    """Base of everything that the runtime tells about itself: text (`str`), a type, and fields."""

    def __str__(self) -> str:
        """One line for people: the name of the signal and its fields."""
        fields = " ".join(f"{name}={getattr(self, name)}" for name in self.__struct_fields__)
        return f"{type(self).__name__} {fields}".rstrip()


class BatchSettled(Signal, frozen=True):
    """A batch was settled (or refused): `outcome` is ok, fenced, gap, conflict, lost, torn or halted."""

    actor: str
    group: str
    partition: int
    entries: int
    outcome: str
    handle_seconds: float
    settle_seconds: float
    position: str


class EntriesHandled(Signal, frozen=True):
    """Entries whose effects are applied: per event type, with the age of each from its append (seconds)."""

    actor: str
    group: str
    partition: int
    counts: dict[str, int]
    oldest_age_seconds: float


class EntryParked(Signal, frozen=True):
    """One entry went to the dead-letter stream; `held` when only because an earlier one of its entity is there."""

    actor: str
    group: str
    partition: int
    entry_id: str
    reason: str
    held: bool


class EntryForged(Signal, frozen=True):
    """An entry looks like a fact, and append did not write it: somebody who may write the log went past it."""

    actor: str
    group: str
    partition: int
    entry_id: str
    entity: str
    sequence: int


class HandlerFailed(Signal, frozen=True):
    """A handler raised: the batch is bisected, or the entry is tried again (`attempt` of `limit`)."""

    actor: str
    group: str
    partition: int
    entries: int
    attempt: int
    limit: int
    error: str


class Resynced(Signal, frozen=True):
    """The group was put back to its position, and why: start, takeover, fenced, gap, idle, lost_group, error."""

    actor: str
    group: str
    partition: int
    reason: str
    position: str


class WaitDeclared(Signal, frozen=True):
    """A runner waits on purpose (store_away, store_full, halted, reader_too_old, backoff, lease): not a stall."""

    actor: str
    group: str
    partition: int
    reason: str
    detail: str


class WaitEnded(Signal, frozen=True):
    """The declared wait of a runner is over."""

    actor: str
    group: str
    partition: int
    reason: str


class LeaseChanged(Signal, frozen=True):
    """A lease on (group, partition) was taken, lost or released by this process."""

    group: str
    partition: int
    state: str


class StoreRoundTrip(Signal, frozen=True):
    """One call to the store: its name (settle, append, resync, read ...), how it ended, seconds."""

    call: str
    outcome: str
    seconds: float


class Bus:
    """Hands each signal to every subscriber, in order, in the caller's task."""

    def __init__(self) -> None:
        """Start without subscribers."""
        self._subscribers: list[Subscriber] = []

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Add a subscriber; the returned function removes it again."""
        self._subscribers.append(subscriber)

        def unsubscribe() -> None:
            if subscriber in self._subscribers:
                self._subscribers.remove(subscriber)

        return unsubscribe

    def emit(self, signal: Signal) -> None:
        """Tell everybody. A subscriber that raises is logged; it can never break the emitter."""
        for subscriber in tuple(self._subscribers):
            try:
                subscriber(signal)
            except Exception:
                logging.getLogger(__name__).exception("subscriber failed on %s", type(signal).__name__)
