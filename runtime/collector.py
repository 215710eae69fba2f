"""The garbage collector of a worker: what stays for ever is frozen, and the rest is looked at less often.

A batch makes some ten thousand objects that die together without a cycle; with Python's defaults (every 700) the
collector walks all of them again and again. Measured on the no-op actor: 20.0 to 12.2 microseconds of CPU per event
(medians of four interleaved runs, docs/benchmarks/NOTES.md); resident memory stayed the same.
"""

from __future__ import annotations

import gc

THRESHOLDS = (50_000, 50, 100)
"""New containers before a young collection, young ones before a middle one, middle ones before a full one."""


def calm() -> None:
    """Call once when the process is up: everything that was imported and built is kept out of later collections."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
