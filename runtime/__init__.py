r"""A lightweight runtime for long-lived async actors on Redis Streams, with effects that are applied exactly once.

An *actor* is bound to one consumer group of a log. It gets the consecutive entries of one read as a batch, reads what
it needs, and returns *effects*: the store writes that it wants, as data. It writes nothing itself. The runtime
performs the effects, moves the group's *position* and acknowledges the entries in one atomic step of the store: the
settle.

States of an entry:

     raw request --adopted--> appended --> delivered --> handled --> settled  (position moved, acknowledged)
          \--parked                ^           |  \--bad entry, alone, n attempts--> parked (in a settle)
                                   +-----------+  FENCED, GAP, takeover, doubt: read again from the position

What is promised, and what it survives:

* Every effect inside the store is applied exactly once per event. *The position is the fence*: a settle says from
  which position it worked, and the store refuses it when the position is another. So a process that was paused, a
  packet that comes late and a second consumer can do no harm, whatever the leases say.
* Events are applied in order per entity. A settle is refused when its first entry is not the next one in the log:
  what a lost read swallowed is read again and never skipped. An entry that cannot be handled is parked, and the later
  ones of its entity are parked behind it.
* An append is all or nothing: unseen command id, expected version, events, snapshot, history, result. A caller who
  lost the reply asks again and gets the first answer.
* A position that cannot be trusted (trimmed, deleted, flushed, another log) halts the partition. Nothing is guessed.

What is not promised: effects outside of the store are at-least-once, with a stable key; leases and heartbeats are for
liveness only, safety never asks the time; nobody is protected from an administrator of the store.

The rooms: `store` (the two atomic steps and what heals around them; the only one that knows the client library),
`serving` (one group on one partition: read, handle, settle), `cluster` (who serves what), `supervision` (restarts;
knows no store), `embedded` (the server that comes along), `telemetry` (signals -> metrics, health, logs, status),
`host` (the tree of one process) and `fleet` (the parent of many). Nothing here knows what the events are about.
"""

from __future__ import annotations

from runtime.actor import Actor, handles
from runtime.effects import (
    Append,
    Delete,
    Effect,
    Effects,
    Expire,
    HashDelete,
    HashIncrement,
    HashSet,
    ListPush,
    ListRemove,
    Park,
    Publish,
    Put,
    Raise,
    SetAdd,
    SetRemove,
    SortedSetAdd,
    SortedSetIncrement,
    SortedSetRemove,
    StreamAdd,
)
from runtime.entry import Batch, Entry

__all__ = [
    "Actor",
    "Append",
    "Batch",
    "Delete",
    "Effect",
    "Effects",
    "Entry",
    "Expire",
    "HashDelete",
    "HashIncrement",
    "HashSet",
    "ListPush",
    "ListRemove",
    "Park",
    "Publish",
    "Put",
    "Raise",
    "SetAdd",
    "SetRemove",
    "SortedSetAdd",
    "SortedSetIncrement",
    "SortedSetRemove",
    "StreamAdd",
    "handles",
]
