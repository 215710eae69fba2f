"""Any order of appends, reads, settles, crashes, zombies, lost replies, trims, losses, against a small model.

The model is the log, the versions, the answers of every command, and what was applied. Whatever happens: what was
applied is a prefix of the log, each entry once, in order, and the position record says how long it is; the log holds
each confirmed fact once, and a command that is repeated gets its first answer. One runner left alone finishes. After
a loss that nobody can mend everything refuses, and nothing is applied any more.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from runtime.answers import Fenced, Settled
from runtime.effects import HashIncrement, ListPush
from runtime.errors import Halted
from runtime.store.append import Appended, Rejected
from runtime.store.clients import StoreAddress, open_commands
from runtime.store.reads import Reads
from runtime.store.retention import Retention
from tests.support.things import START, facts, open_things
from tests.support.windows import window

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from runtime.effects import Append
    from runtime.entry import Entry

G = "listers"
RUNNERS = st.sampled_from(["a", "b"])
ENTITIES = st.sampled_from(["T1", "T2"])
LOSSES = ("trim past the position", "delete the stream", "delete the record", "empty the store")


goes_on = precondition(lambda machine: not machine.over)  # nothing comes after a loss


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
        self.versions = {"T1": 0, "T2": 0}
        self.commands: list[tuple[Append, Appended]] = []
        self.over = False
        self.append("T1", 5)
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
    @goes_on
    def append(self, entity: str, count: int) -> None:
        """Of two writers who know the same version one wins, whoever it is."""
        unit = facts(entity, self.versions[entity], count, command=f"c{len(self.commands)}")
        answer = self.run(self.things.append(unit))
        assert isinstance(answer, Appended) and not answer.repeated
        self.versions[entity] += count
        assert answer.version == self.versions[entity]
        self.log += answer.ids
        self.commands.append((unit, answer))
        other = facts(entity, self.versions[entity] - count, 1, command="another")
        assert self.run(self.things.append(other)) == Rejected(self.versions[entity])

    @rule(which=st.integers(0, 99))
    @goes_on
    def append_again_after_a_lost_reply(self, which: int) -> None:
        unit, first = self.commands[which % len(self.commands)]
        again = self.run(self.things.append(unit))
        assert isinstance(again, Appended)
        assert (again.version, again.ids, again.repeated) == (first.version, first.ids, True)

    @rule(entity=ENTITIES, behind=st.integers(1, 5))
    @goes_on
    def append_behind_an_old_version(self, entity: str, behind: int) -> None:
        if behind <= self.versions[entity]:
            unit = facts(entity, self.versions[entity] - behind, 1)
            assert self.run(self.things.append(unit)) == Rejected(self.versions[entity])

    @rule(upto=st.integers(0, 40))
    @goes_on
    def trim(self, upto: int) -> None:
        """Wherever it is asked to, it stops at the position."""
        before = self.log[min(upto, len(self.log) - 1)]
        retention = Retention(self.client, Reads(self.client), self.things.keys, 0)
        self.run(retention.trim(before, who="model", why="room"))
        done = int(self.run(self.things.record(G))["settled"])
        kept = [row[0].decode() for row in self.run(self.things.client.xrange("things"))]
        assert kept == self.log[len(self.log) - len(kept) :]
        assert len(kept) >= len(self.log) - max(done - 1, 0), "the entry at the position has to stay"

    @rule(how=st.sampled_from(LOSSES), chance=st.integers(0, 24))
    @goes_on
    def lose_what_nobody_can_mend(self, how: str, chance: int) -> None:
        """Rarely, because nothing comes after it: both runners and every writer are refused, and nothing is applied."""
        done = int(self.run(self.things.record(G))["settled"])
        seen = self.run(self.things.list("seen"))
        if chance or (how == "trim past the position" and not 0 < done < len(self.log)):
            return
        batches = {who: view.batches[0] for who, view in self.views.items() if view.batches}
        self.run(self.lose(how))
        for who, batch in batches.items():
            view, ids = self.views[who], ListPush("seen", tuple(entry.id for entry in batch))
            answer = self.run(self.things.settle(G, view.at, batch, ids, token=self.new_token()))
            assert not isinstance(answer, Settled)
        for who in self.views:
            for start in (False, True):
                try:
                    self.run(self.things.resync(G, self.consumer(who), start=start))
                except Halted:
                    continue
                raise AssertionError(f"{who} goes on after: {how}")
        try:
            self.run(self.things.append(facts("T1", self.versions["T1"], 1)))
        except Halted:
            pass
        else:
            raise AssertionError(f"a writer goes on after: {how}")
        assert self.run(self.things.list("seen")) == ([] if how == "empty the store" else seen)
        self.over = True

    @precondition(lambda machine: machine.over)
    @rule()
    def nothing_comes_after_a_loss(self) -> None:
        """Hypothesis wants a rule that can still be played."""

    async def lose(self, how: str) -> None:
        """Do what no program of ours does."""
        if how == "trim past the position":
            await self.things.client.xtrim("things", maxlen=0, approximate=False)
        elif how == "delete the stream":
            await self.things.client.delete("things")
        elif how == "delete the record":
            await self.things.client.delete(self.things.keys.position(G))
        else:
            await self.things.client.flushall()

    @rule(who=RUNNERS, count=st.integers(1, 4))
    @goes_on
    def take_a_turn(self, who: str, count: int) -> None:
        self.read(who, count)
        self.settle(who, count, reply_lost=False)

    @rule(who=RUNNERS, count=st.integers(2, 6), part=st.integers(1, 6), reply_lost=st.booleans())
    @goes_on
    def take_a_broken_turn(self, who: str, count: int, part: int, reply_lost: bool) -> None:
        self.read(who, count)
        self.settle(who, part, reply_lost)

    @rule(who=RUNNERS, count=st.integers(1, 4))
    @goes_on
    def read(self, who: str, count: int) -> None:
        try:
            if batch := self.run(self.things.read(G, self.consumer(who), count)):
                self.views[who].batches.append(batch)
        except Exception as problem:
            assert "NOGROUP" in str(problem)
            self.resync(who)

    @rule(who=RUNNERS, count=st.integers(1, 4))
    @goes_on
    def lose_a_read(self, who: str, count: int) -> None:
        before = len(self.views[who].batches)
        self.read(who, count)
        del self.views[who].batches[before:]

    @rule(who=RUNNERS, count=st.integers(1, 4), reply_lost=st.booleans())
    @goes_on
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
    @goes_on
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
    @goes_on
    def crash(self, who: str) -> None:
        self.views[who].life += 1
        self.take_standing(who, start=True)

    def take_standing(self, who: str, *, start: bool) -> None:
        """Put the group back, and believe what that finds."""
        standing = self.run(self.things.resync(G, self.consumer(who), start=start))
        view = self.views[who]
        view.at, view.token, view.batches = standing.position, standing.token, []

    @rule(back=st.integers(0, 8))
    @goes_on
    def set_the_cursor_anywhere(self, back: int) -> None:
        target = [*reversed(self.log), START][min(back, len(self.log))]
        self.run(self.broken("XGROUP", "SETID", "things", G, target))

    @rule(who=st.sampled_from(["a", "b", "the group"]))
    @goes_on
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
    @goes_on
    def what_was_applied_is_the_log_up_to_the_position(self) -> None:
        seen, (position, settled), ticks = self.run(self.looked())
        done = int(settled)
        assert [one.decode() for one in seen] == self.log[:done]
        assert position.decode() == (self.log[done - 1] if done else START)
        assert int(ticks or 0) == self.ticks

    async def looked(self) -> list[Any]:
        """What was applied, in one round trip."""
        pipeline: Any = self.client.pipeline(transaction=False)
        pipeline.lrange("seen", 0, -1)
        pipeline.hmget(self.things.keys.position(G), "id", "settled")
        pipeline.hget("ticks", "n")
        found: list[Any] = await pipeline.execute()
        return found

    def teardown(self) -> None:
        """Leave one runner alone: it finishes."""
        try:
            if self.over:
                return
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
@pytest.mark.parametrize(
    ("examples", "steps"),
    [
        pytest.param(100, 30, marks=pytest.mark.timeout(600)),
        pytest.param(20_000, 50, marks=[pytest.mark.chaos, pytest.mark.timeout(10_800)]),
    ],
)
def test_whatever_happens_each_entry_is_applied_once_and_in_order(
    store_address: StoreAddress, examples: int, steps: int
) -> None:
    """W1, W4, W8, W10, W12, W13, W15, W16, W18, W25, W26, W27, W28."""
    machine: Any = lambda: TwoRunners(store_address)  # noqa: E731 - the stub wants a class, a factory does
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            phases=(Phase.explicit, Phase.generate),  # shrinking takes minutes: the seed repeats it
            suppress_health_check=list(HealthCheck),
        ),
    )
