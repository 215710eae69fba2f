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
    """Effects of one kind on one key that have become one and may still grow."""

    __slots__ = ("items", "key", "kind", "mapping")

    def __init__(self, first: Effect) -> None:
        self.kind = type(first)
        self.key = first.key
        self.mapping: dict[str, Any] = {}
        self.items: list[Any] = []
        self.take(first)

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

    def close(self) -> Effect:
        if self.kind is SetAdd:
            return SetAdd(self.key, tuple(dict.fromkeys(self.items)))
        if self.kind is ListPush:
            return ListPush(self.key, tuple(self.items))
        return self.kind(self.key, self.mapping)  # type: ignore[call-arg]  # all others take one mapping


_MERGEABLE = frozenset({HashIncrement, HashSet, SortedSetAdd, SortedSetIncrement, SetAdd, ListPush})


def merge(effects: Iterable[Effect]) -> list[Effect]:
    """Join effects of one kind on one key; keep everything else, and the order between kinds on one key."""
    slots: list[Effect | _Open] = []
    growing: dict[str, tuple[type[Effect], int]] = {}
    """Key -> kind and place of the effect that another one of its kind may join. One that stays alone is not copied."""
    for effect in effects:
        kind, key = type(effect), effect.key
        if kind not in _MERGEABLE:
            growing.pop(key, None)
            slots.append(effect)
            continue
        known = growing.get(key)
        if known is None or known[0] is not kind:
            growing[key] = (kind, len(slots))
            slots.append(effect)
            continue
        slot = slots[known[1]]
        if isinstance(slot, _Open):
            slot.take(effect)
        else:
            slots[known[1]] = grown = _Open(slot)
            grown.take(effect)
    return [slot.close() if isinstance(slot, _Open) else slot for slot in slots]
