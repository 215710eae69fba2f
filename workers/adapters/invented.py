"""What the auto set does not hold and a demo needs: report time, channel, names, contacts, bank data.

Invented, and the same for ever for the same (seed, key): the numbers come from a hash, not from a generator
whose algorithm may change. A demo says that these people and timings are invented.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeVar

    T = TypeVar("T")

LATEST_REPORT_HOURS: Final = 720
"""An invented report is at most 30 days late: an invention must not raise a red flag (LATE_REPORT)."""

_DELAY_HOURS: Final = (2, 26, 40, 56, 74, 96, 125, 165, 229, 360, LATEST_REPORT_HOURS)
"""Deciles of loss -> report for motor, in hours: median 4 days, p90 15 days, log-normal, cut at 30 days
(design/domain.md section 14, from simulated claim data of casact/cascsim)."""

_CHANNELS: Final = (*("web",) * 5, *("phone",) * 3, "broker", "email")
_GIVEN: Final = ("Alex", "Casey", "Dana", "Jordan", "Kim", "Lee", "Morgan", "Robin", "Sam", "Taylor")
_FAMILY: Final = ("Abbott", "Brook", "Carver", "Dale", "Ellis", "Forrest", "Grant", "Hale", "Irwin", "Jarvis")


class Draw:
    """Numbers that follow from (seed, key) alone."""

    __slots__ = ("_left", "_key", "_block")

    def __init__(self, seed: int, key: str) -> None:
        """`key` names what is drawn for, e.g. a policy number."""
        self._key = f"{seed}:{key}".encode()
        self._block = 0
        self._left = int.from_bytes(hashlib.blake2b(self._key).digest())

    def below(self, bound: int) -> int:
        """A whole number from 0 to bound - 1, for bounds far below 2**64, so that no value is favoured."""
        if self._left < 1 << 64:
            self._block += 1
            digest = hashlib.blake2b(self._key + self._block.to_bytes(4)).digest()
            self._left = int.from_bytes(digest) | 1 << 512
        self._left, value = divmod(self._left, bound)
        return value

    def of(self, choices: Sequence[T]) -> T:
        """One of the choices."""
        return choices[self.below(len(choices))]


class Contact(msgspec.Struct, frozen=True, rename="camel"):
    """An invented person: the number range and the mail domain are reserved for fiction and examples."""

    name: str
    phone: str
    email: str
    bank_account: str


def report_delay_hours(draw: Draw) -> int:
    """Hours from loss to report: between two deciles in a straight line."""
    decile, part = draw.below(10), draw.below(1_000)
    low, high = _DELAY_HOURS[decile], _DELAY_HOURS[decile + 1]
    return low + (high - low) * part // 1_000


def channel_and_reporter(draw: Draw) -> tuple[str, str]:
    """How the report came, and who made it."""
    channel = draw.of(_CHANNELS)
    return channel, "broker" if channel == "broker" else "claimant"


def contact(draw: Draw) -> Contact:
    """Somebody who does not exist."""
    given, family, number = draw.of(_GIVEN), draw.of(_FAMILY), draw.below(10_000)
    return Contact(
        name=f"{given} {family}",
        phone=f"+1-614-555-01{number % 100:02d}",
        email=f"{given}.{family}.{number}@example.org".lower(),
        bank_account=f"INVENTED-{draw.below(10**10):010d}",
    )
