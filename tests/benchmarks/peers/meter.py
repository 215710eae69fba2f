"""What every measured program shares: the order on its command line, the meter, the answer on its last line.

Stdlib only: each peer runs in an environment of its own. `python -m tests.benchmarks.peers.NAME PHASE ORDER`:
phase `load` puts the events in (not measured), `work` handles them, `send`
sends them at a fixed rate where a latency is measured.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Order = dict[str, Any]
"""host, port, count, corpus (file of events) and the settings of this contestant; a program may leave more for its
answer under `answer`.
"""

MARKS = 200
"""Marks of one run: enough to see a stall, too few to cost anything."""


class Meter:
    """Counts handled events and remembers when."""

    def __init__(self, count: int) -> None:
        """`done` is set at `count` events; 0: nobody knows how many there will be, and every addition is marked."""
        self.done = asyncio.Event()
        self.seen = 0
        self._count = count
        self._step = max(count // MARKS, 1)
        self._next = 0
        self._marks: list[tuple[float, int]] = []
        self._rss_warm = 0
        self._warm = (0.0, 0)

    def add(self, events: int = 1) -> None:
        """So many more are handled."""
        self.seen += events
        if self.seen >= self._next or self.seen >= self._count:
            self._marks.append((time.perf_counter(), self.seen))
            self._next = self.seen + self._step
            if not self._rss_warm and self.seen >= max(self._count // 4, 1):
                self._rss_warm = resident_kib()
                self._warm = (time.process_time(), self.seen)
            if 0 < self._count <= self.seen:
                self.done.set()

    def report(self) -> dict[str, Any]:
        """What the harness wants to know. `cpu_us`: processor time per event after the first quarter."""
        spent, seen = time.process_time() - self._warm[0], self.seen - self._warm[1]
        return {
            "marks": self._marks,
            "rss_warm_kib": self._rss_warm,
            "rss_end_kib": resident_kib(),
            "cpu_us": spent / seen * 1e6 if self._warm[1] and seen else 0.0,
        }


def resident_kib() -> int:
    """Memory of this process that is in RAM now, in KiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    return 0


def events(order: Order) -> list[dict[str, Any]]:
    """`count` events as dictionaries, the body of each as JSON inside: what a peer would be given to publish."""
    found: list[dict[str, Any]] = []
    for line in Path(order["corpus"]).read_text().splitlines():
        flat = json.loads(line)
        event = dict(zip(flat[::2], flat[1::2], strict=True))
        event["data"] = json.loads(event["data"])
        found.append(event)
    return [found[place % len(found)] for place in range(order["count"])]


def url(order: Order) -> str:
    """The address of the server."""
    return f"redis://{order['host']}:{order['port']}/0"


async def until_settled(left: Callable[[], Awaitable[int]], seconds: float = 20.0) -> None:
    """Wait until nothing is left unsettled; a peer that only handled its events has not done its work."""
    deadline = time.monotonic() + seconds
    while (rest := await left()) > 0:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{rest} events were handled and not settled after {seconds:g} s")
        await asyncio.sleep(0.02)


async def send_on_schedule(order: Order, send: Callable[[int, float], Awaitable[None]]) -> None:
    """Send `count` events at `rate` per second, each when it is due, whatever became of the ones before (open loop)."""
    under_way: set[asyncio.Task[None]] = set()

    async def one(place: int, due: float) -> None:
        await send(place, due)

    begin = time.perf_counter() + 0.1
    for place in range(order["count"]):
        due = begin + place / order["rate"]
        if (ahead := due - time.perf_counter()) > 0:
            await asyncio.sleep(ahead)
        task = asyncio.create_task(one(place, due))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
    await asyncio.gather(*under_way)


def main(
    load: Callable[[Order], Awaitable[None]],
    work: Callable[[Order, Meter], Awaitable[None]],
    send: Callable[[Order], Awaitable[None]] | None = None,
) -> None:
    """Run the phase that the command line names."""
    import uvloop

    phase, order = sys.argv[1], json.loads(sys.argv[2])
    answer: dict[str, Any] = {}

    async def run() -> None:
        if phase == "load":
            await load(order)
        elif phase == "send" and send is not None:
            await send(order)
        else:
            meter = Meter(order["count"])
            await work(order, meter)
            answer.update(meter.report())
        answer.update(order.get("answer", {}))

    uvloop.run(run())
    sys.stdout.write("\n" + json.dumps(answer) + "\n")
    sys.stdout.flush()
