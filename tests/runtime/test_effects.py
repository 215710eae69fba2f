"""Effects on their way to the store: keys are numbered and declared once, values travel as text."""

from __future__ import annotations

import msgspec
import pytest

from runtime.effects import Effect, HashIncrement, HashSet, ListPush, Publish, SetAdd, SortedSetAdd
from runtime.errors import EffectRefused
from runtime.store.encoding import KeyTable, as_text, encode_effects, pack


def test_a_key_is_declared_once_also_when_it_has_a_fixed_place() -> None:
    index = KeyTable(["log", "state"])
    effects: list[Effect] = [SetAdd("k", ("m",)), SetAdd("state", ("m",)), SetAdd("k", ("n",))]
    assert [op[1] for op in encode_effects(effects, index)] == [3, 2, 3]
    assert index.keys == ["log", "state", "k"]


def test_numbers_travel_as_decimal_text() -> None:
    effects: list[Effect] = [HashIncrement("k", {"f": -7}), SortedSetAdd("z", {"m": "0.5", "n": 2**53 + 1})]
    assert encode_effects(effects, KeyTable()) == [
        ["hincr", 1, "f", "-7"],
        ["zadd", 2, "0.5", "m", "9007199254740993", "n"],
    ]


def test_a_channel_is_no_key() -> None:
    index = KeyTable()
    assert encode_effects([Publish("hints", "m")], index) == [["publish", 0, "hints", "m"]]
    assert index.keys == []


@pytest.mark.parametrize("size", [0, 1, 31, 32, 255, 256, 65_535, 65_536])
def test_bytes_travel_as_text_of_their_length(size: int) -> None:
    as_a_text = as_text(b"x" * size)
    assert pack(as_a_text) == pack("x" * size)
    assert msgspec.msgpack.decode(as_a_text) == "x" * size


@pytest.mark.parametrize("value", [None, 5, 1.5, True, ["x"]])
def test_a_value_that_is_neither_text_nor_bytes_is_refused(value: object) -> None:
    with pytest.raises(EffectRefused, match="not text"):
        encode_effects([HashSet("k", {"f": value})], KeyTable())  # type: ignore[dict-item]


def test_more_than_one_settle_may_carry_is_refused() -> None:
    with pytest.raises(EffectRefused, match="5,001 effects"):
        encode_effects([SetAdd("k", ("m",))] * 5001, KeyTable())
    with pytest.raises(EffectRefused, match="rpush with 7,0"):
        encode_effects([ListPush("k", ("v",) * 7001)], KeyTable())
