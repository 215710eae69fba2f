"""Programs of two versions share one store while an upgrade rolls: the library is never replaced by an older one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runtime.store import functions
from runtime.store.functions import library_source, load_library
from runtime.store.revision import recorded, revision_of
from tests.support.store import command

if TYPE_CHECKING:
    from redis.asyncio import Redis


def with_revision(number: int, more: str = "") -> str:
    """The text of a program that is so many revisions old or young."""
    ours = library_source()
    return ours.replace(f"-- revision {revision_of(ours)},", f"-- revision {number},", 1) + more


async def stored(client: Redis) -> str:
    (library,) = await client.function_list(library=functions.LIBRARY, withcode=True)
    texts = [text for text in functions._texts(library) if text.startswith(b"#!lua")]
    return texts[0].decode()


@pytest.mark.parametrize("age", [1, 5])
async def test_an_older_program_leaves_a_newer_library_where_it_is(commands: Redis, age: int) -> None:
    newer = with_revision(revision_of(library_source()) + age)
    await command(commands, "FUNCTION", "LOAD", "REPLACE", newer)
    await load_library(commands)
    assert await stored(commands) == newer
    await command(commands, "FUNCTION", "DELETE", functions.LIBRARY)


async def test_a_newer_program_replaces_an_older_library(commands: Redis) -> None:
    await command(commands, "FUNCTION", "LOAD", "REPLACE", with_revision(0))
    await load_library(commands)
    assert await stored(commands) == library_source()


async def test_a_library_without_any_revision_is_older_than_every_other(commands: Redis) -> None:
    """That is what programs before the first revision loaded."""
    text = "\n".join(line for line in library_source().splitlines() if not line.startswith("-- revision"))
    await command(commands, "FUNCTION", "LOAD", "REPLACE", text)
    await load_library(commands)
    assert await stored(commands) == library_source()


def test_the_revision_was_raised_with_the_last_change_of_the_library() -> None:
    _, written, found = recorded()
    assert written == found, "the library has changed: run `make library-revision`"
