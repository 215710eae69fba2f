"""The processes of the cluster: each says with a heartbeat that it is alive, under its incarnation id."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from runtime.store import functions
from runtime.store.keys import PROCESS_DESCRIPTIONS, PROCESSES

if TYPE_CHECKING:
    from collections.abc import Mapping


class ProcessCard(msgspec.Struct, frozen=True):
    """What a process says about itself. `serves`: names of the actors that it can run; '' stands for all."""

    incarnation: str
    host: str
    pid: int
    version: str
    started: str
    serves: tuple[str, ...] = ()


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(ProcessCard).decode


class Registry:
    """The living processes, as the store knows them."""

    def __init__(self, client: functions.Client, card: ProcessCard, ttl_seconds: float) -> None:
        """`card` is ours; it expires `ttl_seconds` after the last beat."""
        self._client = client
        self._card = card
        self._ttl_ms = int(ttl_seconds * 1000)

    async def beat(self) -> Mapping[str, ProcessCard]:
        """Say that we are alive; who else is. Raises store faults."""
        return await self._call(self._ttl_ms)

    async def leave(self) -> None:
        """Take our name off the list."""
        await self._call(0)

    async def _call(self, ttl_ms: int) -> Mapping[str, ProcessCard]:
        args: list[functions.Argument] = [self._card.incarnation, str(ttl_ms), _encode(self._card)]
        reply = await functions.call(self._client, functions.BEAT, [PROCESSES, PROCESS_DESCRIPTIONS], args)
        living: dict[str, ProcessCard] = {}
        for place in range(1, len(reply), 2):
            try:
                living[reply[place].decode()] = _decode(reply[place + 1])
            except msgspec.DecodeError:
                continue  # a process of another version: it counts once it speaks our language
        return living
