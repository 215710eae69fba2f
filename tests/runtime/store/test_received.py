"""A settle is believed only when as many replicas as were asked for have it: no mark of an outside effect is lost."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

import pytest

from runtime.answers import SettleAnswer, Settled, Settlement
from runtime.effects import HashSet
from runtime.embedded.server import running_server
from runtime.errors import OutcomeUnknown
from runtime.store.clients import StoreAddress, open_commands
from runtime.store.received import Received
from runtime.store.settle import Settler
from tests.support.store import command
from tests.support.things import START, open_things
from tests.support.waiting import until
from tests.support.windows import window

G = "listers"
PORT = 21_240
"""Of the master: a replica is told a host and a port."""


@window("W36")
async def test_a_settle_counts_only_when_a_replica_has_it() -> None:
    """W36: the mark of a payment is with a replica before anybody is called, or nobody is called."""
    quick = {"repl-diskless-sync-delay": "0"}
    async with running_server(port=PORT, directives=quick) as server, running_server() as second:
        commands, replica = (
            open_commands(StoreAddress.parse(one.url), max_connections=2, allow_replica=True)
            for one in (server, second)
        )
        things = await open_things(commands, G)
        settler = Settler(commands, {things.name: things.log}, things.name, G, 0, received=Received(1, 100))
        await command(replica, "REPLICAOF", "127.0.0.1", str(server.store.port))

        async def marked(token: str, after: str = "") -> SettleAnswer | None:
            with suppress(OutcomeUnknown):
                return await settler.settle(START, token, Settlement((), [HashSet("tried", {token: "1"})]), after=after)
            return None

        await until(lambda: marked("one"), what="the replica takes the stream")
        os.kill(second.store.server_pid, signal.SIGSTOP)
        try:
            for _ in range(2):  # the second time it asks for what the first has written
                with pytest.raises(OutcomeUnknown, match="0 of 1 replicas had the write"):
                    await settler.settle(START, "two", Settlement((), [HashSet("tried", {"two": "1"})]), after="one")
        finally:
            os.kill(second.store.server_pid, signal.SIGCONT)
        answer = await until(lambda: marked("two", "one"), what="the replica has it")
        assert isinstance(answer, Settled)
        assert await command(commands, "HLEN", "tried") == 2
        for client in (commands, replica):
            await client.aclose()
