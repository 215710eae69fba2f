"""What happened, as JSON lines: who did what when, under which id, and what was answered. Written as it happens.

Kinds and their data:

    begin    the plan of the seed and the conditions
    try      op, what (append | raw), claim, command, expected, events (ids that it would add): before it is sent
    told     op, outcome (ok | conflict | unknown | refused), and of ok: version, ids, repeated
    fault    name, state (begin | end), done (was it exercised), detail
    bank     orders (its own statement), messages (ids of what it said)
    moved    log, id, fields: an entry that was trimmed on purpose, so that it counts as archived
    measure  name, value, limit (a floor: value must not be above it), unit
    unmeasured  the same, and why: when it does not count
    process  worker, pid, event (born | killed | ended), code
    end      rested (bool), seconds (to rest), detail
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class Row(msgspec.Struct, frozen=True):
    """One line. `at`: seconds of the monotonic clock."""

    at: float
    process: str
    kind: str
    data: dict[str, Any]


class History:
    """The file of one seed; each row reaches the file before the next step is taken."""

    def __init__(self, path: Path) -> None:
        """Open it anew."""
        self._file = path.open("wb", buffering=0)
        self._encode = msgspec.json.Encoder().encode
        self.counts: dict[str, int] = {}

    def write(self, process: str, kind: str, **data: Any) -> None:
        """Add a row."""
        name = f"{kind}:{data['outcome']}" if "outcome" in data else kind
        self.counts[name] = self.counts.get(name, 0) + 1
        self._file.write(self._encode(Row(time.monotonic(), process, kind, data)) + b"\n")

    def close(self) -> None:
        """Legal twice."""
        self._file.close()


def read_history(path: Path) -> list[Row]:
    """Every row of a file."""
    decode = msgspec.json.Decoder(Row).decode
    return [decode(line) for line in path.read_bytes().splitlines() if line]


def of_kind(rows: Iterable[Row], kind: str) -> list[Row]:
    """The rows of one kind, in order."""
    return [row for row in rows if row.kind == kind]
