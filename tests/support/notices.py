"""First notices of loss and policies for a whole cluster: a row of the auto set, told again in other words.

row = auto_row("POL-521585")
await Importer(app).portfolio([row])
await Importer(app).submissions([told_again(row, "broker", loss_date=...)])
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from tests.support.small_cluster import small_cluster
from workers.adapters.auto_portfolio import read_auto_claims
from workers.adapters.auto_row import AutoRow

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from runtime.store.address import StoreAddress
    from tests.support.small_cluster import SmallCluster
    from workers.submissions import Submission


@asynccontextmanager
async def owned_threads() -> AsyncIterator[None]:
    """The threads that sealing uses end with the block."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(thread_name_prefix="sealing") as threads:
        loop.set_default_executor(threads)
        yield
    loop.set_default_executor(ThreadPoolExecutor())


@asynccontextmanager
async def claims_cluster(address: StoreAddress, directory: Path, **options: Any) -> AsyncIterator[SmallCluster]:
    """A `small_cluster` without simulation, in a test that itself submits."""
    async with owned_threads(), small_cluster(address, directory, simulation=False, **options) as cluster:
        yield cluster


def auto_row(policy: str) -> AutoRow:
    """The row of a policy."""
    return next(row for row in read_auto_claims() if isinstance(row, AutoRow) and row.policy.number == policy)


def told_again(row: AutoRow, channel: str, reference: str = "", **changes: Any) -> Submission:
    """The loss of a row, reported once more through another channel, with what is different."""
    return replace(row.submission, source=channel, channel=channel, source_ref=reference or f"{channel}-1", **changes)
