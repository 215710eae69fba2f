"""Compares what a rebuild staged with what is live, key by key and field by field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runtime.store.reads import Reads
    from workers.replaying import Pair

FIRST = 20
"""Differences that are kept as text; all of them are counted."""

AT_ONCE = 200

QUESTIONS: Mapping[str, tuple[str | int, ...]] = {
    "hash": ("HGETALL", "{}"),
    "zset": ("ZRANGE", "{}", 0, -1, "WITHSCORES"),
    "string": ("GET", "{}"),
    "list": ("LRANGE", "{}", 0, -1),
    "set": ("SMEMBERS", "{}"),
    "stream": ("XRANGE", "{}", "-", "+"),
}


async def compare(reads: Reads, pairs: Sequence[Pair], gone: Sequence[str]) -> tuple[int, list[str]]:
    """How many things differ, and the first of them for people."""
    found = [f"{name}: no fact explains this key" for name in gone]
    for start in range(0, len(pairs), AT_ONCE):
        part = pairs[start : start + AT_ONCE]
        kinds = await reads.many([("TYPE", pair.live) for pair in part])
        wanted = await reads.many([("TYPE", pair.staged) for pair in part])
        both = [(pair, one.decode(), other.decode()) for pair, one, other in zip(part, wanted, kinds, strict=True)]
        found += [f"{pair.live}: it is a {other}, not a {one}" for pair, one, other in both if one != other]
        same = [(pair, one) for pair, one, other in both if one == other != "none"]
        ours = await reads.many([_question(kind, pair.staged) for pair, kind in same])
        theirs = await reads.many([_question(kind, pair.live) for pair, kind in same])
        for (pair, kind), mine, yours in zip(same, ours, theirs, strict=True):
            found += _differences(pair, _plain(kind, mine), _plain(kind, yours))
    return len(found), found[:FIRST]


def _question(kind: str, name: str) -> tuple[str | int | bytes, ...]:
    return tuple(name if word == "{}" else word for word in QUESTIONS[kind])


def _plain(kind: str, reply: Any) -> dict[str, str]:
    """A reply as names and values that compare whatever the protocol made of them."""
    if kind == "hash":
        return {_text(name): _text(value) for name, value in reply.items()}
    if kind == "zset":
        rows = reply if reply and isinstance(reply[0], (list, tuple)) else zip(reply[::2], reply[1::2], strict=True)
        return {_text(member): repr(float(score)) for member, score in rows}
    if kind == "stream":  # ids are of the moment at which it was written
        return {str(number): repr(fields) for number, (_, fields) in enumerate(reply)}
    if kind == "set":
        return {_text(member): "" for member in reply}
    if kind == "list":
        return {str(number): _text(value) for number, value in enumerate(reply)}
    return {"": _text(reply)}


def _text(value: Any) -> str:
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)


def _differences(pair: Pair, ours: Mapping[str, str], theirs: Mapping[str, str]) -> list[str]:
    if ours == theirs:
        return []
    return [
        f"{pair.live} {name}: the facts say {_shown(ours.get(name))}, the store has {_shown(theirs.get(name))}"
        for name in sorted(ours.keys() | theirs.keys())
        if ours.get(name) != theirs.get(name)
    ]


def _shown(value: str | None) -> str:
    if value is None:
        return "nothing"
    return value if len(value) <= 80 else f"{value[:77]}..."
