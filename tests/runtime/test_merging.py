"""Merging effects never changes what they do: shown against an interpreter of effects on plain values."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from runtime.effects import (
    Delete,
    Effect,
    HashDelete,
    HashIncrement,
    HashSet,
    ListPush,
    SetAdd,
    SetRemove,
    SortedSetAdd,
    SortedSetIncrement,
)
from runtime.merging import merge

NAMES = st.sampled_from("abc")
AMOUNTS = st.integers(-9, 9)
COUNTS = st.dictionaries(NAMES, AMOUNTS, min_size=1)
MEMBERS = st.lists(NAMES, min_size=1, max_size=3).map(tuple)


def on(kind: str, *makers: Any) -> Any:
    """Effects of keys that hold one kind of value."""
    keys = st.sampled_from([f"{kind}1", f"{kind}2"])
    return st.one_of(*(maker(keys) for maker in makers), keys.map(Delete))


EFFECTS = st.lists(
    st.one_of(
        on(
            "hash",
            lambda keys: st.builds(HashSet, keys, COUNTS.map(lambda by: {k: str(v) for k, v in by.items()})),
            lambda keys: st.builds(HashIncrement, keys, COUNTS),
            lambda keys: st.builds(HashDelete, keys, MEMBERS),
        ),
        on(
            "set",
            lambda keys: st.builds(SetAdd, keys, MEMBERS),
            lambda keys: st.builds(SetRemove, keys, MEMBERS),
        ),
        on(
            "zset",
            lambda keys: st.builds(SortedSetAdd, keys, COUNTS),
            lambda keys: st.builds(SortedSetIncrement, keys, COUNTS),
        ),
        on("list", lambda keys: st.builds(ListPush, keys, MEMBERS)),
    ),
    max_size=25,
)


def perform(effects: list[Effect]) -> dict[str, Any]:
    """What the store holds after these effects, one after the other."""
    store: dict[str, Any] = {}
    for effect in effects:
        key = effect.key
        match effect:
            case Delete():
                store.pop(key, None)
            case HashSet(fields=fields):
                store.setdefault(key, {}).update({k: int(v) for k, v in fields.items()})
            case SortedSetAdd(scores=scores):
                store.setdefault(key, {}).update(scores)
            case HashIncrement(by=by) | SortedSetIncrement(by=by):
                counters = store.setdefault(key, {})
                for name, amount in by.items():
                    counters[name] = counters.get(name, 0) + amount
            case HashDelete(names=names):
                for name in names:
                    store.get(key, {}).pop(name, None)
            case SetAdd(members=members):
                store.setdefault(key, set()).update(members)
            case SetRemove(members=members):
                store.setdefault(key, set()).difference_update(members)
            case ListPush(values=values):
                store.setdefault(key, []).extend(values)
    return {key: value for key, value in store.items() if value}


@given(EFFECTS)
def test_merged_effects_do_what_the_effects_did_one_after_the_other(effects: list[Effect]) -> None:
    assert perform(merge(effects)) == perform(effects)


@given(EFFECTS)
def test_merging_never_makes_more_commands_and_merging_twice_changes_nothing(effects: list[Effect]) -> None:
    once = merge(effects)
    assert len(once) <= len(effects)
    assert merge(once) == once


def test_increments_of_one_key_become_one_command() -> None:
    counted = [HashIncrement("day", {"n": 1, f"type{n % 2}": 2}) for n in range(500)]
    assert merge(counted) == [HashIncrement("day", {"n": 500, "type0": 500, "type1": 500})]


def test_another_kind_on_the_same_key_keeps_its_place() -> None:
    effects = [SetAdd("s", ("a",)), SetRemove("s", ("a",)), SetAdd("s", ("a",))]
    assert merge(effects) == effects


def test_effects_on_other_keys_do_not_stand_in_between() -> None:
    effects: list[Effect] = [ListPush("l", ("a",)), Delete("other"), ListPush("l", ("b",))]
    assert merge(effects) == [ListPush("l", ("a", "b")), Delete("other")]
