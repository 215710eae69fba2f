"""Faults by blame: whose fault it is decides what the runner does next.

The docstring of each class is its default message; data travels in fields.
"""

from __future__ import annotations


class RuntimeFault(Exception):
    """Something in the runtime went wrong."""

    def __init__(self, message: str | None = None) -> None:
        """Use `message`, or the first line of the class's docstring."""
        super().__init__(message or (self.__doc__ or type(self).__name__).splitlines()[0])


class Unreadable(RuntimeFault):
    """The entry cannot be read: the writer's fault. Never tried again, parked at once."""


class ReaderTooOld(RuntimeFault):
    """A fact of a type or version that this program does not know: roll readers out before writers."""


class EffectRefused(RuntimeFault):
    """The store refused effects as wrong (verb, arity, number, type of key): the actor's or the data's fault."""


class StoreUnavailable(RuntimeFault):
    """The store cannot be used right now: away, loading, full or read-only. Wait and try again."""


class StoreFull(StoreUnavailable):
    """The store has no memory left for new events; consumers go on draining."""


class OutcomeUnknown(StoreUnavailable):
    """The call to the store may have been done or not: ask again with the same token, or read the position."""


class GroupLost(StoreUnavailable):
    """The group or the stream vanished under a read: look at what is left before anything is made again."""


class LibraryMissing(StoreUnavailable):
    """The function library is not in the store and this user may not load it: run `claimstream doctor`."""


class StoreMisused(RuntimeFault):
    """The store refuses what we ask for good: rights, a foreign key, a bug. Waiting does not help."""


class Halted(RuntimeFault):
    """The partition is halted: lost, rolled back or torn. An operator has to look (`claimstream doctor`)."""


class LogMismatch(RuntimeFault):
    """The log in the store was made with another number of partitions than this configuration says."""


class Conflict(RuntimeFault):
    """Another writer was first: the expected version is no longer the current one."""


class HandlerBroke(RuntimeFault):
    """A handler returned something that is no effect."""
