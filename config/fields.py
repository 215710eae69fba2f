"""The settings tree as a table: which keys there are, of which type, and how a wrong one is answered."""

from __future__ import annotations

import difflib
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect as shapes

from config.settings import Settings
from runtime.store.address import Secret

Path = tuple[str, ...]


class SettingsError(ValueError):
    """A setting cannot be used. One line: the key, its value, where it came from, what was expected."""


@cache
def known_fields() -> dict[Path, shapes.Type]:
    """Give every leaf of the settings with its type."""
    return dict(_leaves((), shapes.type_info(Settings)))


@cache
def known_sections() -> frozenset[Path]:
    """Give every inner node of the settings; () is the root."""
    return frozenset(path[:depth] for path in known_fields() for depth in range(len(path)))


def is_secret(path: Path) -> bool:
    """Tell whether the value of a key is never shown."""
    return any(
        isinstance(kind, shapes.CustomType) and kind.cls is Secret for kind in _alternatives(known_fields()[path])
    )


def convert(path: Path, value: Any, origin: str, *, from_text: bool) -> Any:
    """Turn a value into the type of its field, or raise `SettingsError`. `from_text`: "5" is a number."""
    kind = known_fields()[path]
    if from_text and isinstance(kind, shapes.DictType):
        value = _object(value)
    try:
        return msgspec.convert(value, _annotation(path), strict=not from_text, dec_hook=_to_secret)
    except msgspec.ValidationError:
        shown = "***" if is_secret(path) else repr(value)
        raise SettingsError(f"{'.'.join(path)} is {shown} ({origin}): expected {expected(kind)}") from None


def unknown(path: Path, origin: str) -> SettingsError:
    """Make the answer to a key that is not there, with the nearest one that is."""
    section = path[:-1]
    while section not in known_sections():
        section = section[:-1]
    depth = len(section)
    siblings = {key[depth] for key in known_fields() if key[:depth] == section and len(key) > depth}
    close = difflib.get_close_matches(path[depth], siblings, n=1, cutoff=0.5)
    if close:
        meant = (*section, close[0])
        full = (*meant, *path[depth + 1 :])
        hint = ".".join(full if full in known_fields() else meant)
    else:
        elsewhere = [".".join(key) for key in known_fields() if key[-1] == path[-1]]
        hint = elsewhere[0] if len(elsewhere) == 1 else ""
    advice = f"did you mean {hint}?" if hint else f"known here: {', '.join(sorted(siblings))}"
    return SettingsError(f"unknown setting {'.'.join(path)} ({origin}): {advice}")


def expected(kind: shapes.Type) -> str:
    """Say in words what a field takes."""
    return " or ".join(dict.fromkeys(_in_words(one) for one in _alternatives(kind)))


def _in_words(kind: shapes.Type) -> str:
    match kind:
        case shapes.BoolType():
            return "true or false"
        case shapes.IntType():
            return "a whole number" + _limits(kind)
        case shapes.FloatType():
            return "a number" + _limits(kind)
        case shapes.LiteralType():
            return "one of " + ", ".join(str(value) for value in kind.values)
        case shapes.NoneType():
            return "nothing"
        case shapes.DictType():
            return "a table of names and texts"
        case _:
            return "a text"


def _limits(kind: shapes.IntType | shapes.FloatType) -> str:
    said = [
        f"{word} {limit:g}"
        for word, limit in (("from", kind.ge), ("above", kind.gt), ("to", kind.le), ("below", kind.lt))
        if limit is not None
    ]
    return " " + " ".join(said) if said else ""


def _alternatives(kind: shapes.Type) -> tuple[shapes.Type, ...]:
    return kind.types if isinstance(kind, shapes.UnionType) else (kind,)


def _leaves(path: Path, kind: shapes.Type) -> list[tuple[Path, shapes.Type]]:
    """Walk down through the structs."""
    if not isinstance(kind, shapes.StructType):
        return [(path, kind)]
    return [leaf for field in kind.fields for leaf in _leaves((*path, field.encode_name), field.type)]


def _annotation(path: Path) -> Any:
    """Find the annotation of a leaf in the struct that owns it."""
    owner: Any = Settings
    for name in path[:-1]:
        owner = {field.name: field.type for field in msgspec.structs.fields(owner)}[name]
    return {field.name: field.type for field in msgspec.structs.fields(owner)}[path[-1]]


def _object(text: Any) -> Any:
    try:
        return msgspec.json.decode(text) if isinstance(text, str) else text
    except msgspec.DecodeError:
        return text


def _to_secret(kind: type, value: Any) -> Any:
    """Make a `Secret` of a text; one that is a Secret already stays."""
    if kind is Secret and isinstance(value, str):
        return Secret(value)
    if isinstance(value, kind):
        return value
    raise msgspec.ValidationError(f"expected {kind.__name__}")
