"""A proxy between one client process and the store that loses, delays, mutes and cuts what passes through it.

    proxy = await Proxy.start(upstream, socket_path)     # or None: a TCP port of 127.0.0.1
    proxy.lose_reply(b"cs_settle_1", nth=2)              # the second settle from now is done and never answered
    proxy.mute(3.0); proxy.cut(); proxy.shut(2.0); proxy.delay = 0.05; proxy.rate = 20_000

Requests of one connection alternate with their replies (nobody here pipelines more than one call at a time), so the
next bytes from the store after a request are the beginning of its reply.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tests.chaos.campaign.target import Upstream

CHUNK = 65_536
How = Literal["reset", "mute"]


class _Pair:
    """One connection of a client and its counterpart to the store."""

    def __init__(self, client: asyncio.StreamWriter, store: asyncio.StreamWriter) -> None:
        self.client = client
        self.store = store
        self.muted_until = 0.0
        self.lose: How | None = None

    def cut(self) -> None:
        """End both sides at once; over TCP with a reset."""
        for writer in (self.client, self.store):
            with suppress(OSError, AttributeError):
                raw = writer.get_extra_info("socket")
                if raw is not None and raw.family == socket.AF_INET:
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


class Proxy:
    """Listens for one client process."""

    def __init__(self, upstream: Upstream) -> None:
        """Made by `start`."""
        self.upstream = upstream
        self.url = ""
        self.delay = 0.0
        """Seconds that every chunk is held back, each way."""
        self.rate = 0.0
        """Bytes per second and direction; 0: as fast as it goes."""
        self.lost = 0
        """Replies that were swallowed."""
        self._server: asyncio.Server | None = None
        self._pairs: set[_Pair] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._shut_until = 0.0
        self._armed: tuple[bytes, int, How] | None = None

    @classmethod
    async def start(cls, upstream: Upstream, socket_path: str | None) -> Proxy:
        """Listen on a unix socket, or on a TCP port of this machine."""
        proxy = cls(upstream)
        if socket_path is not None:
            proxy._server = await asyncio.start_unix_server(proxy._serve, socket_path)
            proxy.url = f"unix://{socket_path}"
        else:
            proxy._server = await asyncio.start_server(proxy._serve, "127.0.0.1", 0)
            port = proxy._server.sockets[0].getsockname()[1]
            proxy.url = f"redis://127.0.0.1:{port}/0"
        return proxy

    async def close(self) -> None:
        """Stop listening and cut everything."""
        if self._server is not None:
            self._server.close()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=2.0)

    def calm(self) -> None:
        """Pass everything on again. Connections that were muted are cut: their streams have a hole."""
        self.delay, self.rate, self._armed, self._shut_until = 0.0, 0.0, None, 0.0
        for pair in list(self._pairs):
            if pair.muted_until:
                pair.cut()

    def cut(self) -> None:
        """End every connection now."""
        for pair in list(self._pairs):
            pair.cut()

    def shut(self, seconds: float) -> None:
        """Cut everything and refuse new connections for a while: a partition that is noticed."""
        self._shut_until = time.monotonic() + seconds
        self.cut()

    def mute(self, seconds: float) -> None:
        """Swallow everything on the connections of now, which stay open (half-open); they are cut at the end."""
        for pair in self._pairs:
            pair.muted_until = time.monotonic() + seconds

    def lose_reply(self, of: bytes, nth: int, how: How = "reset") -> None:
        """Swallow the reply to the n-th request from now whose bytes hold `of`."""
        self._armed = (of, nth, how)

    @property
    def waiting(self) -> bool:
        """Is a reply still to be lost?"""
        return self._armed is not None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if time.monotonic() < self._shut_until:
            writer.transport.abort()
            return
        try:
            if self.upstream.socket_path:
                back_reader, back = await asyncio.open_unix_connection(self.upstream.socket_path)
            else:
                back_reader, back = await asyncio.open_connection(self.upstream.host, self.upstream.port)
        except OSError:
            writer.transport.abort()
            return
        pair = _Pair(writer, back)
        self._pairs.add(pair)
        tasks = [
            asyncio.create_task(self._pump(pair, reader, back, requests=True)),
            asyncio.create_task(self._pump(pair, back_reader, writer, requests=False)),
        ]
        self._tasks.update(tasks)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._pairs.discard(pair)
            pair.cut()
            for task in tasks:
                task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.wait(tasks)
            self._tasks.difference_update(tasks)

    async def _pump(
        self, pair: _Pair, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, requests: bool
    ) -> None:
        with suppress(OSError):
            while data := await source.read(CHUNK):
                if requests:
                    self._note(pair, data)
                elif pair.lose is not None:
                    self.lost += 1
                    if pair.lose == "reset":
                        return
                    pair.muted_until = time.monotonic() + 3.0
                if self.delay:
                    await asyncio.sleep(self.delay)
                if self.rate:
                    await asyncio.sleep(len(data) / self.rate)
                if pair.muted_until:
                    if time.monotonic() > pair.muted_until:
                        return
                    continue
                sink.write(data)
                await sink.drain()

    def _note(self, pair: _Pair, data: bytes) -> None:
        if self._armed is None or self._armed[0] not in data:
            return
        of, nth, how = self._armed
        if nth > 1:
            self._armed = (of, nth - 1, how)
            return
        self._armed = None
        pair.lose = how
