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
import redis

from tests.support import leaks, row_plugin
from tests.support.source_tree import text_files
from tests.support.store import chosen_server, commands, store_address, store_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from _pytest.terminal import TerminalReporter

    from runtime.embedded.server import EmbeddedServer

__all__ = [
    "chosen_server",
    "commands",
    "store_address",
    "store_server",
]  # fixtures of the store, for every test


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


def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    """Name the long files after a whole run: each is a question (does it fit in a head?), not a failure."""
    if not row_plugin.is_whole_run(config):
        return
    long = [f"{path} ({size})" for path, text in text_files(".py", ".lua") if (size := text.count("\n")) > 300]
    if long:
        terminalreporter.write_line(f"files over 300 lines: {', '.join(long)}")


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


@pytest.fixture(autouse=True)
def no_key_without_an_end(request: pytest.FixtureRequest) -> Iterator[None]:
    """No key that ought to expire is left without a TTL in the store of the run.

    A test or module marked `permanent_keys("orders:*", ...)` says which keys may stay: no other may. Without
    the mark, the families that must always expire are looked at.
    """
    yield
    if "store_address" not in request.fixturenames:
        return
    marks = list(request.node.iter_markers("permanent_keys"))
    server: EmbeddedServer = request.getfixturevalue("store_server")
    with redis.Redis(unix_socket_path=server.store.socket_path) as client:
        left = leaks.keys_without_ttl(client)
    if marks:
        left = leaks.matching_none(left, [pattern for mark in marks for pattern in mark.args])
    else:
        left = leaks.matching_any(left, leaks.ALWAYS_EXPIRE)
    assert not left, f"keys that never expire: {left}"
