"""Harm to worker processes (F1, F2, F17, F22, F24)."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress

from tests.chaos.campaign.scene import Impossible, Scene, fault
from tests.chaos.campaign.workers import BLOCKED_SECONDS, DRAIN_SECONDS, LEASE_SECONDS
from tests.support.waiting import NotInTimeError, until


@fault("kill -9 a worker", "F1")
async def kill_worker(scene: Scene) -> bool:
    """It is gone in the middle of whatever it did; its manager starts another one."""
    slot = scene.slot()
    pid = scene.chance.choice(slot.workers())
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        scene.history.write(slot.name, "process", pid=pid, event="killed", code=-9)
        return True
    return False


@fault("kill -9 all workers", "F22")
async def kill_all_workers(scene: Scene) -> bool:
    """All at once; they all come back at once."""
    for slot in scene.workers.slots:
        for pid in slot.workers() if slot.alive else []:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                scene.history.write(slot.name, "process", pid=pid, event="killed", code=-9)
    return True


@fault("kill -9 twice in a row", "F1")
async def kill_twice(scene: Scene) -> bool:
    """The one that follows dies as soon as it is up."""
    slot = scene.slot()
    for _ in range(2):
        with suppress(NotInTimeError):
            await until(slot.ready, within=10.0, what="it is up")
        if slot.alive:
            slot.send(signal.SIGKILL)
            scene.history.write(slot.name, "process", pid=slot.pid, event="killed", code=-9)
        await asyncio.sleep(0.1)
    return True


@fault("stop a worker beyond its lease", "F2")
async def pause_worker(scene: Scene) -> bool:
    """SIGSTOP, somebody else takes over, SIGCONT: a zombie with a batch in its hands."""
    slot = scene.slot()
    pid = scene.chance.choice(slot.workers())
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(LEASE_SECONDS + scene.chance.uniform(0.2, 0.7))
        os.kill(pid, signal.SIGCONT)
        return True
    return False


@fault("stop all workers beyond their lease", "F2")
async def pause_all_workers(scene: Scene) -> bool:
    """Nobody works; then all wake up at once."""
    pids = [pid for slot in scene.workers.slots if slot.alive for pid in slot.workers()]
    for number in (signal.SIGSTOP, signal.SIGCONT):
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        if number == signal.SIGSTOP:
            await asyncio.sleep(LEASE_SECONDS + 0.3)
    return bool(pids)


@fault("drain a worker", "F25")
async def drain_worker(scene: Scene) -> bool:
    """SIGTERM under load: it has to end within its budget, with exit code 0 or with 3 and a report."""
    slot = scene.slot()
    if not slot.ready():
        return False
    try:
        took, code = await scene.workers.drained(slot, within=DRAIN_SECONDS + 6.0)
    except NotInTimeError:
        slot.send(signal.SIGKILL)
        scene.history.write(
            slot.name, "measure", name="drain seconds", value=DRAIN_SECONDS + 6.0, limit=DRAIN_SECONDS + 2.0, unit="s"
        )
        slot.leave_dead = False
        return True
    slot.leave_dead = False
    # The budget is the soft stop's; one second of hard stop and Python's own end come on top.
    scene.history.write(slot.name, "measure", name="drain seconds", value=took, limit=DRAIN_SECONDS + 2.0, unit="s")
    if code not in (0, 3):
        scene.history.write(slot.name, "measure", name="drain exit code", value=code, limit=0, unit="")
    return True


@fault("block the event loop", "F24")
async def block_loop(scene: Scene) -> bool:
    """`time.sleep` in the loop's thread: the watchdog has to end the process, with its own exit code."""
    slot = scene.slot()
    if scene.workers.processes > 1 or not slot.ready():
        return False
    process = slot.process
    assert process is not None
    began = time.monotonic()
    slot.send(signal.SIGUSR1)
    try:
        await until(lambda: process.poll() is not None, within=BLOCKED_SECONDS + 8.0, what="the watchdog ended it")
    except NotInTimeError:
        slot.send(signal.SIGKILL)
    took = time.monotonic() - began
    scene.history.write(
        slot.name, "measure", name="watchdog seconds", value=took, limit=BLOCKED_SECONDS + 5.0, unit="s"
    )
    return process.returncode in (70, None) or process.returncode < 0


@fault("set a worker's clock an hour ahead and back", "F17")
async def jump_clock(scene: Scene) -> bool:
    """The wall clock of one process jumps, forward or backward, and comes back."""
    slot = scene.slot()
    if not slot.clock.usable:
        raise Impossible("no compiler for the clock shim")
    slot.clock.set(scene.chance.choice([3600, -3600]))
    await scene.pause(0.8, 1.5)
    slot.clock.set(0)
    return True
