"""The suite's own tools: waiting gives up and says why, and each leak check sees its leak."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
import redis

from tests.support import leaks
from tests.support.waiting import NotInTimeError, until, until_sync

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from runtime.embedded.server import EmbeddedServer


async def test_waiting_returns_what_the_predicate_found() -> None:
    answers = iter([None, None, "found"])
    assert await until(lambda: next(answers), what="an answer") == "found"


async def test_waiting_accepts_an_async_predicate_and_takes_a_failed_assertion_as_not_yet() -> None:
    seen: list[int] = []

    async def three() -> int:
        seen.append(1)
        assert len(seen) >= 3
        return len(seen)

    assert await until(three, what="three looks") == 3


async def test_waiting_fails_with_what_it_waited_for_and_what_it_saw() -> None:
    with pytest.raises(NotInTimeError, match=r"not within 0\.01 s: five entries \(last seen: 0\)"):
        await until(lambda: 0, within=0.01, what="five entries")
    with pytest.raises(NotInTimeError, match="last seen: False"):
        until_sync(lambda: False, within=0.01, what="nothing")


async def test_an_error_in_a_predicate_ends_the_waiting_at_once() -> None:
    with pytest.raises(ZeroDivisionError):
        await until(lambda: 1 // 0, within=60, what="never")


async def test_a_task_that_goes_on_is_seen_by_name_and_cancelled() -> None:
    before = asyncio.all_tasks()
    task = asyncio.create_task(asyncio.Event().wait(), name="goes-on")
    left = await leaks.tasks_left(before)
    assert len(left) == 1
    assert "goes-on" in left[0]
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_task_that_is_just_ending_is_no_leak() -> None:
    before = asyncio.all_tasks()
    task = asyncio.create_task(asyncio.sleep(0.01))
    assert await leaks.tasks_left(before) == []
    assert task.done()


def test_a_thread_that_goes_on_is_seen_by_name() -> None:
    before, end = set(threading.enumerate()), threading.Event()
    thread = threading.Thread(target=end.wait, name="goes-on")
    thread.start()
    try:
        assert leaks.threads_left(before) == ["goes-on"]
    finally:
        end.set()
        thread.join()
    assert leaks.threads_left(before) == []


def test_a_child_that_goes_on_is_seen_and_so_is_one_that_nobody_waited_for() -> None:
    before = leaks.children()
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert leaks.children_left(before) == [f"{child.pid} {sys.executable} -c input()"]
        assert child.pid in leaks.orphans_of_this_run()
    finally:
        child.kill()
    assert "never waited for" in leaks.children_left(before)[0]
    child.communicate()
    assert leaks.children_left(before) == []


async def test_a_key_without_an_end_is_seen_unless_it_is_permanent(
    commands: Redis, store_server: EmbeddedServer
) -> None:
    await commands.set("orders:1", "stays")
    await commands.set("visit:1", "goes", ex=60)
    await commands.set("visit:2", "forgot to go")
    with redis.Redis(unix_socket_path=store_server.store.socket_path) as client:
        left = leaks.keys_without_ttl(client)
    assert left == ["orders:1", "visit:2"]
    assert leaks.matching_none(left, ["orders:*"]) == ["visit:2"]
    assert leaks.matching_any(left, ["orders:*"]) == ["orders:1"]
