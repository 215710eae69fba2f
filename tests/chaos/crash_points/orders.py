"""What the test, the nursery and its children tell each other."""

from __future__ import annotations

from pathlib import Path

import msgspec

THINGS = "things"
"""A child that runs generic actors on a log of things, with an outbox and an archive."""

CLAIMS = "claims"
"""A child that runs the application's actors between a notice of loss and its payment, with a bank."""

PAYERS = ("claims-processor", "intake", "payments")
"""Those actors."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A child to be born."""

    kind: str
    name: str
    url: str
    folder: str
    bank: str = ""

    @property
    def report(self) -> Path:
        """Lines: `up`, `armed SPEC`, `reached POINT`, `acted POINT ACTION`, `done NUMBER`, `failed NUMBER WHY`."""
        return Path(self.folder) / f"{self.name}.report"

    @property
    def wish(self) -> Path:
        """What the child reads at SIGUSR1: a `Wish` as JSON."""
        return Path(self.folder) / f"{self.name}.wish"

    @property
    def errors(self) -> Path:
        """What it wrote on stderr."""
        return Path(self.folder) / f"{self.name}.stderr"


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a child does now: arm failpoints, and perhaps append or trim by itself."""

    number: int
    arm: str = ""
    append: tuple[str, int, str] = ("", 0, "")
    """Entity, its version, command id."""
    trim: bool = False


def cured(folder: str | Path) -> Path:
    """While this file is there, no entry is bad."""
    return Path(folder) / "cured"


def sent(folder: str | Path) -> Path:
    """Where the channel writes the key of each message, a line each."""
    return Path(folder) / "sent"


def archive(folder: str | Path) -> Path:
    """The archive of the things."""
    return Path(folder) / "archive"


def bank_settings(url: str) -> dict[str, object]:
    """Settings of an application whose bank is there, and asked often."""
    return {"bank.url": url, "bank.poll_seconds": 0.05, "bank.retry_seconds": 0.05}
