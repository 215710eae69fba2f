"""The master keys that wrap the keys of the vault: from the environment, from a file, or made on first use.

The text holds one or more keys, each 32 bytes in base64, separated by white space; lines that begin with `#`
are comments. The first is the newest. To rotate: put the new key in front of the old one and restart the
processes; rotate the vault; take the old key out. Nothing is unreadable at any moment.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import os
import secrets
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ENVIRONMENT = "CLAIMSTREAM_MASTER_KEY"
KEY_BYTES = 32


class MasterKeyError(Exception):
    """The master key is missing, malformed, readable by others, or not the one that wrapped this vault."""


class MasterKey:
    """One master key. Its fingerprint may be stored and printed; the key itself is never shown."""

    __slots__ = ("_raw", "fingerprint")
    _LABEL: ClassVar[bytes] = b"claimstream master key fingerprint v1"

    def __init__(self, raw: bytes) -> None:
        if len(raw) != KEY_BYTES:
            raise MasterKeyError(f"a master key has {KEY_BYTES} bytes, this one has {len(raw)}")
        self._raw = raw
        self.fingerprint = hmac.digest(raw, self._LABEL, hashlib.sha256).hex()[:32]

    def reveal(self) -> bytes:
        """Return the raw bytes, for a cipher and nothing else."""
        return self._raw

    def __repr__(self) -> str:
        return f"MasterKey({self.fingerprint[:8]}, ****)"

    def __reduce__(self) -> str:
        raise TypeError("a master key is not to be copied or written down")


def new_master_key() -> str:
    """Return a fresh master key as text."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def parse_master_keys(text: str, where: str) -> tuple[MasterKey, ...]:
    """Return the keys in a text, newest first. `where` names the source in the error; the text never does."""
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    keys = tuple(_decoded(word, where) for line in lines for word in line.split())
    if not keys:
        raise MasterKeyError(f"{where} holds no master key: put {KEY_BYTES} random bytes in base64 there")
    return keys


def load_master_keys(path: Path, *, environment: Mapping[str, str], may_create: bool) -> tuple[MasterKey, ...]:
    """Return the master keys: from CLAIMSTREAM_MASTER_KEY when it is set, else from the file.

    `may_create`: make the file (0600) when it is not there; never allowed beside a vault that already exists.
    Raises MasterKeyError with what to do.
    """
    text = environment.get(ENVIRONMENT)
    if text:
        return parse_master_keys(text, f"the environment variable {ENVIRONMENT}")
    if may_create:
        with contextlib.suppress(FileExistsError):
            _create(path)
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="ascii")
    except FileNotFoundError:
        raise MasterKeyError(
            f"no master key: {path} does not exist and {ENVIRONMENT} is not set; "
            "put back the key that belongs to this key vault"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise MasterKeyError(f"the master key file {path} cannot be read: {type(error).__name__}") from None
    if mode & 0o007:
        raise MasterKeyError(f"the master key file {path} is open to everybody on this machine: chmod 600 it")
    return parse_master_keys(text, f"the master key file {path}")


def _decoded(word: str, where: str) -> MasterKey:
    try:
        raw = base64.b64decode(word.translate(str.maketrans("-_", "+/")), validate=True)
        return MasterKey(raw)
    except (binascii.Error, ValueError, MasterKeyError):
        raise MasterKeyError(f"{where} holds something that is not {KEY_BYTES} bytes in base64") from None


def _create(path: Path) -> None:
    """Write a new key beside its place and link it in: two processes at once agree on one whole file."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(new_master_key() + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    finally:
        os.unlink(draft)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
