"""The contract of an actor: handlers by type, effects as data, anything else is a fault."""

from __future__ import annotations

from typing import ClassVar

import pytest

from runtime.actor import Actor, checked, handles, performs_outside, ticks
from runtime.codec import OpenCodec
from runtime.effects import Append, Effects, Park, SetAdd
from runtime.entry import Batch, Entry, EntryReader
from runtime.errors import HandlerBroke
from tests.support.things import fact


def batch(*kinds: str) -> Batch:
    """A batch with one fact of each kind."""
    reader = EntryReader("thingId", OpenCodec())
    rows = [(b"%d-0" % n, [part.encode() for part in fact("T1", n, kind=kind)]) for n, kind in enumerate(kinds, 1)]
    return Batch("things", 0, [reader.read(row) for row in rows])


class Two(Actor):
    name: ClassVar[str] = "two"

    @handles("a", "b")
    def plain(self, entry: Entry) -> Effects:
        return [SetAdd("plain", (entry.type,))]

    @handles("c")
    async def waits(self, entry: Entry) -> Effects:
        return [SetAdd("waits", (entry.type,))]


async def test_each_entry_goes_to_the_handler_of_its_type_in_order_and_others_to_none() -> None:
    assert await Two().handle(batch("c", "x", "b", "a")) == [
        SetAdd("waits", ("c",)),
        SetAdd("plain", ("b",)),
        SetAdd("plain", ("a",)),
    ]


def test_two_handlers_of_one_type_are_a_mistake_of_the_class() -> None:
    with pytest.raises(TypeError, match="handles a twice"):

        class Twice(Actor):
            @handles("a")
            def one(self, entry: Entry) -> Effects:
                return ()

            @handles("a")
            def two(self, entry: Entry) -> Effects:
                return ()


async def test_a_subclass_keeps_the_handlers_and_may_replace_one_without_touching_its_parent() -> None:
    class More(Two):
        @handles("a")
        def other(self, entry: Entry) -> Effects:
            return [SetAdd("other", (entry.type,))]

    assert await More().handle(batch("a", "b")) == [SetAdd("other", ("a",)), SetAdd("plain", ("b",))]
    assert await Two().handle(batch("a")) == [SetAdd("plain", ("a",))]


@pytest.mark.parametrize("outcome", [None, True, "done", {}, [None], SetAdd("k", ("m",)), iter(())])
def test_an_outcome_that_is_no_list_of_effects_is_a_fault_and_never_a_success(outcome: object) -> None:
    with pytest.raises(HandlerBroke, match="two: a handler has to return a list of effects"):
        checked(Two(), outcome)


def test_effects_appends_and_parks_are_what_a_handler_may_return() -> None:
    wanted = [SetAdd("k", ("m",)), Append("things", "T1", 0, ()), Park("1-0", "why")]
    assert checked(Two(), wanted) == wanted
    assert checked(Two(), ()) == ()


def test_an_actor_has_outside_effects_and_ticks_only_when_it_says_so() -> None:
    class Both(Actor):
        async def perform(self, batch: Batch) -> Effects | None:
            return ()

        async def tick(self, partition: int) -> Effects:
            return ()

    assert (performs_outside(Both()), ticks(Both())) == (True, True)
    assert (performs_outside(Two()), ticks(Two())) == (False, False)
