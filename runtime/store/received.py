"""A write and the WAIT for its replicas, as one pipeline on one connection: anywhere else WAIT answers for nothing.

WAIT counts the replicas that have the last write of its own connection (redis-facts D7). Behind a connection that wrote
nothing it answers at once, whatever the replicas have. It tells what was received, not what was fsynced (D8).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from runtime.errors import OutcomeUnknown
from runtime.store.cluster_client import ClusterClient, let_go

if TYPE_CHECKING:
    from collections.abc import Sequence


class Received(msgspec.Struct, frozen=True):
    """How many replicas must have a write before it counts, and how many milliseconds they have for it."""

    replicas: int
    milliseconds: int = 500


async def call_and_wait(client: Any, command: Sequence[Any], key: str, received: Received) -> Any:
    """The reply of `command` once enough replicas have it. Raises `OutcomeUnknown` and what the store raises.

    Too few is no failure: the write is there, and may be lost when this server dies now. Who repeats the call with the
    same command id or token gets the first answer, and asks the replicas again. A master without replicas may also be
    one that is cut off, or was replaced: so its connections are dropped, and the repetition asks who is master.
    """
    commands = [tuple(command), ("WAIT", received.replicas, received.milliseconds)]
    if getattr(client, "single_connection_client", False):  # a reader; one that was cut raises at its next command
        replies = [await client.execute_command(*one) for one in commands]
    elif isinstance(client, ClusterClient):
        replies = await client.in_one_go(key, commands)
    else:
        pipeline = client.pipeline(transaction=False)
        for one in commands:
            pipeline.execute_command(*one)
        replies = await pipeline.execute(raise_on_error=False)
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
    if int(replies[1]) < received.replicas and _wrote(replies[0]):
        await let_go(client)
        raise OutcomeUnknown(
            f"{replies[1]} of {received.replicas} replicas had the write after {received.milliseconds} ms: "
            "it is in the log, and would be lost if its server died now"
        )
    return replies[0]


def _wrote(reply: Any) -> bool:
    """Whether a function wrote, or says what an earlier call wrote; the others changed nothing that could be lost."""
    answers = reply if isinstance(reply[0], list) else [reply]
    return any(answer[0] in (b"OK", b"REPEATED", b"FENCED") for answer in answers)
