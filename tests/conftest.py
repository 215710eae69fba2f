"""What holds for every test: nothing is left behind, and the seed rows that it shows are counted."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import signal
import threading
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.support import leaks, row_plugin
from tests.support.store import commands, store_address, store_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

__all__ = ["commands", "store_address", "store_server"]  # fixtures of the store, for every test


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the seed rows."""
    row_plugin.add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Mark this run, so that its processes are found, and count its seed rows."""
    os.environ[leaks.RUN_MARK] = uuid.uuid4().hex
    config.pluginmanager.register(row_plugin.RowCollector(config), "seed-rows")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each async test the check for tasks, first of its fixtures, so that it looks last."""
    for item in items:
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.function):
            item.fixturenames.insert(0, "no_task_left")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """End what the run left running, and fail it: an orphan outlived its parent and every check."""
    orphans = leaks.orphans_of_this_run()
    for pid, command in orphans.items():
        session.config.get_terminal_writer().line(f"left running by the tests: {command}")
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    if orphans and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
async def no_task_left() -> AsyncIterator[None]:
    """No asyncio task outlives its test."""
    before = asyncio.all_tasks()
    yield
    left = await leaks.tasks_left(before)
    assert not left, f"tasks left behind: {left}"


@pytest.fixture(autouse=True)
def no_thread_and_no_process_left() -> Iterator[None]:
    """No thread and no child process outlives its test; a server of the whole session was there before."""
    threads, processes = set(threading.enumerate()), leaks.children()
    yield
    left = leaks.threads_left(threads) + leaks.children_left(processes)
    assert not left, f"threads or processes left behind: {left}"
