"""Harm to the connections between workers (and clients) and the store, by their proxies (F11, F12, F13)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

from tests.chaos.campaign.scene import Impossible, Scene, fault

if TYPE_CHECKING:
    from tests.chaos.campaign.proxy import Proxy

CALLS = (b"cs_settle_1", b"cs_append_1", b"cs_resync_1", b"XREADGROUP", b"cs_lease_1", b"cs_beat_1", b"cs_open_1")


def _proxy(scene: Scene) -> Proxy:
    """That of any worker."""
    proxy = scene.slot().proxy
    if proxy is None:
        raise Impossible("no proxy can stand before this target")
    return proxy


async def _lose(proxies: list[Proxy], call: bytes, nth: int, how: Literal["reset", "mute"]) -> bool:
    for proxy in proxies:
        proxy.lose_reply(call, nth, how)
    for _ in range(120):
        await asyncio.sleep(0.05)
        if not any(proxy.waiting for proxy in proxies):
            break
    return any(not proxy.waiting for proxy in proxies)


@fault("lose the reply of a settle", "F13")
async def lose_settle(scene: Scene) -> bool:
    """It was done, and the worker does not learn it."""
    return await _lose([_proxy(scene)], b"cs_settle_1", scene.chance.randint(1, 4), "reset")


@fault("lose the reply of an append", "F13")
async def lose_append(scene: Scene) -> bool:
    """Of a client: it has to ask again with the same command id."""
    proxies = scene.client_proxies
    if not proxies:
        raise Impossible("no proxy can stand before this target")
    return await _lose(proxies, b"cs_append_1", scene.chance.randint(1, 3), scene.chance.choice(["reset", "mute"]))


@fault("lose the reply of a read", "F13")
async def lose_read(scene: Scene) -> bool:
    """What it brought is pending at a connection that is gone (reset), or that hangs (mute)."""
    return await _lose(
        [_proxy(scene)], b"XREADGROUP", scene.chance.randint(1, 9), scene.chance.choice(["reset", "mute"])
    )


@fault("lose any reply", "F13")
async def lose_any(scene: Scene) -> bool:
    """The n-th reply of some call."""
    call = scene.chance.choice(CALLS[:3] + CALLS[4:6])
    return await _lose([_proxy(scene)], call, scene.chance.randint(1, 3), scene.chance.choice(["reset", "mute"]))


@fault("reset the connections of a worker", "F13")
async def reset(scene: Scene) -> bool:
    """All at once, in the middle of whatever is on its way."""
    for _ in range(scene.chance.randint(1, 4)):
        _proxy(scene).cut()
        await scene.pause(0.02, 0.3)
    return True


@fault("half-open connections", "F13")
async def half_open(scene: Scene) -> bool:
    """Nothing comes through and nobody says so, for longer than a reply may take."""
    proxy = _proxy(scene)
    proxy.mute(2.5)
    await asyncio.sleep(2.5)
    proxy.calm()
    return True


@fault("cut a worker off", "F11")
async def partition(scene: Scene) -> bool:
    """Beyond its lease: somebody else takes over, and it comes back."""
    _proxy(scene).shut(1.6)
    await asyncio.sleep(1.7)
    return True


@fault("delay everything of a worker", "F12")
async def delay(scene: Scene) -> bool:
    """60 ms each way: twice that for each call."""
    proxy = _proxy(scene)
    proxy.delay = 0.06
    await scene.pause(1.0, 1.5)
    proxy.delay = 0.0
    return True


@fault("slow link of a worker", "F12")
async def slow_link(scene: Scene) -> bool:
    """512 kbit/s each way."""
    proxy = _proxy(scene)
    proxy.rate = 64_000.0
    await scene.pause(1.0, 1.5)
    proxy.rate = 0.0
    return True
