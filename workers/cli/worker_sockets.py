"""Unix sockets of worker processes, in a short directory that this user alone may enter."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from workers.cli.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

_PREFIX = "worker-"


def socket_folder() -> Path:
    """The directory, made when missing. `Problem`: it belongs to somebody else, or others may enter it."""
    roots = (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir())
    root = next(root for root in roots if root and Path(root).is_dir() and len(root) < 60)
    folder = Path(root) / f"cs-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        seen = folder.lstat()
    except OSError as problem:
        raise Problem(f"the directory {folder} for sockets cannot be made: {problem.strerror}") from problem
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.getuid() or seen.st_mode & 0o077:
        raise Problem(f"the directory {folder} for sockets must belong to this user alone: chmod 700 it")
    return folder


def socket_name(parent: int, index: int) -> str:
    """The name of one worker's socket."""
    return f"{_PREFIX}{parent}-{index}.sock"


def remove(paths: Iterable[str]) -> None:
    """Remove sockets that nobody listens at any more."""
    for path in paths:
        Path(path).unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove the sockets of parents that were killed and could not do it themselves."""
    for path in folder.glob(f"{_PREFIX}*-*.sock"):
        parent = path.name.removeprefix(_PREFIX).partition("-")[0]
        if parent.isdecimal() and not _lives(int(parent)):
            path.unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
