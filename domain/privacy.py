"""Which field of which event body is clear, sealed, or sealed and looked up through a blind index.

This is the data that the rest obeys; it seals nothing itself. A *subject* owns a data key: one per person,
one per claim for narrative that mixes people. Destroying the key erases every field that it sealed, in the
log, its archive and its backups. Source of the rules: the domain design, sections 4 and 13.

Paths are those of the wire (camelCase): `description`, `party.name`, `items[].note`. In the context of one
sealed value `[]` carries the index (`items[0].note`), so that two elements of a list cannot be exchanged.
A blind index for look-up is not part of an event, because an event cannot be changed and an index must be
dropped on erasure: it is computed from the opened value and kept beside the log. The exception are keyed
fields, which decisions compare (the asset of a claim): those outlive erasure, and nobody can read them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from typing import Any, TypeVar, cast

import msgspec

from domain.privacy_table import BODIES, Field, Index, Treatment

__all__ = [
    "BODIES",
    "ERASED",
    "KEYED_PREFIX",
    "SEALED_PREFIX",
    "Field",
    "Index",
    "SealContext",
    "Treatment",
    "change_keyed",
    "change_sealed",
    "claim_subject",
    "exposed_paths",
    "indexed_fields",
    "is_keyed",
    "is_sealed",
    "normalised",
    "person_subject",
    "sealed_fields",
    "sealed_paths",
    "subjects_of",
    "treatment_of",
    "undeclared_paths",
]

Body = TypeVar("Body")

SEALED_PREFIX = "enc:v1:"
"""How every sealed value begins; base64url (no padding) of nonce, ciphertext and tag follows."""

KEYED_PREFIX = "bi:v1:"
"""How every blind index begins."""

ERASED = "[erased]"
"""What is read where the key of the subject was destroyed. Never written into an event."""


class SealContext(msgspec.Struct, frozen=True):
    """What a sealed value is bound to. Moved anywhere else, it does not open."""

    event_id: str
    event_type: str
    schema: str
    path: str
    subject: str


def claim_subject(claim_id: str) -> str:
    """Return the subject that owns the narrative of a claim."""
    return f"claim:{claim_id}"


def person_subject(person_id: str) -> str:
    """Return the subject of one person (claimant, insured, payee, witness) by the opaque id."""
    return f"person:{person_id}"


def is_keyed(value: object) -> bool:
    """Tell whether a value has the form of a blind index."""
    return isinstance(value, str) and value.startswith(KEYED_PREFIX)


def is_sealed(value: object) -> bool:
    """Tell whether a value has the form of a sealed one. It says nothing about whether it opens."""
    return isinstance(value, str) and value.startswith(SEALED_PREFIX)


def sealed_fields(event_type: str) -> tuple[Field, ...]:
    """Return the fields of a type that are sealed; none for a type without a row."""
    return _SEALED_FIELDS.get(event_type, ())


def sealed_paths(event_type: str) -> tuple[str, ...]:
    """Return the paths of the fields that are sealed, in the order of the table."""
    return tuple(field.path for field in sealed_fields(event_type))


def indexed_fields(event_type: str) -> tuple[Field, ...]:
    """Return the sealed fields that can be looked up through a blind index."""
    return tuple(field for field in sealed_fields(event_type) if field.index is not None)


def treatment_of(event_type: str, path: str) -> Treatment | None:
    """Return how a field is kept (list indexes may stand in the path); None when no row declares it.

    What lies inside a sealed field is sealed with it; a clear field clears nothing below itself.
    """
    treatments = _TREATMENTS.get(event_type, {})
    plain = _INDEXES.sub("[]", path)
    if plain in treatments:
        return treatments[plain]
    above = (treatments.get(plain[: end.start()]) for end in _ENDS.finditer(plain))
    return next((kept for kept in above if kept in _KEPT), None)


def undeclared_paths(event_type: str, body: object) -> tuple[str, ...]:
    """Return the leaves of a body that no row declares. Amounts {minor, currency} count as one leaf."""
    return tuple(path for path, _ in _leaves(body, "") if treatment_of(event_type, path) is None)


def exposed_paths(event_type: str, body: object) -> tuple[str, ...]:
    """Return the paths that must be sealed or keyed and hold something else: what must never be appended."""
    return tuple(
        path
        for path, value in _leaves(body, "")
        if value is not None and value != "" and not _CHECKS[treatment_of(event_type, path) or Treatment.CLEAR](value)
    )


def subjects_of(event_type: str, claim_id: str, body: object) -> frozenset[str]:
    """Return the subjects whose keys are needed to seal or open this body."""
    return frozenset(_subject(field, claim_id, body) for field in sealed_fields(event_type))


def change_sealed(event_type: str, claim_id: str, body: Body, change: Callable[[str, str, str], str]) -> Body:
    """Return the body with `change(path, subject, value)` in place of every value that has to be sealed.

    The body, a mapping or a msgspec struct, keeps its type and is not altered; no value, None and "" stay.
    Sealing and opening are both this walk. Raises TypeError, which names the path and not the value,
    when such a field holds no text.
    """
    changed: Any = body
    for field in sealed_fields(event_type):
        if _is_empty(body, field.path):
            continue
        bound = partial(_bound, change, _subject(field, claim_id, body))
        changed = _change(changed, field.path.split("."), "", bound)
    return cast("Body", changed)


def change_keyed(event_type: str, body: Body, change: Callable[[Index, str], str]) -> Body:
    """Return the body with `change(index, value)` in place of every value of which only an index is kept."""
    changed: Any = body
    for field in _KEYED_FIELDS.get(event_type, ()):
        if field.index is not None and not _is_empty(body, field.path):
            bound = partial(_bound, lambda _path, index, value: change(Index(index), value), field.index)
            changed = _change(changed, field.path.split("."), "", bound)
    return cast("Body", changed)


def normalised(index: Index, value: str) -> str:
    """Return the form in which two spellings of one value are equal, for the blind index.

    A person is compared by folded letters and single spaces, the others by letters and digits alone.
    """
    folded = unicodedata.normalize("NFKC", value).casefold()
    if index is Index.PERSON:
        return " ".join(folded.split())
    return "".join(char for char in folded if char.isalnum())


_INDEXES = re.compile(r"\[\d+\]")
_ENDS = re.compile(r"\.|\[\]")
_KEPT = frozenset({Treatment.SEALED, Treatment.INDEXED})
_MONEY = frozenset({"minor", "currency"})
_TREATMENTS = {event: {field.path: field.treatment for field in fields} for event, fields in BODIES.items()}
_SEALED_FIELDS = {
    event: tuple(field for field in fields if field.treatment in _KEPT) for event, fields in BODIES.items()
}
_KEYED_FIELDS = {
    event: tuple(field for field in fields if field.treatment is Treatment.KEYED) for event, fields in BODIES.items()
}
_CHECKS: Mapping[Treatment, Callable[[object], bool]] = {
    Treatment.CLEAR: lambda value: True,
    Treatment.SEALED: is_sealed,
    Treatment.INDEXED: is_sealed,
    Treatment.KEYED: is_keyed,
}


def _bound(change: Callable[[str, str, str], str], subject: str, path: str, value: str) -> str:
    return change(path, subject, value)


def _is_empty(body: object, path: str) -> bool:
    """Whether a field of the body itself holds nothing: most of them do, and the walk is not needed to see it."""
    return "." not in path and "[" not in path and _child(body, path) in (None, "")


def _subject(field: Field, claim_id: str, body: object) -> str:
    owner = _child(body, field.owner) if field.owner else None
    return person_subject(owner) if isinstance(owner, str) and owner else claim_subject(claim_id)


@cache
def _attributes(struct: type[msgspec.Struct]) -> Mapping[str, str]:
    return {field.encode_name: field.name for field in msgspec.structs.fields(struct)}


def _child(node: object, name: str) -> object:
    if isinstance(node, msgspec.Struct):
        return getattr(node, _attributes(type(node)).get(name, ""), None)
    return node.get(name) if isinstance(node, Mapping) else None


def _members(node: object) -> Mapping[str, object]:
    if isinstance(node, msgspec.Struct):
        return {name: getattr(node, own) for name, own in _attributes(type(node)).items()}
    return node if isinstance(node, Mapping) else {}


def _with(node: Any, name: str, value: object) -> Any:
    if isinstance(node, msgspec.Struct):
        return msgspec.structs.replace(node, **{_attributes(type(node))[name]: value})
    return {**node, name: value}


def _change(node: Any, steps: Sequence[str], at: str, change: Callable[[str, str], str]) -> Any:
    name = steps[0].removesuffix("[]")
    child = _child(node, name)
    path = f"{at}.{name}" if at else name
    if child is None:
        return node
    if steps[0].endswith("[]"):
        if not isinstance(child, (list, tuple)):
            raise TypeError(f"{path} must be a list")
        changed = [_rest(element, steps[1:], f"{path}[{i}]", change) for i, element in enumerate(child)]
        return _with(node, name, type(child)(changed))
    return _with(node, name, _rest(child, steps[1:], path, change))


def _rest(child: Any, steps: Sequence[str], path: str, change: Callable[[str, str], str]) -> Any:
    if child is None or child == "":
        return child
    if steps:
        return _change(child, steps, path, change)
    if not isinstance(child, str):
        raise TypeError(f"{path} is sealed and must be text, not {type(child).__name__}")
    return change(path, child)


def _leaves(node: object, at: str) -> Iterator[tuple[str, object]]:
    members = _members(node)
    if members and not members.keys() <= _MONEY:
        for name, child in members.items():
            yield from _leaves(child, f"{at}.{name}" if at else name)
    elif isinstance(node, (list, tuple)) and any(_members(element) for element in node):
        for index, element in enumerate(node):
            yield from _leaves(element, f"{at}[{index}]")
    elif at:
        yield at, node
