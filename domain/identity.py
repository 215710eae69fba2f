"""Ids: typed names for them, claim ids from a keyed hash, command ids and event ids from content. Pure.

A claim id that is derived from (source, source reference) makes a second submission meet the first one for
ever, also after the command id is forgotten. The key keeps outsiders from computing ids of claims that they
may not know.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import NewType

ClaimId = NewType("ClaimId", str)
"""`CLM-` and 8 or more of A-Z 0-9; 16 when it is derived here."""
AdjusterId = NewType("AdjusterId", str)
"""Opaque, as the roster names him."""
SubjectId = NewType("SubjectId", str)
"""A person, opaque: no name, no address."""
PaymentId = NewType("PaymentId", str)
"""The provider's idempotency key."""
CommandId = NewType("CommandId", str)
"""Of one wish: the same content gives the same id, so a retry is recognised."""

CLAIM_ID = re.compile(r"CLM-[A-Z0-9]{8,40}")
"""What a claim id looks like."""

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LENGTH = 16
"""36**16 is 2**82: with a thousand million claims two share an id with a chance below 1 in 9 million."""
_NAMESPACE = bytes.fromhex("6f5d7f0e6c0b5d0e9f5c1d0c1a1f5a11")
_VARIANT = {digit: "89ab"[int(digit, 16) % 4] for digit in "0123456789abcdef"}
"""RFC 9562: the first digit of a uuid's fourth group says `10` in its two upper bits."""


def is_claim_id(text: str) -> bool:
    """Whether the text has the form of a claim id."""
    return CLAIM_ID.fullmatch(text) is not None


def claim_id(key: bytes, source: str, source_ref: str) -> ClaimId:
    """The id of the claim that `source` calls `source_ref`. `key` is a secret of the installation."""
    digest = hmac.new(key, _joined(source, source_ref), hashlib.sha256).digest()
    number = int.from_bytes(digest, "big")
    letters = []
    for _ in range(_LENGTH):
        number, index = divmod(number, 36)
        letters.append(_ALPHABET[index])
    return ClaimId("CLM-" + "".join(letters))


def command_id(*parts: str) -> CommandId:
    """A command id from content: what is wanted, on which claim, by which message or timer."""
    return CommandId(hashlib.blake2b(_joined(*parts), digest_size=16).hexdigest())


def timer_command_id(claim_id: str, timer_id: str) -> CommandId:
    """The command id of a timer: a timer fires once because this is its identity."""
    return command_id("timer", claim_id, timer_id)


def event_id(cause: str, index: int) -> str:
    """A uuid from the cause (a command or event id) and the place of the fact in the append.

    What `str(uuid.uuid5(...))` gives, written out: it is asked for every fact, and the object costs four times as much.
    """
    digest = hashlib.sha1(_NAMESPACE + f"{cause}#{index}".encode(), usedforsecurity=False).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{_VARIANT[digest[16]]}{digest[17:20]}-{digest[20:32]}"


def _joined(*parts: str) -> bytes:
    """The parts with their lengths, so that no two lists of parts read alike."""
    encoded = [part.encode() for part in parts]
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)
