"""Who should serve what: rendezvous hashing over the living processes. Pure.

Every process computes the same answer from the same list; when one joins or leaves, only its own share moves.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def weight(process: str, seat: str) -> int:
    """How much a process wants a seat: a stable hash of both."""
    return int.from_bytes(blake2b(f"{process}\0{seat}".encode(), digest_size=8).digest(), "big")


def chosen(seat: str, living: Sequence[str]) -> str:
    """The process that should serve a seat.

    >>> chosen("g/0", ["a"])
    'a'
    """
    if not living:
        raise ValueError("nobody is alive")
    return max(living, key=lambda process: (weight(process, seat), process))


def share(process: str, seats: Iterable[str], living: Sequence[str]) -> set[str]:
    """The seats that one process should serve."""
    return {seat for seat in seats if chosen(seat, living) == process}
