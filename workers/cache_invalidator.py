"""Drops the read views that a fact made stale, and raises the floor under which they must not be filled
again.

The floor beats a slow fill: who fills a view says of which version it is, and is refused below the floor. A
view of the claim itself has the claim's sequence as version. A view that many claims share has the store's
time in milliseconds at which its reading began; its floor is one above the time of the entry, so an entry
that came later always wins.

It drops the views of its own partition. Elsewhere, and in the memory of other processes, the hint on
`cache:invalidation` does it; a hint may be lost, so those views have a TTL too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import msgspec

from domain.stale_views import scope_of
from runtime.actor import Actor
from runtime.effects import Delete, Publish, Raise
from workers.claim_log import fact_of
from workers.keys import CLAIM_LOG, INVALIDATION_CHANNEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.stale_views import Scope
    from runtime.effects import Effects
    from runtime.entry import Batch, Entry
    from workers.keys import ClaimKeys

FLOOR_TTL_MS = 600_000
"""Ten minutes: no fill takes that long, every reply has a deadline of seconds."""

KEYS_IN_A_HINT = 500
"""Keys that one hint names at most: some 25 kB."""

SERVICE = "claims-service"

_encode = msgspec.json.Encoder().encode


class CacheInvalidator(Actor):
    """Reads `claims:events` as `cache-invalidators`."""

    name: ClassVar[str] = "cache-invalidator"
    group: ClassVar[str] = "cache-invalidators"
    log: ClassVar[str] = CLAIM_LOG

    def __init__(self, keys: ClaimKeys) -> None:
        """`keys` name the views and floors of the partition."""
        self._keys = keys

    async def handle(self, batch: Batch) -> Effects:
        """One floor per subject, one deletion per view, and the hints."""
        floors: dict[str, int] = {}
        stale: dict[str, None] = {}
        newest = 0
        for scope, (sequence, last) in _changed(batch).items():
            taken = last.added_ms + 1
            newest = max(newest, taken)
            for subject, views in scope.views().items():
                version = sequence if subject == scope.claim else taken
                floors[subject] = max(version, floors.get(subject, 0))
                stale.update(dict.fromkeys(views))
        return [
            *(Raise(self._keys.floor(subject), floor, FLOOR_TTL_MS) for subject, floor in floors.items()),
            *(Delete(self._keys.name(key)) for key in stale),
            *_hints(list(stale), newest),
        ]


def _changed(batch: Batch) -> dict[Scope, tuple[int, Entry]]:
    """What the facts of a batch change, with the highest sequence and the last entry of each.

    The facts of one claim mostly come together, and naming their views costs more than reading them: so each scope
    names its views once.
    """
    changed: dict[Scope, tuple[int, Entry]] = {}
    for entry in batch.entries:
        fact = fact_of(entry)
        scope = scope_of(fact)
        if scope is not None:
            before = changed.get(scope)
            changed[scope] = (fact.sequence if before is None else max(fact.sequence, before[0]), entry)
    return changed


def _hints(stale: Sequence[str], version: int) -> list[Publish]:
    """What is said on the channel. `timestamp` is the time of the newest fact by the store's clock, ms since
    1970.
    """
    return [
        Publish(
            INVALIDATION_CHANNEL,
            _encode(
                {
                    "type": "CACHE_INVALIDATION",
                    "service": SERVICE,
                    "key": keys[0],
                    "keys": keys,
                    "count": len(keys),
                    "operation": "DELETE",
                    "timestamp": version - 1,
                    "version": version,
                }
            ).decode(),
        )
        for start in range(0, len(stale), KEYS_IN_A_HINT)
        if (keys := list(stale[start : start + KEYS_IN_A_HINT]))
    ]
