"""A process of its own that owns an embedded store, for the tests that kill the owner.

Run as `python -m tests.support.store_owner DATA_DIR SOCKET_DIR END`: prints the running store as JSON,
waits for a line (or the end) of its input, then ends as END says: stop, exit (no clean-up at all), raise.
Interrupts are ignored, as by a process that drains.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import msgspec

from runtime.embedded.options import EmbeddedOptions
from runtime.embedded.server import EmbeddedServer


async def own(data_dir: str, socket_dir: str, end: str) -> None:
    """Start, tell, wait, end."""
    options = EmbeddedOptions(
        data_dir=data_dir,
        socket_dir=socket_dir,
        min_free_mib=0,
        lock_seconds=5,
        binary=os.environ.get("CLAIMSTREAM_TEST_SERVER"),
    )
    server = EmbeddedServer(options)
    store = await server.start()
    sys.stdout.write(msgspec.json.encode(store).decode() + "\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    if end == "exit":
        os._exit(3)
    if end == "raise":
        raise RuntimeError("an owner that forgot to stop its server")
    await server.stop()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # ignored when the tests run under nohup
    asyncio.run(own(*sys.argv[1:]))
