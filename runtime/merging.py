"""Effects of a batch -> few commands. Pure.

Increments of one key add up, later fields of a hash win, members join; but only while no effect of another kind on the
same key stands between them, so that the result is the same as performing all of them one after the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime.effects import (
    Effect,
    HashIncrement,
    HashSet,
    ListPush,
    SetAdd,
    SortedSetAdd,
    SortedSetIncrement,
)

if TYPE_CHECKING:
    from collections.abc import Iterable


def _add(into: dict[str, int], more: Any) -> None:
    for name, amount in more.items():
        into[name] = into.get(name, 0) + amount


class _Open:
    """An effect that is still growing."""

    __slots__ = ("items", "kind", "mapping")

    def __init__(self, kind: type[Effect]) -> None:
        self.kind = kind
        self.mapping: dict[str, Any] = {}
        self.items: list[Any] = []

    def take(self, effect: Any) -> None:
        if isinstance(effect, (HashIncrement, SortedSetIncrement)):
            _add(self.mapping, effect.by)
        elif isinstance(effect, HashSet):
            self.mapping.update(effect.fields)
        elif isinstance(effect, SortedSetAdd):
            self.mapping.update(effect.scores)
        elif isinstance(effect, SetAdd):
            self.items.extend(effect.members)
        elif isinstance(effect, ListPush):
            self.items.extend(effect.values)

    def close(self, key: str) -> Effect:
        if self.kind is SetAdd:
            return SetAdd(key, tuple(dict.fromkeys(self.items)))
        if self.kind is ListPush:
            return ListPush(key, tuple(self.items))
        return self.kind(key, self.mapping)  # type: ignore[call-arg]  # all others take one mapping


_MERGEABLE = frozenset({HashIncrement, HashSet, SortedSetAdd, SortedSetIncrement, SetAdd, ListPush})


def merge(effects: Iterable[Effect]) -> list[Effect]:
    """Join effects of one kind on one key; keep everything else, and the order between kinds on one key."""
    slots: list[Effect | tuple[str, _Open]] = []
    growing: dict[str, _Open] = {}
    for effect in effects:
        kind = type(effect)
        open_one = growing.get(effect.key)
        if kind not in _MERGEABLE:
            growing.pop(effect.key, None)
            slots.append(effect)
            continue
        if open_one is None or open_one.kind is not kind:
            open_one = _Open(kind)
            growing[effect.key] = open_one
            slots.append((effect.key, open_one))
        open_one.take(effect)
    return [slot[1].close(slot[0]) if isinstance(slot, tuple) else slot for slot in slots]
