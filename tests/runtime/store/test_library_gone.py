"""A function library that vanished is loaded again by whoever may, and the call is made as if nothing had been."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runtime.errors import LibraryMissing
from runtime.store.functions import LIBRARY, Send, load_library
from tests.support.things import open_things

if TYPE_CHECKING:
    from redis.asyncio import Redis


async def test_a_deleted_library_is_loaded_again_and_the_append_goes_through(commands: Redis) -> None:
    """F29: FUNCTION DELETE under a running process."""
    things = await open_things(commands, "readers")
    await commands.function_delete(LIBRARY)
    assert len(await things.add("T1", 2)) == 2


async def test_a_user_who_may_not_load_it_says_what_is_missing(commands: Redis) -> None:
    things = await open_things(commands, "readers")
    await commands.function_delete(LIBRARY)
    send: Send = commands.execute_command
    await send("ACL", "SETUSER", "default", "-function")
    try:
        with pytest.raises(LibraryMissing):
            await things.add("T1", 1)
    finally:
        await send("ACL", "SETUSER", "default", "+function")
        await load_library(commands)
