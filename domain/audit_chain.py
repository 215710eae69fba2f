"""The hash chain over the log: each link is over the link before it and the raw bytes of one entry.

Over raw bytes, so that it verifies without a decoder and after personal keys are destroyed. Every part is
written with its length, so two different entries never read alike.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

GENESIS = bytes(32)
"""What the first link of a chain follows."""


class Broken(NamedTuple):
    """The first entry whose link is not the one that was recorded."""

    entry_id: bytes
    expected: bytes
    recorded: bytes


_SIZES = [size.to_bytes(4, "big") for size in range(4096)]
"""The lengths that nearly every part has, ready made: the chain is computed for every entry, by two actors."""


def link(previous: bytes, entry_id: bytes, fields: Sequence[bytes]) -> bytes:
    """The link of one entry: sha256 over the previous link, the entry id and its fields (names and values,
    as read).
    """
    parts = [b""] * (2 * len(fields))
    try:
        parts[::2] = [_SIZES[len(field)] for field in fields]
    except IndexError:
        parts[::2] = [len(field).to_bytes(4, "big") for field in fields]
    parts[1::2] = fields
    start = previous + len(entry_id).to_bytes(4, "big") + entry_id + len(fields).to_bytes(4, "big")
    return hashlib.sha256(start + b"".join(parts)).digest()


def head(entries: Iterable[tuple[bytes, Sequence[bytes]]], previous: bytes = GENESIS) -> bytes:
    """The link of the last of these entries, in order."""
    for entry_id, fields in entries:
        previous = link(previous, entry_id, fields)
    return previous


def first_broken(entries: Iterable[tuple[bytes, Sequence[bytes], bytes]], previous: bytes = GENESIS) -> Broken | None:
    """Verify (entry id, fields, recorded link) in order; the first that does not fit, or None."""
    for entry_id, fields, recorded in entries:
        expected = link(previous, entry_id, fields)
        if expected != recorded:
            return Broken(entry_id, expected, recorded)
        previous = expected
    return None
