"""The few words that are spoken to the server while it is started: one command, one reply, one connection.

Enough of RESP for a short answer. Clients of the store are made by `runtime.store.clients`; this is not one.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Final

_LONGEST_REPLY: Final = 65_536


class NoAnswer(Exception):
    """The server cannot be reached at its socket, or it hung up, or it took too long."""


async def ask(socket_path: str, *words: str, seconds: float) -> str:
    """Send one command and give its reply: the text of a status or a bulk string, an error with its leading
    `-`.
    """
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_unix_connection(socket_path, limit=_LONGEST_REPLY)
            try:
                writer.write(_encode(words))
                line = (await reader.readuntil(b"\r\n"))[:-2]
                body = await reader.readexactly(int(line[1:])) if line[:1] == b"$" else line
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except (OSError, EOFError, asyncio.LimitOverrunError) as exc:
        raise NoAnswer(f"no answer at {socket_path}: {type(exc).__name__} {exc}") from exc
    return _text(body)


def ask_now(socket_path: str, *words: str, seconds: float) -> str:
    """Do as `ask` does, blocking: for commands that look for a server before they run a loop."""
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(seconds)
            line.connect(socket_path)
            line.sendall(_encode(words))
            with line.makefile("rb") as reply:
                head = reply.readline(_LONGEST_REPLY)
                if not head.endswith(b"\r\n"):
                    raise NoAnswer(f"no answer at {socket_path}: it hung up")
                body = reply.read(int(head[1:-2])) if head[:1] == b"$" else head[:-2]
    except OSError as exc:
        raise NoAnswer(f"no answer at {socket_path}: {exc}") from exc
    return _text(body)


def _encode(words: tuple[str, ...]) -> bytes:
    """Write one command as RESP: an array of bulk strings."""
    parts = [word.encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def _text(reply: bytes) -> str:
    """Drop the `+` of a status; an error keeps its `-`, so that nobody takes it for an answer."""
    return reply.decode(errors="replace").removeprefix("+")
