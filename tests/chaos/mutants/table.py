"""All broken variants, and the rows of guarantees.md (e) that they have to cover."""

from __future__ import annotations

from tests.chaos.mutants.of_the_library import OF_THE_LIBRARY
from tests.chaos.mutants.of_the_program import OF_THE_PROGRAM

MUTANTS = OF_THE_LIBRARY + OF_THE_PROGRAM

MORE = "(more than section e)"

ROWS: dict[str, int] = {
    "append: ignores the command id": 2,
    "append: ignores the expected version": 1,
    "append: writes the snapshot before the check": 3,
    "settle: no position check": 1,
    'settle: position check by "not greater"': 1,
    "settle: no first-entry check": 1,
    "settle: first entry checked by tonumber": 1,
    "settle: does not need the entry at the position": 2,
    "settle: eventId of the first entry not compared": 1,
    "settle: position written before effects": 2,
    "settle: XACK left out": 2,
    "settle: a key not declared": 1,
    "settle: registered without `allow-oom`": 1,
    "resync: HGET then SETID": 3,
    "resync at `$`": 2,
    "no idle check": 1,
    "buffer kept after FENCED or GAP": 2,
    "reader with retries": 2,
    "lease alone as fence": 1,
    "command client retries raw XADD": 1,
    "WAIT on another pooled connection": 1,
    "transient error counted as poison": 2,
    "park without holding the claim": 1,
    "projection reads the claim snapshot": 1,
    "trim by MAXLEN": 1,
    "dispatcher: key from attempt number": 3,
    "archive acknowledged before fsync": 1,
    "halt flag ignored by append": 1,
    "checker: sums instead of ids": 1,
}
"""First words of a row -> how many variants it names."""
