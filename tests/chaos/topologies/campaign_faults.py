"""Faults that need more than one server (F14, F15, F16, W6, W7, W42). Importing this registers them.

Each measures how long writes were away (floor: 10 s) and ends when the topology is whole again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from redis.crc import key_slot

from runtime.store.keys import Keyspace
from tests.chaos.campaign.scene import Impossible, Scene, fault
from tests.chaos.topologies.campaign_targets import WHOLE_SECONDS, ClusterTarget, SentinelTarget, TopologyTarget
from workers.keys import claim_log

if TYPE_CHECKING:
    from tests.chaos.topologies.node import Node

BACK_SECONDS = 10.0


def _target(scene: Scene) -> TopologyTarget:
    if not isinstance(scene.target, TopologyTarget):
        raise Impossible("there is one server only")
    return scene.target


async def _any_primary(scene: Scene) -> Node:
    """The primary of any partition of the claim log."""
    keys = Keyspace(claim_log(scene.plan.partitions, tagged=True))
    return await _target(scene).primary_of(keys.log(scene.chance.randrange(scene.plan.partitions)))


async def _measured(scene: Scene, old: Node) -> None:
    seconds = await _target(scene).back(old)
    scene.history.write(
        "campaign", "measure", name="failover seconds", value=round(seconds, 3), limit=BACK_SECONDS, unit="s"
    )


@fault("fail over in good order", "F14")
async def fail_over(scene: Scene) -> bool:
    """SENTINEL FAILOVER, CLUSTER FAILOVER: roles change under reads that wait (F16)."""
    target, old = _target(scene), await _any_primary(scene)
    if isinstance(target, ClusterTarget):
        await target.six.failover(old)
    elif isinstance(target, SentinelTarget):
        await target.pair.failover()
        await target.pair.promoted(old, within=30.0)
    await target.topology.whole(WHOLE_SECONDS)
    return True


@fault("kill the primary until another took over", "F14")
async def kill_primary(scene: Scene) -> bool:
    """Kill -9; it comes back as a replica."""
    target = _target(scene)
    await target.kill_primary()
    old = target._down
    assert old is not None
    if isinstance(target, ClusterTarget):
        replica = await target.six.replica_of(old)
        await target.six.promoted(replica)
    else:
        await _measured(scene, old)
    await target.restart_primary()
    return True


@fault("stop the primary until another took over", "F14")
async def stop_primary(scene: Scene) -> bool:
    """It hangs, is replaced, and wakes up as a zombie that believes that it is a master."""
    target, old = _target(scene), await _any_primary(scene)
    replica = await target.six.replica_of(old) if isinstance(target, ClusterTarget) else None
    old.pause()
    try:
        if isinstance(target, ClusterTarget) and replica is not None:
            await target.six.promoted(replica)
        else:
            await _measured(scene, old)
    finally:
        old.wake()
    await target.topology.whole(WHOLE_SECONDS)
    return True


@fault("cut the primary off from the others", "F11")
async def cut_off(scene: Scene) -> bool:
    """Sentinels and replica lose it, its clients do not: the minority side goes on, and nothing there is confirmed."""
    target = _target(scene)
    assert isinstance(target, SentinelTarget)
    old = await target.pair.primary()
    await target.pair.cut_off(old)
    try:
        await _measured(scene, old)
        await target.pair.promoted(old, within=30.0)
        await scene.pause(0.5, 1.5)
    finally:
        await target.pair.join(old)
    await target.pair.whole(WHOLE_SECONDS)
    return True


@fault("move the slot of a partition", "F15")
async def move_slot(scene: Scene) -> bool:
    """Resharding under load: key by key, while everybody works on that partition (W42)."""
    target = _target(scene)
    assert isinstance(target, ClusterTarget)
    keys = Keyspace(claim_log(scene.plan.partitions, tagged=True))
    log = keys.log(scene.chance.randrange(scene.plan.partitions))
    source = await target.six.owner_of(log)
    masters = await target.six.masters()
    masters.remove(source)
    await target.six.move_slot(key_slot(log.encode()), scene.chance.choice(masters))
    await target.topology.whole(WHOLE_SECONDS)
    return True
