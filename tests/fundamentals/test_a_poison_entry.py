"""An entry that cannot be handled is put aside with its reason, and tried again once the cause is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime.store.parking import DeadLetters
from tests.support.hosts import LOG, Lister, expected, lister, plan_of, running_host

if TYPE_CHECKING:
    from runtime.entry import Entry
    from runtime.store.clients import StoreAddress


class Fragile(Lister):
    """Cannot handle one entry until it is repaired."""

    repaired = False

    async def before(self, entry: Entry) -> None:
        if entry.event_id == "kettle-2" and not self.repaired:
            raise ValueError("the kettle leaks")


async def test_a_poison_entry_is_parked_and_later_taken_again_in_order(store_address: StoreAddress) -> None:
    actor = Fragile()
    async with running_host(store_address, plan=plan_of(lister(lambda partition: actor))) as cluster:
        await cluster.add("kettle", 3)
        await cluster.add("lamp", 2)
        await cluster.at_rest()
        assert await cluster.seen(["kettle", "lamp"]) == {
            "kettle": ["kettle-1"],  # its later entries wait behind the poison, so that order holds
            "lamp": ["lamp-1", "lamp-2"],  # everybody else goes on
        }

        letters = DeadLetters(cluster.store.commands, cluster.store.reads, cluster.store.logs[LOG].keys)
        parked = await letters.listed("listers")
        assert [(letter.entity, letter.held) for letter in parked] == [("kettle", False), ("kettle", True)]
        assert parked[0].reason == "ValueError: the kettle leaks"

        actor.repaired = True
        await letters.retry("listers", 0, ["kettle"], who="operator", why="the kettle was mended")
        await cluster.parked_is_empty()
        assert await cluster.seen(["kettle", "lamp"]) == expected({"kettle": 3, "lamp": 2})
