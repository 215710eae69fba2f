"""A store that fills up refuses new events before it refuses anything else, and takes them again when there is room."""

from __future__ import annotations

import pytest

from runtime.effects import Append
from runtime.embedded.server import running_server
from runtime.errors import StoreFull
from runtime.store.append import Appended
from runtime.store.clients import StoreAddress
from runtime.store.keys import LogSpec
from runtime.store.opening import open_store

SPEC = LogSpec("things:events", "thing", "thingId")


def unit(name: str, size: int = 10) -> Append:
    return Append("things:events", name, 0, (("eventId", name, "data", "x" * size),))


async def test_new_events_wait_from_the_soft_limit_on_and_come_in_again_when_there_is_room() -> None:
    async with running_server(max_memory_mib=0) as server:
        store = await open_store(StoreAddress.parse(server.url), [SPEC], {"things:events": ["readers"]})
        try:
            used = int((await store.commands.info("memory"))["used_memory"])
            await store.commands.config_set("maxmemory", str(used + used // 20))
            with pytest.raises(StoreFull, match="consumers go on"):
                await store.appender.append(unit("a"))
            assert await store.reads.one("XLEN", "things:events") == 0
            await store.commands.config_set("maxmemory", str(used * 10))
            store.appender._room._next_look = 0.0  # type: ignore[union-attr]  # do not wait for the next look
            assert isinstance(await store.appender.append(unit("a")), Appended)
        finally:
            await store.close()
