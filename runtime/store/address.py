"""Where the store is, and who we are there: parsed from a URL or from host and port, and safe to print.

A password is a `Secret`: no `str`, `repr`, log line or JSON shows it. Everything else of an address may be
shown.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

import msgspec

DEFAULT_PORT: Final = 6379
_TLS_FILES: Final = {"ssl_ca_certs": "ca_file", "ssl_certfile": "cert_file", "ssl_keyfile": "key_file"}
_SHAPES: Final = "redis://host:6379/0, rediss://host:6379/0 or unix:///path/to/socket"


class BadStoreAddress(ValueError):
    """The address of the store cannot be used; the message says what was wrong and never holds a password."""


class Secret:
    """A text that is never printed. `reveal()` is the only way to it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Give the text itself, for the one call that sends it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise TypeError("a Secret is not pickled or copied to another process")


class StoreAddress(msgspec.Struct, frozen=True, kw_only=True):
    """One server: over TCP (`host`, `port`), TLS (`tls`) or a unix socket (`socket_path`, which then
    decides).
    """

    host: str = "localhost"
    port: int = DEFAULT_PORT
    socket_path: str | None = None
    db: int = 0
    username: str | None = None
    password: Secret | None = None
    tls: bool = False
    #: PEM files: the authority that signed the server, our certificate and its key. `None`: the system's
    #: authorities.
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None

    @classmethod
    def parse(cls, url: str) -> StoreAddress:
        """Read `redis://`, `rediss://` or `unix://`. Raises `BadStoreAddress`.

        Query arguments as redis-py names them: `db`, and with rediss `ssl_ca_certs`, `ssl_certfile`,
        `ssl_keyfile`. Anything else is refused: a timeout or a switch of verification hidden in a URL would
        be a surprise (R1).
        """
        try:
            parts = urlsplit(url.strip())
            port = parts.port
        except ValueError as exc:
            raise BadStoreAddress(f"the store's URL has no usable host or port; expected {_SHAPES}") from exc
        if parts.scheme not in ("redis", "rediss", "unix"):
            raise BadStoreAddress(f"the store's URL starts with {(parts.scheme or 'no scheme')!r}; expected {_SHAPES}")
        fields = _identity(parts) | _query(parts)
        if parts.scheme == "unix":
            if not parts.path or parts.hostname:
                raise BadStoreAddress("a unix:// URL needs an absolute path: unix:///path/to/socket")
            return cls(socket_path=unquote(parts.path), **fields)
        if parts.path not in ("", "/"):
            fields["db"] = _number("database", parts.path.strip("/"))
        host = unquote(parts.hostname or "localhost")
        return cls(host=host, port=port or DEFAULT_PORT, tls=parts.scheme == "rediss", **fields)

    @property
    def url(self) -> str:
        """The address without its password: what status lines and logs show."""
        user = f"{quote(self.username)}@" if self.username else ""
        if self.socket_path is not None:
            return f"unix://{user}{quote(self.socket_path)}" + (f"?db={self.db}" if self.db else "")
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'rediss' if self.tls else 'redis'}://{user}{host}:{self.port}/{self.db}"

    def with_password(self, password: Secret | None) -> StoreAddress:
        """Take this password when the address brought none of its own (a URL in the open, a password in a
        file).
        """
        return self if self.password is not None else msgspec.structs.replace(self, password=password)

    def __str__(self) -> str:
        return self.url


def _identity(parts: SplitResult) -> dict[str, Any]:
    """Read user and password; percent-encoding undone."""
    return {
        "username": unquote(parts.username) if parts.username else None,
        "password": Secret(unquote(parts.password)) if parts.password else None,
    }


def _query(parts: SplitResult) -> dict[str, Any]:
    """Read the few query arguments that an address may have."""
    fields: dict[str, Any] = {}
    for name, value in parse_qsl(parts.query):
        if name == "db":
            fields["db"] = _number("database", value)
        elif name in _TLS_FILES and parts.scheme == "rediss":
            fields[_TLS_FILES[name]] = value
        else:
            allowed = ["db", *(_TLS_FILES if parts.scheme == "rediss" else ())]
            raise BadStoreAddress(
                f"the store's URL has the argument {name!r}; allowed: {', '.join(allowed)} "
                "(timeouts and pool size are settings of their own)"
            )
    return fields


def _number(what: str, text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise BadStoreAddress(f"the {what} in the store's URL is {text!r}; expected a number such as 0")
    return int(text)
