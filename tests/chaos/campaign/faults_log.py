"""Harm to streams and groups (F20), and to what comes in (F18, F19); and a log that is damaged (F21, I15)."""

from __future__ import annotations

import asyncio
import signal

from runtime.store.position import look
from tests.chaos.campaign import junk, poison
from tests.chaos.campaign.dump import text
from tests.chaos.campaign.embedded_target import AWAY
from tests.chaos.campaign.scene import Scene, fault


async def _group(scene: Scene) -> tuple[str, str]:
    keys, partition = scene.stream()
    groups = await scene.groups(keys, partition)
    return keys.log(partition), scene.chance.choice(groups or ["processors"])


@fault("destroy a group", "F20")
async def destroy_group(scene: Scene) -> bool:
    """XGROUP DESTROY while it is read."""
    for _ in range(5):
        log, group = await _group(scene)
        if await scene.tried("XGROUP", "DESTROY", log, group, key=log):
            return True
    return False


@fault("destroy all groups of a log", "F20")
async def destroy_groups(scene: Scene) -> bool:
    """Every group of one partition."""
    keys, partition = scene.stream()
    log = keys.log(partition)
    done = [await scene.tried("XGROUP", "DESTROY", log, one, key=log) for one in await scene.groups(keys, partition)]
    return any(done)


@fault("delete the consumers of a group", "F20")
async def delete_consumers(scene: Scene) -> bool:
    """XGROUP DELCONSUMER, with all that is pending at them."""
    log, group = await _group(scene)
    rows = await scene.tried("XINFO", "CONSUMERS", log, group, key=log) or []
    for row in rows:
        await scene.tried("XGROUP", "DELCONSUMER", log, group, row[row.index(b"name") + 1], key=log)
    return bool(rows)


@fault("set a group back to the beginning", "F20")
async def set_back(scene: Scene) -> bool:
    """XGROUP SETID 0: everything is delivered again."""
    log, group = await _group(scene)
    return bool(await scene.tried("XGROUP", "SETID", log, group, "0", key=log))


@fault("set a group to the end", "F20")
async def set_forward(scene: Scene) -> bool:
    """XGROUP SETID $: what nobody has read is skipped by the cursor."""
    log, group = await _group(scene)
    return bool(await scene.tried("XGROUP", "SETID", log, group, "$", key=log))


@fault("trim what everybody has settled", "F20", "trim")
async def trim(scene: Scene) -> bool:
    """XTRIM below every position, as retention does; what goes is archived first."""
    keys, partition = scene.keyspaces[0], scene.chance.randrange(scene.plan.partitions)
    log = keys.log(partition)
    groups = await scene.groups(keys, partition)
    records = [await scene.tried("HGET", keys.position(one, partition), "id", key=log) for one in groups]
    if not records or any(one in (None, b"0-0") for one in records):
        return False
    lowest = min(records, key=lambda one: tuple(map(int, one.split(b"-"))))
    rows = await scene.tried("XRANGE", log, "-", b"(" + lowest, key=log) or []
    for entry, fields in rows:
        flat = [
            text(part) for part in (fields if isinstance(fields, list) else [p for kv in fields.items() for p in kv])
        ]
        scene.history.write("nemesis", "moved", log=log, id=text(entry), fields=flat)
        scene.moved.append(flat)
    return bool(rows) and bool(await scene.tried("XTRIM", log, "MINID", lowest, key=log))


@fault("malformed, foreign and oversized entries", "F19")
async def rubbish(scene: Scene) -> bool:
    """Some of each kind, also one with 10,000 fields."""
    done = [await scene.chance.choice(scene.producers).rubbish(kind) for kind in junk.KINDS]
    return all(done)


@fault("entries that a handler cannot bear", "F18")
async def poison_entries(scene: Scene) -> bool:
    """A claim whose every event makes one group raise: parked there, in order; nobody else notices."""
    letter = scene.chance.choice(sorted(poison.GROUPS))
    claim_id = poison.poison_id("R", letter, scene.book.number())
    return await scene.chance.choice(scene.producers).submit(claim_id)


@fault("an entry that kills its process", "F18", "killer")
async def killer_entry(scene: Scene) -> bool:
    """Whoever handles it in one group dies; in the end it is parked, and no neighbour with it."""
    letter = scene.chance.choice("AN")
    for _ in range(20):
        # Another claim each time: the one before it may be there, and a second notice of it would not become a fact.
        claim_id = poison.poison_id("K", letter, scene.book.number())
        if await scene.chance.choice(scene.producers).submit(claim_id):
            return True
    return False


@fault("a burst of appends", "F23")
async def burst(scene: Scene) -> bool:
    """Many at once, so that a backlog is there when the next fault comes."""
    before, scene.book.pause = scene.book.pause, 0.002
    await scene.pause(0.7, 1.2)
    scene.book.pause = before
    return True


async def _stopped_behind(scene: Scene, partition: int) -> bool:
    """Stop the workers, and wait until their claim log has entries that a group has not settled."""
    for slot in scene.workers.slots:
        for pid in slot.workers() if slot.alive else []:
            scene.history.write(slot.name, "process", pid=pid, event="stopped", code=0)
            slot.send(signal.SIGSTOP)
    keys = scene.keyspaces[0]
    for _ in range(60):
        await asyncio.sleep(0.05)
        try:
            seen = await look(scene.target.client(), keys, "analytics", partition)  # type: ignore[attr-defined]
        except AWAY:
            continue
        if seen.backlog > 4 and seen.settled > 0:
            return True
    return False


def _go_on(scene: Scene) -> None:
    for slot in scene.workers.slots:
        if slot.alive:
            slot.send(signal.SIGCONT)


@fault("damage the log", "F21", "damage")
async def damage(scene: Scene) -> bool:
    """What no design can heal: the answer has to be HALT and alarm, never a silent gap. Which one says the plan."""
    partition = scene.chance.randrange(scene.plan.partitions)
    keys = scene.keyspaces[0]
    log, state = keys.log(partition), keys.position("analytics", partition)
    try:
        if not await _stopped_behind(scene, partition):
            return False
        words = {
            "trim": ("XTRIM", log, "MAXLEN", 1),
            "delete": ("DEL", log),
            "forget": ("HDEL", state, "id"),
            "rename": ("RENAME", log, f"{log}:elsewhere"),
            "flush": ("FLUSHALL",),
            "overwrite": ("SET", log, "not a stream"),
        }[scene.plan.damage]
        done = await scene.target.run(*words, key=log)
        scene.history.write("nemesis", "damage", what=scene.plan.damage, partition=partition, answer=str(done))
        return True
    finally:
        _go_on(scene)
