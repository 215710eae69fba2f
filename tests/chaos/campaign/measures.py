"""What is measured in every seed: takeover after a kill, catching up, resources; and the records that claims need."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import TYPE_CHECKING

from tests.chaos.campaign.embedded_target import AWAY
from tests.chaos.campaign.workers import LEASE_SECONDS
from tests.support.waiting import NotInTimeError, until
from workers.importing import Importer
from workers.lab_sample import lab_records

if TYPE_CHECKING:
    from tests.chaos.campaign.load import Client
    from tests.chaos.campaign.scene import Scene

TAKEOVER_SECONDS = LEASE_SECONDS + 1.0
OUTAGE_SECONDS = 4.0
"""Long enough that the rate of work shows, and not how long leases take."""
LATE_SECONDS = 0.35
"""A measurement whose own steps came later than this was made on a machine that had no time for it: it counts not."""
CATCH_UP = 3.0
"""Times the rate of arrival that a cluster has to work at after an outage."""
LIMIT = round(1 / CATCH_UP, 3)


async def load_records(client: Client) -> None:
    """Policies and customers of the lab's sample."""
    await Importer(client._app).records(lab_records(180))


async def base(scene: Scene) -> None:
    """Resources of the first process while it serves every seat alone, before anything happened to it."""
    await _served(scene, within=30.0)
    slot = scene.workers.slots[0]
    for name, value in (await scene.workers.resources(slot)).items():
        scene.history.write(slot.name, "base", name=name, value=value)


async def resources(scene: Scene) -> None:
    """The same at the end (I18), of the one that is left and serves every seat alone again."""
    alive = [slot for slot in scene.workers.slots if slot.ready()]
    if len(alive) == 1 and len(scene.workers.slots) == 2:
        await _served(scene, within=30.0)
    for slot in alive if len(alive) == 1 else []:
        for name, value in (await scene.workers.resources(slot)).items():
            scene.history.write(slot.name, "rest", name=name, value=value, lives=slot.lives)
    info = await scene.target.run("INFO", "clients")
    connected = info["connected_clients"] if isinstance(info, dict) else 0
    scene.history.write("store", "rest", name="connections", value=int(connected), lives=1)


async def owners(scene: Scene) -> list[str]:
    """Who holds each seat; '' for nobody."""
    found: list[str] = []
    for keys in scene.keyspaces:
        for partition in range(keys.spec.partitions):
            for group in await scene.groups(keys, partition):
                name = keys.lease(group, partition)
                found.append((await scene.target.run("GET", name, key=name) or b"").decode())
    return found


async def _served(scene: Scene, within: float) -> None:
    async def served() -> bool:
        try:
            names = await owners(scene)
        except AWAY:
            return False
        return bool(names) and "" not in names

    await until(served, within=within, what="every seat is served")


async def takeover(scene: Scene) -> None:
    """Kill -9 of one of two: every seat is served again within the lease and a second. The other one stays alone."""
    workers = scene.workers
    if workers.processes > 1 or len(workers.slots) < 2:
        return
    try:
        await _served(scene, within=20.0)
        both = await until_two(scene)
    except NotInTimeError:
        return
    victim = workers.slots[0]
    victim.leave_dead = True
    victim.send(signal.SIGKILL)
    scene.history.write(victim.name, "process", pid=victim.pid, event="killed", code=-9)
    began = looked = time.monotonic()
    value, late = 20.0, 0.0
    while time.monotonic() - began < 20.0:
        try:
            names = await owners(scene)
        except AWAY:
            continue
        late, looked = max(late, time.monotonic() - looked), time.monotonic()
        if "" not in names and set(names) < both:
            value = time.monotonic() - began
            break
        await asyncio.sleep(0.01)
    _measured(scene, "takeover seconds", round(value, 3), TAKEOVER_SECONDS, "s", _busy(late))


async def until_two(scene: Scene) -> set[str]:
    """Wait until two processes share the seats."""

    async def two() -> set[str]:
        names = set(await owners(scene))
        return names if len(names - {""}) == 2 and "" not in names else set()

    return await until(two, within=10.0, what="two processes share the seats")


async def catch_up(scene: Scene) -> None:
    """All workers stand still for longer than their lease while events arrive; then the backlog has to go fast."""
    from tests.chaos.campaign.seed_run import looks

    async def backlog() -> tuple[int, int]:
        seen = [one for name, one in (await looks(scene)).items() if name.startswith("analytics on")]
        return sum(one.backlog for one in seen), sum(one.added for one in seen)

    try:
        await until(lambda: _small(backlog), within=30.0, what="nothing is left of the faults")
    except NotInTimeError:
        return
    _, before = await backlog()
    began = time.monotonic()
    for number in (signal.SIGSTOP, signal.SIGCONT):
        for slot in scene.workers.slots:
            slot.send(number)
        if number == signal.SIGSTOP:
            await asyncio.sleep(OUTAGE_SECONDS)
    awake = time.monotonic()
    scene.book.allowed.clear()
    waiting, added = await backlog()
    rate = (added - before) / (awake - began)
    left, late, looked = waiting, 0.0, time.monotonic()
    moved, behind, served = awake, waiting, [""]
    while waiting > 20 and left > 0 and time.monotonic() - awake < 30.0:
        left, _ = await backlog()
        now_served = await owners(scene)
        late, looked = max(late, time.monotonic() - looked), time.monotonic()
        if now_served != served or "" in now_served:
            # Seats still change hands: how long that takes is the floor of the takeover, not this one.
            moved, behind, served = looked, left, now_served
        await asyncio.sleep(0.005)
    ended = time.monotonic()
    scene.book.allowed.set()
    if waiting > 20:
        whole = (waiting - left) / (ended - awake)
        settled = (behind - left) / (ended - moved) if behind > 20 else 0.0
        told = (
            f"({waiting} entries in {ended - awake:.2f} s, {behind} in the last {ended - moved:.2f} s,"
            f" {rate:.0f}/s arrived)"
        )
        # As a floor that must not be exceeded: the arrival's share of the rate of work.
        value = round(rate / max(whole, settled, 0.1), 3) if left == 0 else 9.0
        why = _busy(late)
        if not why and left == 0 and behind <= 20 and value > LIMIT:
            why = "seats changed hands until nearly all was done, so that no rate of work shows"
        _measured(scene, "arrival / catch-up rate", value, LIMIT, told, why)


def _busy(late: float) -> str:
    """Why a measurement does not count on a machine that came late to its steps; '' when it does."""
    return f"the machine was busy: {late:.2f} s late" if late >= LATE_SECONDS else ""


def _measured(scene: Scene, name: str, value: float, limit: float, unit: str, why: str) -> None:
    kind = "unmeasured" if why else "measure"
    scene.history.write("campaign", kind, name=name, value=value, limit=limit, unit=unit, why=why)


async def _small(backlog: object) -> bool:
    left, _ = await backlog()  # type: ignore[operator]
    return bool(left < 5)
