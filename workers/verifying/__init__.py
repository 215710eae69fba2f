"""Checks of a whole store: every projection is rebuilt from the log with the pure rules and compared field by
field.

One file per family of invariants; `report.INVARIANTS` says what each of them promises.
"""

from __future__ import annotations

from workers.verifying.engine import verify
from workers.verifying.report import INVARIANTS, Checked, Progress, Report

__all__ = ["INVARIANTS", "Checked", "Progress", "Report", "verify"]
