"""`make audit`: pip-audit over the lock of what is shipped, with dated exceptions. Exit 1: a hole, an old exception.

Offline nothing can be known: exit 3, or 0 with the argument `offline-is-fine` (`make lint`), always with a line.
"""

from __future__ import annotations

import datetime
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

from tests.support.source_tree import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable

EXCEPTIONS = ROOT / "deploy" / "audit-exceptions.txt"
UNREACHABLE = ("ConnectionError", "ConnectTimeout", "ReadTimeout", "NameResolutionError", "Max retries", "ServiceError")
"""How pip-audit says that nobody answered."""


class Accepted(NamedTuple):
    """One exception."""

    id: str
    until: datetime.date
    reason: str


def accepted(lines: Iterable[str]) -> list[Accepted]:
    """The exceptions of the file. ValueError: a line without day or reason."""
    found = []
    for line in lines:
        if not line.strip() or line.startswith("#"):
            continue
        id_, day, reason = [*line.split(maxsplit=2), "", ""][:3]
        if not reason.strip():
            raise ValueError(f"{line.strip()!r}: expected ID, last day, reason")
        found.append(Accepted(id_, datetime.date.fromisoformat(day), reason.strip()))
    return found


def expired(found: Iterable[Accepted], today: datetime.date) -> list[Accepted]:
    """Those whose day is over."""
    return [one for one in found if one.until < today]


def main(words: list[str]) -> int:
    """Ask pip-audit."""
    found = accepted(EXCEPTIONS.read_text(encoding="utf-8").splitlines())
    if old := expired(found, datetime.datetime.now(datetime.UTC).date()):
        sys.stderr.write("".join(f"audit: the exception {one.id} ended on {one.until}: {one.reason}\n" for one in old))
        return 1
    command = [
        str(ROOT / ".venv" / "audit" / "bin" / "pip-audit"), "--requirement", str(ROOT / "requirements.lock"),
        "--require-hashes", "--disable-pip", "--progress-spinner", "off", "--timeout", "10",
    ]  # fmt: skip
    for one in found:
        command += ["--ignore-vuln", one.id]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    told = (done.stdout + done.stderr).strip()
    if done.returncode and any(word in told for word in UNREACHABLE):
        sys.stderr.write("audit: not done, PyPI's advisories cannot be reached; `make audit` tries again\n")
        return 0 if "offline-is-fine" in words else 3
    sys.stderr.write(f"audit: {told.splitlines()[-1] if done.returncode == 0 else told}\n")
    return 1 if done.returncode else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
