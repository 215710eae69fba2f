"""Which keys there are of the families that checks own: one walk over the keyspace for all of them and all partitions.

A walk passes every key of the store whatever it looks for, so one for each family and partition took a quarter of the
server's time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runtime.store.reads import Reads
    from workers.keys import ClaimKeys


class Names:
    """Names by family, the first word of a key: looked for when somebody first asks."""

    def __init__(self, reads: Reads, families: Iterable[str]) -> None:
        """`families`: all that anybody will ask for."""
        self._reads = reads
        self._found: dict[str, dict[str, None]] = {family: {} for family in families}
        self._walked = False

    async def of(self, family: str, keys: ClaimKeys) -> list[str]:
        """The keys of a family that are one partition's, sorted."""
        if not self._walked:
            await self._walk()
            self._walked = True
        own = keys.name("")
        return sorted(name for name in self._found[family] if name.endswith(own) and (own or ":{p" not in name))

    async def _walk(self) -> None:
        families = {family.encode(): found for family, found in self._found.items()}
        async for raw in self._reads.keys("*"):
            family, colon, _ = raw.partition(b":")
            if colon and family in families:
                families[family][raw.decode()] = None  # a walk may name a key twice
