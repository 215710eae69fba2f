"""Which node of a Redis Cluster owns a slot: learned from the nodes, corrected by MOVED, learned again after doubt."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from redis.crc import key_slot
from redis.exceptions import ClusterDownError

from runtime.store.asking import ask_once, most_of, named, text

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis.asyncio import Redis

    from runtime.store.address import Place

FRESH_SECONDS = 0.1
"""A map that is this young is not asked for again, however many doubt it at once."""

# Where the keys begin; what stands in neither table has its first key right behind the verb.
_KEYLESS = frozenset(
    """
    ACL AUTH CLIENT CLUSTER COMMAND CONFIG DBSIZE ECHO FLUSHALL FLUSHDB FUNCTION HELLO INFO LASTSAVE LATENCY PING
    PUBLISH ROLE SAVE SCAN SCRIPT SELECT SLOWLOG TIME WAIT WAITAOF BGREWRITEAOF BGSAVE
    """.split()
)
_BEHIND_TWO_WORDS = frozenset({"MEMORY", "OBJECT", "XGROUP", "XINFO", "DEBUG"})
_WITH_A_COUNT = frozenset({"FCALL", "FCALL_RO", "EVAL", "EVALSHA", "EVAL_RO"})


def slot_of(command: tuple[Any, ...]) -> int | None:
    """The slot of a command's first key; None when it has none.

    >>> slot_of(("GET", "{p0}x")) == slot_of(("FCALL", "f", 1, "y{p0}")), slot_of(("PING",))
    (True, None)
    """
    words = str(command[0]).upper().split()
    verb, command = words[0], (*words, *command[1:])
    if verb in _KEYLESS:
        return None
    if verb in _WITH_A_COUNT:
        place = 3 if int(command[2]) > 0 else len(command)
    elif verb in ("XREADGROUP", "XREAD"):
        place = [str(word).upper() for word in command].index("STREAMS") + 1
    else:
        place = 2 if verb in _BEHIND_TWO_WORDS else 1
    if place >= len(command):
        return None
    key = command[place]
    return key_slot(key if isinstance(key, bytes) else str(key).encode())


class ClusterMap:
    """The owners of all slots, as last told."""

    def __init__(self, entries: tuple[Place, ...], open_node: Callable[[Place], Redis], seconds: float) -> None:
        """Nothing is asked yet. `open_node` gives a client that may also talk to a replica."""
        self._entries = entries
        self._open = open_node
        self._seconds = seconds
        self._lock = asyncio.Lock()
        self._learned = -FRESH_SECONDS
        self._doubted = True
        self._starts: list[int] = []
        self._owners: list[Place] = []
        self._moved: dict[int, Place] = {}
        self._nodes: tuple[Place, ...] = entries

    @property
    def primaries(self) -> tuple[Place, ...]:
        """Every node that owns slots."""
        return tuple(dict.fromkeys([*self._owners, *self._moved.values()]))

    def doubt(self) -> None:
        """Ask again before the next call."""
        self._moved.clear()
        self._doubted = True

    async def sure(self) -> None:
        """Ask, if there is doubt."""
        if self._doubted:
            await self.learn()

    def moved(self, slot: int, to: Place) -> None:
        """A node said where this slot lives; the whole map is asked for again soon."""
        self._moved[slot] = to
        self._doubted = True

    async def owner(self, slot: int) -> Place:
        """Who owns a slot. Raises `ClusterDownError` when nobody is known to."""
        if self._doubted and slot not in self._moved:
            await self.learn()
        if slot in self._moved:
            return self._moved[slot]
        at = bisect_right(self._starts, slot) - 1
        if at < 0 or self._owners[at] == _NOBODY:
            raise ClusterDownError(f"no node of the cluster is known to own slot {slot}")
        return self._owners[at]

    async def learn(self) -> None:
        """Ask the nodes for the map, unless somebody just did. Raises `ClusterDownError`."""
        async with self._lock:
            if time.monotonic() - self._learned < FRESH_SECONDS:
                return
            places = tuple(dict.fromkeys([*self._nodes, *self._entries]))
            answers, failures = await most_of([self._one(place) for place in places], self._seconds)
            if not answers:
                for problem in failures:
                    if "cluster support disabled" in str(problem):
                        raise problem
                said = f", the first: {failures[0]}" if failures else ""
                raise ClusterDownError(f"{len(places)} nodes of the cluster were asked and none answered{said}")
            _, _, slots = max(answers, key=lambda told: told[:2])
            self._take(slots)
            self._learned = time.monotonic()
            self._doubted = False

    async def _one(self, place: Place) -> tuple[bool, int, list[Any]]:
        """What one node knows: whether it sees the cluster whole, the epoch, and the owners."""
        info, slots = await ask_once(self._open(place), ("CLUSTER", "INFO"), ("CLUSTER", "SLOTS"))
        facts = named(info)
        rows = [(int(row[0]), int(row[1]), [_place(node, place) for node in row[2:]]) for row in slots]
        return facts.get("cluster_state") == "ok", int(facts.get("cluster_current_epoch", "0")), rows

    def _take(self, rows: list[Any]) -> None:
        self._starts, self._owners = [], []
        behind = 0
        for first, last, nodes in sorted(rows):
            if first > behind:
                self._starts.append(behind)
                self._owners.append(_NOBODY)
            self._starts.append(first)
            self._owners.append(nodes[0])
            behind = last + 1
        if behind < 16_384:
            self._starts.append(behind)
            self._owners.append(_NOBODY)
        self._moved.clear()
        self._nodes = tuple(dict.fromkeys(node for _, _, nodes in rows for node in nodes)) or self._entries
        self._owners = [place if place != ("", 0) else _NOBODY for place in self._owners]


_NOBODY: tuple[str, int] = ("", 0)


def _place(node: list[Any], asked: Place) -> Place:
    """A node of a CLUSTER SLOTS reply; one that does not know its own address is the one that was asked."""
    host = text(node[0]) if node[0] else ""
    return (host or asked[0], int(node[1]))
