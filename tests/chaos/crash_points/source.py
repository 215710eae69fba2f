"""Every failpoint that the source names, found by reading it."""

from __future__ import annotations

import re

from tests.support.source_tree import text_files

_CALL = re.compile(r"failpoints\.(?:reach|sent|hit)\(\s*(?P<name>\"[^\"]*\"|[^,)\s]+)")


def points_in_source() -> dict[str, list[str]]:
    """Each point, and the files that hold it. A name that is not a literal appears as it is written."""
    found: dict[str, list[str]] = {}
    for path, text in text_files(".py"):
        if path.startswith(("runtime/", "workers/")) and path != "runtime/failpoints.py":
            for match in _CALL.finditer(text):
                found.setdefault(match["name"].strip('"'), []).append(path)
    return found
