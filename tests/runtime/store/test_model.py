"""Any order of appends, reads, settles, crashes, zombies, lost replies, broken groups, against a small model.

The model is the log and what was applied of it. Whatever happens: what was applied is a prefix of the log,
each entry once, in order, and the position record says how long it is. One runner left alone finishes.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from runtime.answers import Fenced, Settled
from runtime.effects import HashIncrement, ListPush
from runtime.store.clients import StoreAddress, open_commands
from tests.support.things import START, open_things
from tests.support.windows import window

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from runtime.entry import Entry

G = "listers"
RUNNERS = st.sampled_from(["a", "b"])
ENTITIES = st.sampled_from(["T1", "T2"])


class View:
    """What one runner believes: its position, the token of its last settle, what it has read."""

    def __init__(self) -> None:
        """It has not started."""
        self.at = START
        self.token = ""
        self.batches: list[list[Entry]] = []
        """Untouched replies of reads, never joined: what the contract of settle asks for (redis-facts S9)."""
        self.life = 0


class TwoRunners(RuleBasedStateMachine):
    """Two runners on one group without any lease, and somebody who breaks things."""

    def __init__(self, address: StoreAddress) -> None:
        super().__init__()
        self.loop = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self.client = open_commands(address, max_connections=2)
        self.run(self.client.flushall())
        self.things = self.run(open_things(self.client, G))
        self.views = {"a": View(), "b": View()}
        self.log: list[str] = []
        self.log += self.run(self.things.add("T1", 5))
        self.ticks = 0
        self.tokens = 0

    def run(self, step: Awaitable[Any]) -> Any:
        """Do one step on the server."""

        async def done() -> Any:
            return await step

        return self.loop.run(done())

    def consumer(self, who: str) -> str:
        """The consumer name of this life of a runner."""
        return f"{who}{self.views[who].life}"

    def new_token(self) -> str:
        """A token that nobody has used."""
        self.tokens += 1
        return str(self.tokens)

    @rule(entity=ENTITIES, count=st.integers(1, 3))
    def append(self, entity: str, count: int) -> None:
        self.log += self.run(self.things.add(entity, count))

    @rule(who=RUNNERS, count=st.integers(1, 4))
    def take_a_turn(self, who: str, count: int) -> None:
        self.read(who, count)
        self.settle(who, count, reply_lost=False)

    @rule(who=RUNNERS, count=st.integers(2, 6), part=st.integers(1, 6), reply_lost=st.booleans())
    def take_a_broken_turn(self, who: str, count: int, part: int, reply_lost: bool) -> None:
        self.read(who, count)
        self.settle(who, part, reply_lost)

    @rule(who=RUNNERS, count=st.integers(1, 4))
    def read(self, who: str, count: int) -> None:
        try:
            if batch := self.run(self.things.read(G, self.consumer(who), count)):
                self.views[who].batches.append(batch)
        except Exception as problem:
            assert "NOGROUP" in str(problem)
            self.resync(who)

    @rule(who=RUNNERS, count=st.integers(1, 4))
    def lose_a_read(self, who: str, count: int) -> None:
        before = len(self.views[who].batches)
        self.read(who, count)
        del self.views[who].batches[before:]

    @rule(who=RUNNERS, count=st.integers(1, 4), reply_lost=st.booleans())
    def settle(self, who: str, count: int, reply_lost: bool) -> None:
        view, token = self.views[who], self.new_token()
        if not view.batches:
            return
        part = view.batches[0][:count]
        ids = ListPush("seen", tuple(entry.id for entry in part))
        for _ in range(2 if reply_lost else 1):
            answer = self.run(self.things.settle(G, view.at, part, ids, token=token))
        if isinstance(answer, Fenced) and answer == Fenced(part[-1].id, token):
            assert reply_lost
            answer = Settled(part[-1].id, 0, 0)
        if isinstance(answer, Settled):
            view.at, view.token = part[-1].id, token
            view.batches = [batch for batch in (view.batches[0][count:], *view.batches[1:]) if batch]
        else:
            self.resync(who)

    @rule(who=RUNNERS, times=st.integers(1, 2))
    def tick(self, who: str, times: int) -> None:
        view, token = self.views[who], self.new_token()
        for _ in range(times):
            answer = self.run(
                self.things.settle(G, view.at, [], HashIncrement("ticks", {"n": 1}), token=token, after=view.token)
            )
        if isinstance(answer, Settled):
            self.ticks += 1
            view.token = token
        else:
            self.resync(who)

    def resync(self, who: str) -> None:
        self.take_standing(who, start=False)

    @rule(who=RUNNERS)
    def crash(self, who: str) -> None:
        self.views[who].life += 1
        self.take_standing(who, start=True)

    def take_standing(self, who: str, *, start: bool) -> None:
        """Put the group back, and believe what that finds."""
        standing = self.run(self.things.resync(G, self.consumer(who), start=start))
        view = self.views[who]
        view.at, view.token, view.batches = standing.position, standing.token, []

    @rule(back=st.integers(0, 8))
    def set_the_cursor_anywhere(self, back: int) -> None:
        target = [*reversed(self.log), START][min(back, len(self.log))]
        self.run(self.broken("XGROUP", "SETID", "things", G, target))

    @rule(who=st.sampled_from(["a", "b", "the group"]))
    def delete_a_consumer_or_the_group(self, who: str) -> None:
        if who in self.views:
            self.run(self.broken("XGROUP", "DELCONSUMER", "things", G, self.consumer(who)))
        else:
            self.run(self.broken("XGROUP", "DESTROY", "things", G))

    async def broken(self, *command: str) -> None:
        """Do what nobody should; that there is no group any more is all right."""
        try:
            await self.things.client.execute_command(*command)
        except Exception as problem:
            assert "NOGROUP" in str(problem)

    @invariant()
    def what_was_applied_is_the_log_up_to_the_position(self) -> None:
        seen, record = self.run(self.things.list("seen")), self.run(self.things.record(G))
        done = int(record["settled"])
        assert seen == self.log[:done]
        assert record["id"] == (seen[-1] if seen else START)
        assert int(self.run(self.client.hget("ticks", "n")) or 0) == self.ticks

    def teardown(self) -> None:
        """Leave one runner alone: it finishes."""
        try:
            self.crash("a")
            while len(self.run(self.things.list("seen"))) < len(self.log):
                before = self.views["a"].at
                self.read("a", 4)
                self.settle("a", 4, reply_lost=False)
                assert self.views["a"].at != before, "a runner alone does not get on"
            look = self.run(self.things.look(G))
            assert look.at_rest
            assert look.position == (self.log[-1] if self.log else START)
        finally:
            self.run(self.client.aclose())
            self.loop.close()


@window("W8", "W10", "W12", "W13", "W15", "W16", "W18", "W25")
def test_whatever_happens_each_entry_is_applied_once_and_in_order(store_address: StoreAddress) -> None:
    """W8, W10, W12, W13, W15, W16, W18, W25."""
    machine: Any = lambda: TwoRunners(store_address)  # noqa: E731 - the stub wants a class, a factory does
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=100,
            stateful_step_count=40,
            deadline=None,
            database=None,
            phases=(Phase.explicit, Phase.generate),  # shrinking takes minutes: a campaign may do that
            suppress_health_check=list(HealthCheck),
        ),
    )
