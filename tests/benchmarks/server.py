"""The server of a run: a real one of its own on TCP, the same for everybody; filled, and asked what it did."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec
from redis.asyncio import Redis

from runtime.embedded.server import running_server
from runtime.store.functions import load_library
from tests.benchmarks.corpus import copied

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tests.benchmarks.corpus import Fields

HOST = "127.0.0.1"

FIRST_PORT = 21_700

REST_SECONDS = 600.0
"""For a rewrite of the append-only file of five million events."""

SLICE = 400
"""Entries of one call of the filling script: some 400 kB of arguments."""

_FILL = """
local copies, first = tonumber(ARGV[1]), tonumber(ARGV[2])
local width = tonumber(ARGV[3])
for copy = first, first + copies - 1 do
  for at = 4, #ARGV, width do
    local entry = {}
    for n = 0, width - 1 do entry[n + 1] = ARGV[at + n] end
    if copy > 0 then
      entry[2] = string.format('%08x', copy) .. string.sub(entry[2], 9)
      entry[6] = string.sub(entry[6], 1, -9) .. string.format('%08d', copy)
    end
    redis.call('XADD', KEYS[1], '*', unpack(entry))
  end
end
"""
"""Adds copies of entries as `corpus.copied` makes them: 5 million of them over the wire would take minutes."""


class ServerWork(msgspec.Struct, frozen=True):
    """What the server did between two looks."""

    calls: dict[str, int]
    microseconds: dict[str, float]
    cpu_seconds: float

    def cost(self, *commands: str) -> float:
        """Microseconds of these commands together. Of a function only the call itself counts its inner commands."""
        return sum(self.microseconds.get(command, 0.0) for command in commands)


class BenchServer:
    """A running server and a client for the harness; contestants bring their own."""

    def __init__(self, port: int, client: Redis, version: str) -> None:
        """Made by `bench_server`."""
        self.port = port
        self.client = client
        self.version = version

    async def ask(self, *command: str | int | bytes) -> Any:
        """Send any command."""
        return await self.client.execute_command(*command)  # type: ignore[no-untyped-call]

    async def empty(self) -> None:
        """Forget everything but the functions; it is freed before the next one is measured."""
        await self.ask("FLUSHALL", "SYNC")
        await self.ask("CONFIG", "RESETSTAT")

    async def work(self) -> tuple[dict[str, tuple[int, float]], float]:
        """Counters as they stand now: calls and microseconds by command; CPU seconds of the whole process."""
        stats = await self.client.info("commandstats")
        cpu = await self.client.info("cpu")
        found = {name.removeprefix("cmdstat_"): (int(one["calls"]), float(one["usec"])) for name, one in stats.items()}
        return found, float(cpu["used_cpu_sys"]) + float(cpu["used_cpu_user"])

    async def rest(self) -> None:
        """Wait until what filling it has begun is over: a rewrite of the append-only file, the writes of the disk.

        Such a rewrite takes a core for as long as the log is large: what is measured beside it says nothing of the
        log. Two looks, because one may begin a tenth of a second after it became due.
        """
        quiet = 0
        async with asyncio.timeout(REST_SECONDS):
            while quiet < 2:
                found = await self.client.info("persistence")
                busy = found["aof_rewrite_in_progress"] or found["aof_rewrite_scheduled"]
                quiet = 0 if busy else quiet + 1
                await asyncio.sleep(0.2)
        with ThreadPoolExecutor(1) as thread:  # ours, so that it ends here
            await asyncio.get_running_loop().run_in_executor(thread, os.sync)

    async def used_memory(self) -> int:
        """Bytes of data and their overhead."""
        return int((await self.client.info("memory"))["used_memory"])


def difference(
    before: tuple[dict[str, tuple[int, float]], float], after: tuple[dict[str, tuple[int, float]], float]
) -> ServerWork:
    """What was done between two looks."""
    nothing = (0, 0.0)
    calls = {name: one[0] - before[0].get(name, nothing)[0] for name, one in after[0].items()}
    spent = {name: one[1] - before[0].get(name, nothing)[1] for name, one in after[0].items()}
    return ServerWork(calls, spent, after[1] - before[1])


@asynccontextmanager
async def bench_server(appendfsync: str = "everysec") -> AsyncIterator[BenchServer]:
    """A private server on TCP with the library of ours loaded, gone with its data at the end."""
    async with running_server(port=FIRST_PORT, appendfsync=appendfsync, max_memory_mib=0) as server:
        port = server.store.port
        assert port is not None
        client = Redis(host=HOST, port=port, protocol=3, socket_timeout=120)
        try:
            await load_library(client)
            info = await client.info("server")
            name = info.get("server_name", "redis")
            yield BenchServer(port, client, f"{name} {info.get('valkey_version', info['redis_version'])}")
        finally:
            await client.aclose()


async def fill(server: BenchServer, stream: str, corpus: Sequence[Fields], count: int, *, first: int = 0) -> None:
    """Add `count` entries to one stream: the corpus, then copies of it (from copy number `first` on)."""
    width = len(corpus[0])
    done, copy = 0, first
    while done < count:
        whole = max(min((count - done) // len(corpus), 20), 1)
        part = corpus if count - done >= len(corpus) else corpus[: count - done]
        for begin in range(0, len(part), SLICE):
            flat = [text for fields in part[begin : begin + SLICE] for text in fields]
            await server.ask("EVAL", _FILL, 1, stream, whole, copy, width, *flat)
        done += whole * len(part)
        copy += whole


async def fill_partitions(
    server: BenchServer, streams: Sequence[str], place: Any, corpus: Sequence[Fields], count: int
) -> None:
    """The same over several streams: `place(claim id)` is the number of the stream of a claim."""
    for begin in range(0, count, 1000):
        pipeline = server.client.pipeline(transaction=False)
        for number in range(begin, min(begin + 1000, count)):
            fields = copied(corpus[number % len(corpus)], number // len(corpus))
            pipeline.execute_command("XADD", streams[place(fields[5])], "*", *fields)
        await pipeline.execute()
