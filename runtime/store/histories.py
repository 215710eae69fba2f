"""Which entries of a log nobody appended: a sequence in them says that they are facts, their entity's history does not.

Append writes the entries and their ids in the history in one step, so whoever reads an entry finds its id at the place
of its sequence, also long after the log was trimmed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime.store import functions
from runtime.store.encoding import pack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.entry import Entry
    from runtime.store.keys import Keyspace

LAST_SEQUENCE = 2**31
"""No history is longer: what says so is forged without a look (and Lua counts in doubles)."""


class Histories:
    """Looks entries of one partition up in the histories of their entities. Reads only, one call for a batch."""

    def __init__(self, client: functions.Client, keys: Keyspace, partition: int) -> None:
        """`client` of the pool; nothing is sent yet."""
        self._client = client
        self._keys = keys
        self._partition = partition

    async def forged(self, entries: Sequence[Entry]) -> list[Entry]:
        """The entries with a sequence that append did not write, in order. Raises store faults."""
        places: dict[str, int] = {}
        asked: list[tuple[int, int, str]] = []
        looked_up: list[Entry] = []
        found: list[Entry] = []
        for entry in entries:
            if not entry.sequence:
                continue
            if entry.sequence > LAST_SEQUENCE or self._keys.partition_of(entry.entity) != self._partition:
                found.append(entry)
                continue
            asked.append((places.setdefault(entry.entity, len(places) + 1), entry.sequence, entry.id))
            looked_up.append(entry)
        if asked:
            names = [self._keys.history(entity) for entity in places]
            reply = await functions.call(self._client, functions.FORGED, names, [pack(asked)])
            found += [looked_up[int(place) - 1] for place in reply[1:]]
        return found
