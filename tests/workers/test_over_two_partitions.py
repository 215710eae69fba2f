"""One command over several partitions: an append for each, so it can end half way, and is simply given again."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from runtime import failpoints
from runtime.failpoints import FailpointReached
from tests.support.notices import owned_threads
from tests.support.small_cluster import small_application
from tests.support.windows import window
from workers.adapters.auto_portfolio import portfolio
from workers.importing import Importer, batches
from workers.keys import CLAIM_LOG, CUSTOMER_LOG, POLICY_LOG

if TYPE_CHECKING:
    from pathlib import Path

    from runtime.store.address import StoreAddress
    from workers.application import Application

CLAIMS, PARTITIONS = 6, 4


async def event_ids(app: Application, log: str) -> dict[int, Counter[str]]:
    """Partition -> how often each event is there."""
    keys = app.store.logs[log].keys
    found: dict[int, Counter[str]] = {}
    for partition in range(keys.spec.partitions):
        found[partition] = Counter([row[1].decode() async for _, row in app.store.reads.stream(keys.log(partition))])
    return found


@window("W1", "W41")
@pytest.mark.parametrize(
    ("point", "claims_are_there"),
    [("append.sent=raise@1", 0), ("append.before=raise@2", 0), ("append.sent=raise@2", CLAIMS)],
)
async def test_a_command_over_several_partitions_that_died_between_its_steps_does_each_step_once_when_given_again(
    store_address: StoreAddress, tmp_path: Path, point: str, claims_are_there: int
) -> None:
    """W1, W41: policies and customers in one step, notices in four partitions in the next; a command id for each.

    It dies while the first step is on its way, between the two, and while the second is on its way. Who gives the
    command again is another process: it knows nothing of the first.
    """
    (rows,) = list(batches(portfolio(CLAIMS, seed=4)))
    async with (
        owned_threads(),
        small_application(store_address, tmp_path, partitions=PARTITIONS, simulation=False) as dies,
    ):
        with failpoints.armed(point) as watch, pytest.raises(FailpointReached):
            await Importer(dies).portfolio(rows)
        assert watch.acted, "it did not die"
    async with (
        owned_threads(),
        small_application(store_address, tmp_path, partitions=PARTITIONS, simulation=False) as app,
    ):
        half = await event_ids(app, CLAIM_LOG)
        assert sum(map(len, half.values())) == claims_are_there, "it died somewhere else"
        for _ in range(2):
            done = await Importer(app).portfolio(rows)
            assert len(done.claim_ids) == CLAIMS and not done.refused
        for log, count in ((POLICY_LOG, CLAIMS), (CUSTOMER_LOG, CLAIMS), (CLAIM_LOG, CLAIMS)):
            there = await event_ids(app, log)
            assert sum((Counter(one) for one in there.values()), Counter()).total() == count
            assert all(times == 1 for one in there.values() for times in one.values())
        assert sum(bool(one) for one in there.values()) >= 2, "all claims were of one partition"
