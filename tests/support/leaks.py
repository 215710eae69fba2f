"""What a test may not leave behind: an asyncio task, a thread, a child process, a key that never expires.

The checks run after every test (the fixtures are in `tests/conftest.py`); what was there before the test is
not its fault. Something that is just ending gets a short grace, something that stays fails the test by name.
"""

from __future__ import annotations

import asyncio
import fnmatch
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import redis

GRACE_SECONDS = 2.0
"""For what is just ending: the end of a process may wait for a core. Nobody waits when nothing is left."""

# Families of keys that hold something for a while only: results of commands, leases, sessions, tokens.
ALWAYS_EXPIRE = ("command:*", "*:lease:*", "session:*", "auth:tokens:*", "analytics:realtime*")

# Every process started by this run inherits it, so that an orphan is found whoever its parent has become.
RUN_MARK = "CLAIMSTREAM_TEST_RUN"


async def tasks_left(before: set[asyncio.Task[object]]) -> list[str]:
    """Tasks that still run, each with the line where it stands; they are cancelled."""
    own = asyncio.current_task()
    left = {task for task in asyncio.all_tasks() if task is not own} - before
    if left:
        _, left = await asyncio.wait(left, timeout=GRACE_SECONDS)
    described = [_describe_task(task) for task in left]
    for task in left:
        task.cancel()
    return sorted(described)


def _describe_task(task: asyncio.Task[object]) -> str:
    stack = task.get_stack(limit=1)
    where = f"{Path(stack[-1].f_code.co_filename).name}:{stack[-1].f_lineno}" if stack else "not started"
    return f"{task.get_name()} ({where})"


def threads_left(before: set[threading.Thread]) -> list[str]:
    """Threads that were started and not joined."""
    deadline = time.monotonic() + GRACE_SECONDS
    left = set(threading.enumerate()) - before
    for thread in left:
        thread.join(max(0.0, deadline - time.monotonic()))
    return sorted(thread.name for thread in left if thread.is_alive())


def children() -> set[int]:
    """Process ids of the children of this process, those included that ended and were never waited for.

    Read from /proc; where there is none (macOS) nothing is found and nothing is checked.
    """
    return {pid for pid in _pids() if _parent_of(pid) == os.getpid()}


def _pids() -> Iterator[int]:
    return (int(folder.name) for folder in Path("/proc").glob("[0-9]*"))


def _parent_of(pid: int) -> int | None:
    try:
        status = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:  # ended meanwhile
        return None
    # pid (name) state parent ...: the name may hold blanks and brackets
    return int(status[status.rindex(b")") + 2 :].split()[1])


def children_left(before: set[int]) -> list[str]:
    """Children that the test started and that are still there."""
    deadline = time.monotonic() + GRACE_SECONDS
    while left := children() - before:
        if time.monotonic() >= deadline:
            return sorted(_describe_process(pid) for pid in left)
        time.sleep(0.005)
    return []


def orphans_of_this_run() -> dict[int, str]:
    """Processes that carry the mark of this run, whoever their parent is by now, each with its command."""
    mark = f"{RUN_MARK}={os.environ[RUN_MARK]}".encode()
    return {pid: _describe_process(pid) for pid in _pids() if mark in _environment_of(pid)}


def _environment_of(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:  # ended meanwhile, or not ours to read
        return []


def _describe_process(pid: int) -> str:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        return f"{pid} {command or '(ended, never waited for)'}"
    except OSError:
        return str(pid)


def keys_without_ttl(client: redis.Redis) -> list[str]:
    """Names of the keys that never expire."""
    names = [bytes(name) for name in client.scan_iter(count=1000)]
    pipeline = client.pipeline(transaction=False)
    for name in names:
        pipeline.ttl(name)
    ttls = pipeline.execute() if names else []
    return sorted(name.decode(errors="backslashreplace") for name, ttl in zip(names, ttls, strict=True) if ttl == -1)


def matching_any(names: Iterable[str], patterns: Iterable[str]) -> list[str]:
    """The names that match at least one pattern (`*` and `?` as in a shell)."""
    patterns = tuple(patterns)
    return [name for name in names if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]


def matching_none(names: Iterable[str], patterns: Iterable[str]) -> list[str]:
    """The names that match no pattern."""
    names = list(names)
    matching = set(matching_any(names, patterns))
    return [name for name in names if name not in matching]
