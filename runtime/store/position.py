"""Where a group stands: opening a log, putting a group back to its position after doubt, looking.

`resync` goes over the reader's own connection, so that the cursor cannot move under a blocked read (redis-facts S3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from msgspec import structs

from runtime.answers import Look, Standing
from runtime.errors import Halted, LogMismatch
from runtime.store import functions
from runtime.store.encoding import Log
from runtime.store.keys import Keyspace, LogSpec
from runtime.store.trouble import STORE_ERRORS, translated

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from runtime.signals import Bus
    from runtime.store.received import Received


async def open_log(client: functions.Client, spec: LogSpec, groups: Sequence[str]) -> Log:
    """Make a log and its groups, or find and check them. Raises `LogMismatch` and `Halted`."""
    keys = Keyspace(spec)
    await _refuse_other_names(client, spec, keys)
    incarnations: list[str] = []
    fresh = uuid4().hex
    for partition in range(spec.partitions):
        names = [
            keys.log(partition),
            keys.state(partition),
            *(keys.position(group, partition) for group in groups),
        ]
        args = [str(spec.partitions), fresh, *groups]
        reply = await functions.call(client, functions.OPEN, names, args)
        if reply[0] == b"PARTITIONS":
            raise LogMismatch(
                f"{spec.name} was made with {reply[1].decode()} partitions, the settings say {spec.partitions}: "
                f"set partitions = {reply[1].decode()}"
            )
        if reply[0] != b"OK":
            raise Halted(f"{keys.log(partition)} cannot be opened: {reply[1].decode()}")
        incarnations.append(reply[1].decode())
    return Log(keys=keys, incarnations=tuple(incarnations))


async def _refuse_other_names(client: functions.Client, spec: LogSpec, keys: Keyspace) -> None:
    """With one partition names are plain, with more tagged: a log of the other kind would go unseen."""
    other = Keyspace(structs.replace(spec, partitions=1 if keys.tagged else 2, tagged=False))
    try:
        made_with = await client.execute_command("HGET", other.state(), "partitions")
    except STORE_ERRORS as problem:
        raise translated(problem) from problem
    if made_with is not None:
        raise LogMismatch(
            f"{spec.name} was made with {made_with.decode()} partitions, the settings say {spec.partitions}: "
            f"set partitions = {made_with.decode()}"
        )


async def resync(
    client: functions.Client,
    log: Log,
    group: str,
    partition: int,
    process: str,
    *,
    start: bool,
    bus: Bus | None = None,
    received: Received | None = None,
) -> Standing:
    """Put the group's cursor back to its position. Raises `Halted` when the position cannot be trusted.

    `received`: the replicas that must have it. A master that was replaced and does not know it yet has none, and would
    name a position that nobody else has.
    """
    keys = log.keys
    names = [
        keys.log(partition),
        keys.state(partition),
        keys.position(group, partition),
        keys.held(group, partition),
        keys.retries(group, partition),
    ]
    args = [group, log.incarnation(partition), process, "1" if start else "0"]
    reply = await functions.call(client, functions.RESYNC, names, args, bus, received=received)
    if reply[0] != b"OK":
        raise Halted(f"{reply[0].decode()}: {reply[1].decode()}")
    texts = [part.decode() for part in reply[1:8]]
    return Standing(
        position=texts[0],
        settled=int(texts[1]),
        healed=texts[2] == "1",
        deaths=int(texts[3]),
        alone=texts[4],
        kills=int(texts[5]),
        retries=int(texts[6]),
        held=_counts(reply[8]),
        token=reply[9].decode(),
        together=reply[10].decode(),
        marked=int(reply[11]),
    )


def _counts(flat: Sequence[Any]) -> dict[str, int]:
    return {flat[n].decode(): int(flat[n + 1]) for n in range(0, len(flat), 2)}


async def look(client: functions.Client, keys: Keyspace, group: str, partition: int) -> Look:
    """See where a group stands without touching it. Raises `Halted` when the log is gone."""
    names = [
        keys.log(partition),
        keys.state(partition),
        keys.position(group, partition),
        keys.parked(group, partition),
        keys.retries(group, partition),
    ]
    reply = await functions.call(client, functions.LOOK, names, [group])
    if reply[0] != b"OK":
        raise Halted(f"{keys.log(partition)}: {reply[1].decode()}")
    texts = [part.decode() for part in reply[1:]]
    return Look(
        position=texts[0],
        settled=int(texts[1]),
        delivered=texts[2],
        pending=int(texts[3]),
        added=int(texts[4]),
        length=int(texts[5]),
        oldest=texts[6],
        parked=int(texts[7]),
        retries=int(texts[8]),
        halted=texts[9],
        torn=texts[10],
        started=texts[11],
        deleted=texts[12],
        consumers=int(texts[13]),
    )


async def mark(
    client: functions.Client,
    keys: Keyspace,
    group: str,
    partition: int,
    position: str,
    last_id: str,
    process: str,
    *,
    count: int = 1,
    alone: bool = True,
) -> bool:
    """Say durably that the `count` entries from the position to `last_id` are handled now, in company or `alone`.

    False when the position is another (we are fenced).
    """
    reply = await functions.call(
        client,
        functions.MARK,
        [keys.position(group, partition), keys.log(partition)],
        [position, last_id, process, group, str(count), "1" if alone else "0"],
    )
    return bool(reply[0] == b"OK")


async def clear_start(client: functions.Client, keys: Keyspace, group: str, partition: int, process: str) -> None:
    """Take back our start mark and hand back what was read ahead: we leave in good order, no death is to be counted."""
    names = [keys.position(group, partition), keys.log(partition)]
    await functions.call(client, functions.MARK, names, ["", "", process, group])


async def tidy(
    client: functions.Client, keys: Keyspace, group: str, partition: int, process: str, living: Collection[str]
) -> int:
    """Delete the consumers of processes that are not among the living and have nothing pending; how many.

    Nothing is done unless `process` was the last that started here.
    """
    names = [keys.log(partition), keys.position(group, partition)]
    reply = await functions.call(client, functions.TIDY, names, [group, process, *sorted(living)])
    return int(reply[1]) if reply[0] == b"OK" else 0
