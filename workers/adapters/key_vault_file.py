"""The file behind the key vault: its tables, how it is opened, blame for errors, wrapping.

A data key is wrapped by AES-256-GCM under one version of the master key, bound to its subject: rows cannot be
exchanged. The fingerprint of each master key stands in the file, so that a wrong one is noticed at once.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from workers.adapters.master_key import MasterKey, MasterKeyError
from workers.ports import KeyVaultUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS master_keys (
    version INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE
);
CREATE TABLE IF NOT EXISTS data_keys (
    subject TEXT PRIMARY KEY, wrapped BLOB, master_version INTEGER NOT NULL, destroyed_at TEXT,
    CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL))
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS destroyed_keys ON data_keys (destroyed_at) WHERE destroyed_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS keys_by_master ON data_keys (master_version);
"""
_NONCE_BYTES = 12
_BUSY_PAUSE = 0.01
"""Seconds between two tries to change a new file over."""


class KeyVaultDamaged(Exception):
    """The vault file is not a vault or was changed: restore its own backup. Retrying does not help."""


class MasterKeys:
    """The master keys of this process, by the version that the vault file gives them."""

    def __init__(self, path: Path, keys: Sequence[MasterKey]) -> None:
        self._path = path
        self._keys = tuple(keys)
        self._ciphers: dict[int, AESGCM] = {}

    def check(self, connection: sqlite3.Connection) -> None:
        """Find our keys in the file; a new file takes the newest as version 1. Inside a transaction."""
        connection.execute(
            "INSERT INTO master_keys SELECT 1, ? WHERE NOT EXISTS (SELECT 1 FROM master_keys)",
            (self._keys[0].fingerprint,),
        )
        self._match(connection)
        if self._version(connection) not in self._ciphers:
            raise MasterKeyError(
                f"wrong master key for the key vault {self._path}: it was wrapped by another one; "
                "give the key that belongs to this vault (nothing was changed)"
            )

    def adopt_newest(self, connection: sqlite3.Connection) -> None:
        """Make the first of our keys the current one of the vault. Inside a transaction."""
        connection.execute(
            "INSERT INTO master_keys (fingerprint) VALUES (?) ON CONFLICT (fingerprint) DO NOTHING",
            (self._keys[0].fingerprint,),
        )
        self._match(connection)

    def current_version(self, connection: sqlite3.Connection) -> int:
        """Return the version under which keys are wrapped now, which another process may have raised."""
        version = self._version(connection)
        self._cipher(version)
        return version

    def wrap(self, subject: str, raw: bytes, version: int) -> bytes:
        """Return nonce and wrapped key."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher(version).encrypt(nonce, raw, _context(subject))

    def unwrap(self, subject: str, wrapped: bytes, version: int) -> bytes:
        """Return the raw key. KeyVaultDamaged: the row was altered; MasterKeyError: we lack the key."""
        try:
            return self._cipher(version).decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], _context(subject))
        except (InvalidTag, ValueError):
            raise KeyVaultDamaged(
                f"the key of {subject} in {self._path} was changed; restore the vault from its backup"
            ) from None

    def _version(self, connection: sqlite3.Connection) -> int:
        return int(connection.execute("SELECT max(version) FROM master_keys").fetchone()[0])

    def _match(self, connection: sqlite3.Connection) -> None:
        versions = dict(connection.execute("SELECT fingerprint, version FROM master_keys").fetchall())
        for key in self._keys:
            if key.fingerprint in versions:
                self._ciphers.setdefault(versions[key.fingerprint], AESGCM(key.reveal()))

    def _cipher(self, version: int) -> AESGCM:
        cipher = self._ciphers.get(version)
        if cipher is None:
            raise MasterKeyError(
                f"the key vault {self._path} uses version {version} of the master key, which this process "
                "does not have: put that key beside the present one and restart"
            )
        return cipher


def create_tables(connection: sqlite3.Connection) -> None:
    """Make the tables where they are missing. Inside a transaction."""
    for statement in _SCHEMA.split(";"):
        connection.execute(statement)


def connected(path: Path, busy_timeout: float) -> sqlite3.Connection:
    """Open the file; `busy_timeout` in seconds."""
    connection = sqlite3.connect(path, timeout=busy_timeout, isolation_level=None, check_same_thread=False)
    _use_a_write_ahead_log(connection, busy_timeout)
    for pragma in (
        "synchronous = FULL",  # a commit is on the disk: a lost key is lost data
        "secure_delete = ON",  # a destroyed key is overwritten, not only unlinked
        "trusted_schema = OFF",
    ):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _use_a_write_ahead_log(connection: sqlite3.Connection, busy_timeout: float) -> None:
    """Change the file over. SQLite does not wait for this one lock, whatever its busy timeout says: so two processes
    that begin on a new file at once would meet, and one of them would fail.
    """
    deadline = time.monotonic() + busy_timeout
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_BUSY_PAUSE)


def _context(subject: str) -> bytes:
    return b"claimstream data key v1:" + subject.encode()


@contextlib.contextmanager
def blamed(path: Path) -> Iterator[None]:
    """Turn errors of SQLite and of the file system into those of the port. Their texts carry no values."""
    try:
        yield
    except (sqlite3.OperationalError, sqlite3.InterfaceError, OSError) as error:
        raise KeyVaultUnavailable(f"the key vault {path} cannot be used now: {error}") from error
    except sqlite3.DatabaseError as error:
        raise KeyVaultDamaged(f"{path} is not a usable key vault: {error}") from error
