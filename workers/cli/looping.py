"""The event loop of a command: uvloop, on the main thread."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

Answer = TypeVar("Answer")


def run_async(work: Coroutine[Any, Any, Answer]) -> Answer:
    """Run `work` on a new loop and give its answer."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)
