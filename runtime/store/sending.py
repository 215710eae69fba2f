"""Sends a command in the caller's own step instead of in a task of its own.

The library wraps each write in `asyncio.wait_for`, which in Python 3.11 makes a task of it and takes two more turns of
the loop: of one read, settle and their replies that was a tenth. What the transport takes at once needs neither.
"""

from __future__ import annotations

import asyncio
from typing import Any

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import TimeoutError as TooSlow

TAKEN_AT_ONCE = 16 * 1024
"""Bytes that may wait in the transport without anybody waiting for them: asyncio's low-water mark, below which no
transport holds its writer back."""


class PromptConnection(AbstractConnection):
    """Mixed into the connections of the library, before them."""

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        """Write one packed command. Raises what the library raises; after any fault the connection is dropped."""
        writer = self._writer
        if writer is None or isinstance(command, (str, bytes)) or self.health_check_interval:
            await super().send_packed_command(command, check_health)
            return
        try:
            # In one piece: from Python 3.12 on asyncio's transports hold nobody back after `writelines`, and one whose
            # connection was just lost ends there in an AttributeError, which nobody takes for a fault of the store.
            writer.write(b"".join(command))
            if writer.transport.get_write_buffer_size() > TAKEN_AT_ONCE:
                async with asyncio.timeout(self.socket_timeout):
                    await writer.drain()
            else:
                await writer.drain()  # does not wait here, and says whether the connection is lost
        except TimeoutError:
            await self.disconnect(nowait=True)
            raise TooSlow("Timeout writing to socket") from None
        except OSError as problem:
            await self.disconnect(nowait=True)
            raise Disconnected(f"Error while writing to socket: {problem}") from problem
        except BaseException:
            await self.disconnect(nowait=True)  # half a command may be out: nothing else may follow it
            raise
