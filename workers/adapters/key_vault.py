"""The key vault: one data key per subject in a SQLite file, wrapped by a versioned master key.

The file lies outside the log and its backups, or erasing a key would erase nothing. It holds opaque subject
ids, wrapped keys and tombstones; no personal data. Several processes may use one file (write-ahead log, busy
timeout); the file system must be local, as SQLite's shared memory does not work over a network.

What it must never do: answer "destroyed" for any other reason than a tombstone, or make a key again for a
subject that has one. A key is on the disk before it is handed out: what it seals would be lost with it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from workers.adapters.key_vault_file import MasterKeys, blamed, connected, create_tables
from workers.adapters.master_key import MasterKeyError, load_master_keys
from workers.ports import PURPOSE_PREFIX, DataKey, Destruction, KeyVaultUnavailable

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from typing import Self


class KeyVaultOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Where the vault lies and how it waits."""

    path: Path
    """The SQLite file; its directory exists. Not inside the data directory of the store's backups."""
    master_key_file: Path
    """Used when the environment variable CLAIMSTREAM_MASTER_KEY is not set."""
    create: bool = True
    """Make the vault, and the master key file with it, on first use. Off in production."""
    busy_timeout: float = 5.0
    """Seconds to wait for another process that writes; a bulk of 2,000 keys holds the file for some 20 ms."""
    bulk: int = 2_000
    """Keys made in one transaction: bounds how long others wait."""


class SqliteKeyVault:
    """Implements `workers.ports.KeyVault`. Open it before use, close it after; both are legal twice."""

    def __init__(self, options: KeyVaultOptions, *, environment: Mapping[str, str]) -> None:
        self._options = options
        self._environment = environment
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self._owner = 0
        self._masters = MasterKeys(options.path, ())

    def open(self) -> None:
        """Open the file, made on first use, and check the master key against it.

        Raises MasterKeyError, KeyVaultDamaged, KeyVaultUnavailable.
        """
        with self._lock:
            if self._connection is not None and self._owner == os.getpid():
                return
            with blamed(self._options.path):
                self._open()

    def close(self) -> None:
        """Close the file and forget the master keys."""
        with self._lock:
            if self._connection is not None and self._owner == os.getpid():
                self._connection.close()
            self._connection = None
            self._masters = MasterKeys(self._options.path, ())

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get_or_create(self, subjects: Collection[str]) -> dict[str, DataKey | None]:
        """Return the key of every subject, made where there is none; None where it was destroyed."""
        keys: dict[str, DataKey | None] = {}
        for chunk in _chunks(subjects, self._options.bulk):
            keys.update(self.find(chunk))
            missing = [subject for subject in chunk if subject not in keys]
            if missing:
                keys.update(self._create(missing))
        return keys

    def find(self, subjects: Collection[str]) -> dict[str, DataKey | None]:
        """Return the keys that exist; None where one was destroyed; others are left out. Makes nothing."""
        with self._lock, blamed(self._options.path):
            connection = self._open_connection()
            return {
                subject: key for chunk in _chunks(subjects, 10_000) for subject, key in self._read(connection, chunk)
            }

    def destroy(self, subject: str, *, when: str) -> Destruction:
        """Destroy a key for ever; a tombstone with the time (ISO 8601 UTC) stays. Harmless when repeated.

        A subject that never had a key gets its tombstone too, so that none is made later. Keys of the
        cluster itself (`purpose:`) are refused: without them no claim id could be derived a second time.
        """
        if subject.startswith(PURPOSE_PREFIX):
            raise ValueError(f"{subject} is a key of the cluster, not of a person; it is never destroyed")
        with self._lock, blamed(self._options.path):
            connection = self._open_connection()
            with self._writing(connection):
                done = connection.execute(
                    "INSERT INTO data_keys VALUES (?, NULL, 0, ?) ON CONFLICT (subject) DO UPDATE SET"
                    " wrapped = NULL, master_version = 0, destroyed_at = excluded.destroyed_at"
                    " WHERE destroyed_at IS NULL",
                    (subject, when),
                ).rowcount
                (at,) = connection.execute(
                    "SELECT destroyed_at FROM data_keys WHERE subject = ?", (subject,)
                ).fetchone()
            # The old page is still in the write-ahead log until it is copied back and cut.
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            return Destruction(subject, at, first=done == 1, purged=busy == 0)

    def destructions(self) -> int:
        """Return how many keys any process destroyed so far."""
        with self._lock, blamed(self._options.path):
            row = (
                self._open_connection()
                .execute("SELECT count(*) FROM data_keys WHERE destroyed_at IS NOT NULL")
                .fetchone()
            )
            return int(row[0])

    def rotate(self) -> int:
        """Wrap every key again under the newest master key; return how many were.

        May be stopped and repeated: each transaction leaves a vault that opens with the old and the new key.
        """
        with self._lock, blamed(self._options.path):
            connection = self._open_connection()
            with self._writing(connection):
                self._masters.adopt_newest(connection)
            count = 0
            while moved := self._rewrap(connection):
                count += moved
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            return count

    def __repr__(self) -> str:
        return f"SqliteKeyVault({str(self._options.path)!r})"

    def _open(self) -> None:
        path = self._options.path
        fresh = not path.exists()
        if fresh and not self._options.create:
            raise KeyVaultUnavailable(f"the key vault {path} does not exist")
        keys = load_master_keys(
            self._options.master_key_file,
            environment=self._environment,
            may_create=fresh and self._options.create,
        )
        # 0600 from the first byte on; SQLite gives its journal files the mode of the file.
        os.close(os.open(path, os.O_RDWR | (os.O_CREAT if fresh else 0), 0o600))
        if path.stat().st_mode & 0o077:
            raise MasterKeyError(f"the key vault {path} is open to other users of this machine: chmod 600 it")
        connection = connected(path, self._options.busy_timeout)
        try:
            with self._writing(connection):
                create_tables(connection)
                masters = MasterKeys(path, keys)
                masters.check(connection)
        except BaseException:
            connection.close()
            raise
        self._connection, self._owner, self._masters = connection, os.getpid(), masters
        self._inode = path.stat().st_ino

    def _open_connection(self) -> sqlite3.Connection:
        if self._connection is None:
            raise KeyVaultUnavailable(f"the key vault {self._options.path} is not open")
        if self._owner != os.getpid():
            # A SQLite connection must not be carried over a fork: leave the parent's alone, take an own one.
            self._open()
        if os.stat(self._options.path).st_ino != self._inode:
            # The file was moved away or replaced: what were written now would be lost with the open handle.
            raise KeyVaultUnavailable(f"the key vault {self._options.path} was replaced while it was open")
        return self._connection

    @contextlib.contextmanager
    def _writing(self, connection: sqlite3.Connection) -> Iterator[None]:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    def _read(self, connection: sqlite3.Connection, subjects: Collection[str]) -> Iterator[tuple[str, DataKey | None]]:
        # Bound one by one: SQLite's JSON functions cut a text at a NUL; ids may come from outside.
        marks = ",".join("?" * len(subjects))
        rows = connection.execute(
            f"SELECT subject, wrapped, master_version FROM data_keys WHERE subject IN ({marks})",
            tuple(subjects),
        ).fetchall()
        for subject, wrapped, version in rows:
            if wrapped is None:
                yield subject, None
            else:
                yield subject, DataKey(subject, self._masters.unwrap(subject, wrapped, version))

    def _create(self, subjects: Collection[str]) -> dict[str, DataKey | None]:
        with self._lock, blamed(self._options.path):
            connection = self._open_connection()
            with self._writing(connection):
                # Another process may have been first since we looked; now that we hold the file nobody can be.
                keys = dict(self._read(connection, subjects))
                made = {subject: secrets.token_bytes(32) for subject in subjects if subject not in keys}
                version = self._masters.current_version(connection)
                connection.executemany(
                    "INSERT INTO data_keys VALUES (?, ?, ?, NULL)",
                    [(subject, self._masters.wrap(subject, raw, version), version) for subject, raw in made.items()],
                )
            return keys | {subject: DataKey(subject, raw) for subject, raw in made.items()}

    def _rewrap(self, connection: sqlite3.Connection) -> int:
        with self._writing(connection):
            version = self._masters.current_version(connection)
            rows = connection.execute(
                "SELECT subject, wrapped, master_version FROM data_keys WHERE master_version BETWEEN 1 AND ? LIMIT ?",
                (version - 1, self._options.bulk),
            ).fetchall()
            connection.executemany(
                "UPDATE data_keys SET wrapped = ?, master_version = ? WHERE subject = ?",
                [
                    (self._masters.wrap(s, self._masters.unwrap(s, wrapped, old), version), version, s)
                    for s, wrapped, old in rows
                ],
            )
            return len(rows)


def _chunks(subjects: Iterable[str], size: int) -> Iterator[list[str]]:
    unique = iter(dict.fromkeys(subjects))
    while chunk := list(islice(unique, size)):
        yield chunk
