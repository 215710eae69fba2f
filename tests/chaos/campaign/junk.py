"""Entries that no actor can use: malformed, foreign, oversized, with 10,000 fields, from another time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

Fields = dict[bytes | str, bytes | str]

KINDS = ("malformed", "foreign", "oversized", "ten thousand fields", "wrong envelope")


def junk(chance: random.Random, kind: str, number: int) -> Fields:
    """One bad entry of a kind."""
    some = chance.randbytes(chance.randrange(1, 400))
    known: Fields = {
        "eventId": f"j-{number}", "eventType": "claim.submitted", "claimId": f"CLM-JUNK{number:06d}",
        "timestamp": "2026-01-20T10:00:00Z", "data": "{}", "version": "1.0",
    }  # fmt: skip
    choices: dict[str, list[Fields]] = {
        "malformed": [
            {some: some},
            {"eventType": some, "claimId": some, "data": some},
            {**known, "data": "{not json"},
            {**known, "data": '{"a":' + "[" * 5000},
            {**known},
        ],
        "foreign": [{"message": "hello"}, {"type": "order", "payload": "{}"}],
        "oversized": [{**known, "data": "x" * 300_000}, {**known, "claimId": "CLM-" + "A" * 2000}],
        "ten thousand fields": [{f"f{n}": "v" for n in range(10_000)}],
        "wrong envelope": [
            {**known, "version": "7.0"},
            {**known, "eventType": "claim.exploded"},
            {**known, "timestamp": "9999-12-31T23:59:59Z"},
            {**known, "sequence": "not a number"},
        ],
    }
    return chance.choice(choices[kind])
