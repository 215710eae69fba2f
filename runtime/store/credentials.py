"""Passwords that live in files, and users of the store by name: how one process is several users.

A password is read again at each connect. So a rotation needs no restart: the store takes the old and the new password,
the file is replaced, connections that are made from then on bring the new one, and the old one is taken off later.
A file that cannot be read for a moment does no harm: the password that was read last is tried.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from redis.credentials import CredentialProvider

from runtime.store.address import BadStoreAddress, Secret

if TYPE_CHECKING:
    from runtime.store.address import StoreAddress


class SecretFile(Secret):
    """A secret whose text is what its file says now."""

    __slots__ = ("_path",)

    def __init__(self, path: str | Path) -> None:
        """Read it once: a file that is not there is told at the start. Raises `OSError`, `UnicodeDecodeError`."""
        self._path = Path(path)
        super().__init__(self._read())

    def reveal(self) -> str:
        """The text as the file has it now; as it was when the file cannot be read."""
        try:
            self._text = self._read()
        except (OSError, UnicodeDecodeError):
            pass
        return self._text

    def _read(self) -> str:
        return self._path.read_text(encoding="utf-8").rstrip("\r\n")


class FreshCredentials(CredentialProvider):
    """What a connection says when it connects: the user, and the password of that moment."""

    def __init__(self, username: str | None, password: Secret | None) -> None:
        """Kept as objects, so that no repr of a pool or a connection shows them."""
        self._username = username
        self._password = password

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        """User and password, or the password alone, as AUTH takes them."""
        password = self._password.reveal() if self._password is not None else ""
        return (self._username, password) if self._username else (password,)

    async def get_credentials_async(self) -> tuple[str] | tuple[str, str]:
        """The same; the library warns about a provider that leaves this to it."""
        return self.get_credentials()


def as_user(address: StoreAddress, folder: str, user: str) -> StoreAddress:
    """The same place under another user, whose password is the file of that name in `folder`.

    Raises `BadStoreAddress` when the file cannot be read.
    """
    path = Path(folder) / user
    try:
        password = SecretFile(path)
    except (OSError, UnicodeDecodeError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "it is not UTF-8 text"
        raise BadStoreAddress(
            f"no password for user {user} of the store: {path}: {reason}; "
            "put one file per user there (`claimstream store users --passwords DIR` makes them)"
        ) from None
    return msgspec.structs.replace(address, username=user, password=password)
