"""The version of this program: of its release, its processes' cards and its metrics."""

from __future__ import annotations

VERSION = "0.1.0"
"""The same as in pyproject.toml."""
