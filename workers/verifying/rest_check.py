"""Groups at rest, and dead letters: everything that was added was settled, everything parked is accounted
for.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from workers.whole_log import Trimmed

if TYPE_CHECKING:
    from runtime.store.reads import Reads
    from workers.verifying.places import Place
    from workers.verifying.report import Findings
    from workers.whole_log import WholeLog

_unpack = msgspec.msgpack.Decoder(list[bytes]).decode


def check_positions(place: Place, findings: Findings) -> None:
    """Position == last entry, pending 0, settled == added, not halted, for every group of a place."""
    found = findings["positions"]
    for group, standing in place.groups.items():
        look, where = standing.look, f"{group} on {place.name}"
        found.same(f"{where}: entries settled", look.added, look.settled)
        found.same(f"{where}: pending", 0, look.pending)
        found.same(f"{where}: delivered up to", look.position, look.delivered)
        if look.halted or look.torn:
            found.wrong(f"{where}: halted: {look.torn or look.halted}")


async def check_dead_letters(reads: Reads, place: Place, findings: Findings, log: WholeLog) -> None:
    """Each dead letter is an entry of the log, byte for byte; `held` counts them by what they hold back."""
    found = findings["dead_letters"]
    keyspace, partition = place.keyspace, place.partition
    for group in place.groups:
        held: Counter[str] = Counter()
        async for parked_id, flat in reads.stream(keyspace.parked(group, partition)):
            named = dict(zip(flat[::2], flat[1::2], strict=True))
            held[named[b"entity"].decode()] += 1
            origin = named[b"originId"]
            where = f"dead letter {parked_id.decode()} of {group} on {place.name} ({origin.decode()})"
            try:
                _, fields = (await log.find([origin.decode()]))[origin.decode()]
            except Trimmed:
                found.wrong(f"{where}: the log holds no such entry")
            else:
                found.same(where, _unpack(named[b"raw"]), fields)
        stored = await reads.one("HGETALL", keyspace.held(group, partition))
        counts = {name.decode(): int(value) for name, value in stored.items()}
        for entity in held.keys() | counts.keys():
            where = f"held back by {group} on {place.name}: {entity}"
            found.same(where, held.get(entity), counts.get(entity))
