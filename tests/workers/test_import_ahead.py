"""An import that works ahead: what overlaps, what keeps its order, and what is in when it ends early."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.notices import owned_threads
from tests.support.small_cluster import small_application
from tests.support.waiting import until
from workers.adapters.auto_portfolio import portfolio
from workers.import_ahead import import_ahead
from workers.importing import Imported, Importer, batches
from workers.keys import CLAIM_LOG, POLICY_LOG

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from runtime.effects import Append
    from runtime.store.address import StoreAddress
    from workers.adapters.auto_row import AutoRow
    from workers.application import Application
    from workers.submissions import Submission

    Held = Callable[[str, int], Awaitable[None]]

SIZE = 5
PATIENCE = 20.0
RECORDS, NOTICES = POLICY_LOG, CLAIM_LOG


class Gate:
    """Stands before the store: knows which calls came, and lets `held(log, nth call of it)` hold them."""

    def __init__(self, app: Application, held: Held) -> None:
        self.app = app
        self.calls: list[str] = []
        self._held = held
        self._append = app.store.appender.append_surely

    async def append_surely(self, units: Sequence[Append], *, seconds: float) -> list[Any]:
        self.calls.append(units[0].log)
        await self._held(units[0].log, self.calls.count(units[0].log))
        return list(await self._append(units, seconds=seconds))

    async def claims(self) -> list[str]:
        """The claims of the log in its order."""
        log = self.app.claim_keyspace.log(0)
        return [row[5].decode() async for _, row in self.app.store.reads.stream(log)]


@asynccontextmanager
async def gated(address: StoreAddress, directory: Path, patch: pytest.MonkeyPatch, held: Held) -> AsyncIterator[Gate]:
    async with owned_threads(), small_application(address, directory, simulation=False) as app:
        gate = Gate(app, held)
        patch.setattr(app.store.appender, "append_surely", gate.append_surely)
        yield gate


async def imported(gate: Gate, stream: Iterable[list[AutoRow]], done: Imported) -> None:
    def parts(rows: list[AutoRow]) -> tuple[list[AutoRow], list[Submission]]:
        return rows, [row.submission for row in rows]

    def told(rows: list[AutoRow], one: Imported) -> None:
        assert len(one.claim_ids) == len(rows)
        done.__iadd__(one)

    await import_ahead(Importer(gate.app), stream, parts, told)


def counted(count: int, pulled: list[int]) -> Iterator[list[AutoRow]]:
    """So many batches; `pulled` tells how far the reading is."""
    for number, rows in enumerate(batches(portfolio(count * SIZE), SIZE), 1):
        pulled.append(number)
        yield rows


async def test_the_next_batch_is_read_while_the_store_takes_the_last_one(
    store_address: StoreAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pulled: list[int] = []

    async def held(log: str, nth: int) -> None:
        if (log, nth) == (RECORDS, 1):
            await until(lambda: len(pulled) >= 2, within=PATIENCE, what="the second batch was read meanwhile")

    done = Imported()
    async with gated(store_address, tmp_path, monkeypatch, held) as gate:
        await imported(gate, counted(3, pulled), done)
        assert await gate.claims() == done.claim_ids
    assert done.added == 3 * SIZE


async def test_two_batches_are_on_their_way_and_one_is_ready_and_no_more(
    store_address: StoreAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pulled: list[int] = []
    go = asyncio.Event()

    async def held(_log: str, _nth: int) -> None:
        await go.wait()

    done = Imported()
    async with gated(store_address, tmp_path, monkeypatch, held) as gate:
        running = asyncio.create_task(imported(gate, counted(8, pulled), done))
        await until(lambda: len(pulled) == 3, within=PATIENCE, what="the third batch was read")
        for _ in range(200):  # turns in which a fourth one would be
            await asyncio.sleep(0)
        assert (pulled, gate.calls) == ([1, 2, 3], [RECORDS, RECORDS])
        go.set()
        await running
    assert done.added == 8 * SIZE


async def test_notices_stand_in_the_log_in_the_order_of_the_file_whatever_overtakes_what(
    store_address: StoreAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overtaken = asyncio.Event()

    async def held(log: str, nth: int) -> None:
        if (log, nth) == (RECORDS, 1):
            await asyncio.wait_for(overtaken.wait(), PATIENCE)
        elif (log, nth) == (RECORDS, 2):
            asyncio.get_running_loop().call_later(0.05, overtaken.set)  # the second is long in before the first

    done = Imported()
    async with gated(store_address, tmp_path, monkeypatch, held) as gate:
        await imported(gate, counted(4, []), done)
        assert gate.calls[:3] == [RECORDS, RECORDS, NOTICES]
        assert await gate.claims() == done.claim_ids
    assert done.added == 4 * SIZE


async def test_what_was_read_before_a_stream_broke_is_in_and_the_error_is_told(
    store_address: StoreAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> Iterator[list[AutoRow]]:
        yield from counted(2, [])
        raise OSError("the disk is gone")

    async def held(_log: str, _nth: int) -> None:
        await asyncio.sleep(0)

    done = Imported()
    async with gated(store_address, tmp_path, monkeypatch, held) as gate:
        with pytest.raises(OSError, match="the disk is gone"):
            await imported(gate, broken(), done)
        assert await gate.claims() == done.claim_ids
    assert done.added == 2 * SIZE


async def test_after_a_batch_that_failed_none_goes_in_and_the_error_is_told(
    store_address: StoreAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def held(log: str, nth: int) -> None:
        if (log, nth) == (NOTICES, 2):
            raise RuntimeError("refused by the store")

    done = Imported()
    async with gated(store_address, tmp_path, monkeypatch, held) as gate:
        with pytest.raises(RuntimeError, match="refused by the store"):
            await imported(gate, counted(5, []), done)
        assert await gate.claims() == done.claim_ids
    assert done.added == SIZE


async def test_an_import_that_is_cancelled_leaves_no_task_behind(
    store_address: StoreAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancelled: list[str] = []

    async def held(log: str, _nth: int) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(log)
            raise

    async with gated(store_address, tmp_path, monkeypatch, held) as gate:
        running = asyncio.create_task(imported(gate, counted(3, []), Imported()))
        await until(lambda: len(gate.calls) == 2, within=PATIENCE, what="two batches are on their way")
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert cancelled == [RECORDS, RECORDS]
        assert len(asyncio.all_tasks()) == 1
