"""The data directory: made, locked for life, and paired with a short path for the socket.

The lock is an flock on `<data_dir>/lock`. The server inherits the locked file, so the directory stays locked
until the server is gone too, also when its owner was killed and the server still closes its append-only file.
Two servers on one directory would start without complaint and ruin it (M5).
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import stat
import tempfile
import time
from hashlib import blake2s
from pathlib import Path
from typing import Final

import msgspec

from runtime.embedded.errors import DataDirectoryLocked, DataDirectoryUnusable, SocketPathTooLong

#: Bytes of the longest path that a unix socket can have on Linux (M7); macOS has 103.
LONGEST_SOCKET_PATH: Final = 103
_POLL_SECONDS: Final = 0.02


class _Holder(msgspec.Struct):
    """Who locked the directory, as written into the lock file."""

    owner_pid: int
    server_pid: int | None = None


def prepare(data_dir: str) -> Path:
    """Make the data directory, for this user only. Raises `DataDirectoryUnusable`."""
    path = Path(data_dir).expanduser().absolute()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise DataDirectoryUnusable(f"the data directory {path} cannot be made: {exc.strerror}") from exc
    if not os.access(path, os.W_OK | os.X_OK):
        raise DataDirectoryUnusable(f"the data directory {path} cannot be written by this user")
    return path


class DirectoryLock:
    """The lock on one data directory. `fileno` is what the server inherits."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._path = data_dir / "lock"
        self._file: int | None = None

    @property
    def fileno(self) -> int:
        """The open, locked file."""
        if self._file is None:
            raise RuntimeError("the data directory is not locked")
        return self._file

    async def acquire(self, seconds: float) -> None:
        """Lock the directory. Raises `DataDirectoryLocked`: at once when the owner lives, else after
        `seconds`.

        A dead owner whose server is stuck (paused, spinning) would keep the directory for ever: then that
        server is killed, after it was seen to hold this very lock.
        """
        if self._file is not None:
            raise RuntimeError("the data directory is locked by this process already")
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if not _try_lock(file):
                await self._outwait(file, seconds)
            self._file = file
            self.write_holder(None)
        except BaseException:
            os.close(file)
            self._file = None
            raise

    async def _outwait(self, file: int, seconds: float) -> None:
        """Wait for the lock while only the server of a dead owner has it."""
        for patience in (seconds, 1.0):
            deadline = time.monotonic() + patience
            while time.monotonic() < deadline:
                holder = _read_holder(file)
                if holder is not None and _lives(holder.owner_pid):
                    raise DataDirectoryLocked(str(self._data_dir), holder.owner_pid)
                await asyncio.sleep(_POLL_SECONDS)
                if _try_lock(file):
                    return
            _kill_orphan(_read_holder(file), self._path)
        raise DataDirectoryLocked(str(self._data_dir), None)

    def write_holder(self, server_pid: int | None) -> None:
        """Write who holds the lock, for the message to the next one."""
        text = msgspec.json.encode(_Holder(owner_pid=os.getpid(), server_pid=server_pid))
        os.pwrite(self.fileno, text, 0)
        os.ftruncate(self.fileno, len(text))

    def release(self) -> None:
        """Give the directory free; the server must be gone. Twice is legal."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def socket_path(data_dir: Path, socket_dir: str | None) -> str:
    """Give the path of the socket of a data directory: always the same one, and short enough (M7).

    Raises `SocketPathTooLong` or `DataDirectoryUnusable`. A directory that belongs to somebody else, or
    that others may enter, is refused: on a shared /tmp a stranger could otherwise stand at our socket.
    """
    name = blake2s(str(data_dir).encode(), digest_size=6).hexdigest() + ".sock"
    for folder in _socket_folders(socket_dir):
        path = folder / name
        if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
            _make_private(folder)
            return str(path)
    raise SocketPathTooLong(
        f"the path of the store's socket would be longer than {LONGEST_SOCKET_PATH} bytes: "
        "choose a shorter socket_dir, such as /tmp/cs"
    )


def _socket_folders(socket_dir: str | None) -> list[Path]:
    """List the directories for the socket, best first."""
    if socket_dir is not None:
        return [Path(socket_dir).expanduser().absolute()]
    roots = [os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp"]
    return [Path(root) / f"cs-{os.getuid()}" for root in roots if root and Path(root).is_dir()]


def _make_private(folder: Path) -> None:
    """Make a directory that only this user may enter, or see that it is one."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        seen = folder.lstat()
    except OSError as exc:
        raise DataDirectoryUnusable(f"the socket directory {folder} cannot be made: {exc.strerror}") from exc
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.getuid() or seen.st_mode & 0o077:
        raise DataDirectoryUnusable(
            f"the socket directory {folder} must belong to this user alone (mode 0700): set socket_dir to another"
        )


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read_holder(file: int) -> _Holder | None:
    try:
        return msgspec.json.decode(os.pread(file, 4096, 0), type=_Holder)
    except msgspec.MsgspecError:
        return None


def _lives(pid: int) -> bool:
    """Tell whether a process runs. One that is dead but not yet reaped by its parent does not."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except ProcessLookupError:
        return False
    except OSError:  # no /proc here, or another user's process
        return True
    return state not in ("Z", "X")


def _kill_orphan(holder: _Holder | None, lock: Path) -> None:
    """Kill the server of a dead owner, if it is seen to have our lock file open. Without /proc nothing is
    done.
    """
    if holder is None or holder.server_pid is None:
        return
    try:
        held = any(entry.readlink() == lock for entry in Path(f"/proc/{holder.server_pid}/fd").iterdir())
    except OSError:
        return
    if held:
        with contextlib.suppress(ProcessLookupError):
            os.kill(holder.server_pid, signal.SIGKILL)
