"""Has the next item of an asynchronous iteration on its way while the one before is worked on."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

Item = TypeVar("Item")


@asynccontextmanager
async def one_ahead(items: AsyncGenerator[Item, None]) -> AsyncIterator[AsyncIterator[Item]]:
    """The same items in the same order; what is on its way when the block is left is ended and forgotten.

    async with one_ahead(pages) as ahead:
        async for page in ahead:
            ...
    """
    ahead: asyncio.Task[Item | None] | None = None

    async def each() -> AsyncIterator[Item]:
        nonlocal ahead
        ahead = asyncio.create_task(_next(items))
        while (item := await ahead) is not None:
            ahead = asyncio.create_task(_next(items))
            yield item

    try:
        yield each()
    finally:
        if ahead is not None:
            ahead.cancel()
            await asyncio.wait({ahead})
            if not ahead.cancelled():
                ahead.exception()  # nobody waits for this item: its failure is nobody's
        await items.aclose()


async def _next(items: AsyncGenerator[Item, None]) -> Item | None:
    return await anext(items, None)
