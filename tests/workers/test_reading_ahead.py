"""One item is read ahead: never more, in order, and nothing of it is left behind."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.support.waiting import until
from workers.reading_ahead import one_ahead

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


class Source:
    """Gives numbers; says how many were begun, and whether it was closed."""

    def __init__(self, count: int, *, fails_at: int = -1) -> None:
        self.begun = 0
        self.closed = False
        self._count = count
        self._fails_at = fails_at

    async def items(self) -> AsyncGenerator[int, None]:
        try:
            for number in range(self._count):
                self.begun = number + 1
                await asyncio.sleep(0)
                if number == self._fails_at:
                    raise ValueError(f"no item {number}")
                yield number
        finally:
            self.closed = True


async def test_every_item_comes_once_and_in_order() -> None:
    source = Source(5)
    async with one_ahead(source.items()) as ahead:
        assert [item async for item in ahead] == [0, 1, 2, 3, 4]
    assert source.closed


async def test_the_next_item_is_on_its_way_while_one_is_worked_on_and_no_further_one() -> None:
    source = Source(5)
    async with one_ahead(source.items()) as ahead:
        assert await anext(ahead) == 0
        await until(lambda: source.begun == 2, what="the second item begun")
        for _ in range(20):
            await asyncio.sleep(0)
        assert source.begun == 2


async def test_who_leaves_early_leaves_no_task_and_an_ended_source() -> None:
    before = asyncio.all_tasks()
    source = Source(5)
    async with one_ahead(source.items()) as ahead:
        async for _ in ahead:
            break
    assert source.closed
    assert asyncio.all_tasks() == before


async def test_a_failure_comes_where_its_item_would_have_come() -> None:
    source = Source(5, fails_at=2)
    seen = []
    with pytest.raises(ValueError, match="no item 2"):
        async with one_ahead(source.items()) as ahead:
            async for item in ahead:
                seen.append(item)  # noqa: PERF401  # what came before the failure is looked at
    assert seen == [0, 1]
    assert source.closed


async def test_a_failure_of_an_item_that_nobody_takes_is_nobodys() -> None:
    source = Source(5, fails_at=1)
    async with one_ahead(source.items()) as ahead:
        assert await anext(ahead) == 0
        await until(lambda: source.closed, what="the second item failed")
