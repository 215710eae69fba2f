"""The passwords of the store's users as files: `NAME` is used, `NAME.next` and `NAME.old` are valid beside it.

make_missing -> ACL LOAD -> in use
make_next    -> ACL LOAD -> switch_to_next -> (connections are made anew) -> finish_rotation -> ACL LOAD
"""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BYTES = 32
"""Of a password. The store keeps a plain SHA-256 of it, so it must be beyond guessing."""


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, in one step. Raises `OSError`."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def read_passwords(folder: Path, users: Sequence[str]) -> dict[str, list[str]]:
    """The valid passwords of each user: at most one more than the one in use. Raises `OSError`."""
    found: dict[str, list[str]] = {}
    for user in users:
        files = [folder / f"{user}{suffix}" for suffix in ("", ".next", ".old")]
        words = [file.read_text(encoding="utf-8").rstrip("\r\n") for file in files if file.exists()]
        if words:
            found[user] = words
    return found


def make_missing(folder: Path, users: Sequence[str]) -> list[str]:
    """A password for each user that has none; whose it were. Raises `OSError`."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    missing = [user for user in users if not (folder / user).exists()]
    for user in missing:
        write_private(folder / user, secrets.token_urlsafe(BYTES) + "\n")
    return missing


def make_next(folder: Path, users: Sequence[str]) -> list[str]:
    """The next password of each user, beside the one in use."""
    present = [user for user in users if (folder / user).exists() and not (folder / f"{user}.next").exists()]
    for user in present:
        write_private(folder / f"{user}.next", secrets.token_urlsafe(BYTES) + "\n")
    return present


def switch_to_next(folder: Path, users: Sequence[str]) -> list[str]:
    """The next password is used from now on; the one before stays beside it."""
    waiting = [user for user in users if (folder / f"{user}.next").exists()]
    for user in waiting:
        write_private(folder / f"{user}.old", (folder / user).read_text(encoding="utf-8"))
        (folder / f"{user}.next").replace(folder / user)
    return waiting


def finish_rotation(folder: Path, users: Sequence[str]) -> list[str]:
    """Forget the passwords before."""
    ended = [user for user in users if (folder / f"{user}.old").exists()]
    for user in ended:
        (folder / f"{user}.old").unlink()
    return ended
