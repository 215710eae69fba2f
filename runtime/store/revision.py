"""Which text of the function library is newer: programs of two versions share one store while an upgrade rolls.

Three rules make that work:

* The contract of a function (keys, arguments, answers, what it keeps where) never changes under its name. A changed one
  is another name (`cs_settle_2`), and the one before stays in the library for as long as a program that calls it runs.
* Whatever else changes the text raises the revision, the first line of `lua/00_revision.lua`. It stands beside a digest
  of the other files, so that a test finds a text that was changed without it.
* A program that finds a higher revision than its own in the store leaves it there: nothing is replaced by an older one.
"""

from __future__ import annotations

import hashlib
import re
from importlib.resources import files
from pathlib import Path

REVISION_FILE = "00_revision.lua"

_LINE = re.compile(r"^-- revision (\d+), digest ([0-9a-f]{16})$", re.MULTILINE)


def revision_of(source: str) -> int:
    """The revision of a library's text; 0 when it says none."""
    found = _LINE.search(source)
    return int(found[1]) if found else 0


def digest_of(parts: list[str]) -> str:
    """Sixteen hexadecimal digits of the text of all files but the one with the revision."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def recorded() -> tuple[int, str, str]:
    """The revision, the digest that stands beside it, and the digest of the files as they are."""
    folder = files("runtime.store") / "lua"
    parts = sorted((one for one in folder.iterdir() if one.name.endswith(".lua")), key=lambda one: one.name)
    others = [one.read_text(encoding="utf-8") for one in parts if one.name != REVISION_FILE]
    found = _LINE.search((folder / REVISION_FILE).read_text(encoding="utf-8"))
    assert found is not None, f"{REVISION_FILE} names no revision"
    return int(found[1]), found[2], digest_of(others)


def record() -> str:
    """Raise the revision when the other files have changed; the line as it stands then. For `make library-revision`."""
    number, written, found = recorded()
    if written != found:
        path = Path(str(files("runtime.store") / "lua" / REVISION_FILE))
        line = f"-- revision {number + 1}, digest {found}"
        path.write_text(_LINE.sub(line, path.read_text(encoding="utf-8")), encoding="utf-8")
        return line
    return f"-- revision {number}, digest {written}"
