"""Imports a stream of batches: while the store takes one, the next one is read, sealed and decided.

The notices go into the log in the order of the stream, whatever overtakes what on the way: who came first is what a
duplicate is told by. Policies and customers are there before the notices of their batch.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, TypeVar

from workers.importing import Imported, batches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from workers.adapters.auto_row import AutoRow
    from workers.importing import Importer, Ready, Record
    from workers.submissions import Submission

BATCHES_OUT = 2
"""Batches that may be on their way: the records of one reach the store while it is busy with the notices of the other.
More gives nothing, as the store does one thing at a time.
"""

T = TypeVar("T")


async def import_ahead(
    importer: Importer,
    stream: Iterable[T],
    parts: Callable[[T], tuple[Sequence[Record], Sequence[Submission]]],
    told: Callable[[T, Imported], None],
) -> None:
    """Import every batch. `parts` gives what is in one; `told` hears what became of each, in their order.

    Raises what reading a batch raises, once those before it are in, and what appending raises.
    """
    out: deque[asyncio.Task[None]] = deque()
    try:
        for batch in stream:
            ready = await importer.ready(*parts(batch))
            if len(out) == BATCHES_OUT:
                await out[0]
                out.popleft()
            out.append(asyncio.create_task(_sent(importer, batch, ready, told, out[-1] if out else None)))
        while out:
            await out[0]
            out.popleft()
    except Exception:
        await asyncio.gather(*out, return_exceptions=True)
        raise
    finally:
        for task in out:
            task.cancel()
        await asyncio.gather(*out, return_exceptions=True)


async def import_portfolio(importer: Importer, rows: Iterable[AutoRow], told: Callable[[int], None]) -> Imported:
    """Import every row with its policy and customer; `told` hears how many claims are in."""
    everything = Imported()

    def note(_rows: Sequence[AutoRow], imported: Imported) -> None:
        nonlocal everything
        everything += imported
        told(len(everything.claim_ids))

    await import_ahead(importer, batches(rows), lambda some: (some, [row.submission for row in some]), note)
    return everything


async def _sent(
    importer: Importer, batch: T, ready: Ready, told: Callable[[T, Imported], None], before: asyncio.Task[None] | None
) -> None:
    """Append one batch: its notices once the batch before is in."""
    await importer.send_records(ready)
    if before is not None:
        await before
    told(batch, await importer.send_notices(ready))
