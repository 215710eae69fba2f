"""Where the store is, and who we are there: parsed from a URL or from host and port, and safe to print.

One server (`redis://`, `rediss://`, `unix://`), the master that Sentinels name (`redis+sentinel://`), or a Redis
Cluster (`redis+cluster://`); the last two name several places to ask, separated by commas.

A password is a `Secret`: no `str`, `repr`, log line or JSON shows it. Everything else of an address may be
shown.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import msgspec

DEFAULT_PORT: Final = 6379
SENTINEL_PORT: Final = 26379
_TLS_FILES: Final = {"ssl_ca_certs": "ca_file", "ssl_certfile": "cert_file", "ssl_keyfile": "key_file"}
_SCHEMES: Final = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster")
_SHAPES: Final = (
    "redis://host:6379/0, rediss://host:6379/0, unix:///path/to/socket, "
    "redis+sentinel://host:26379,host:26379/service or redis+cluster://host:6379,host:6379"
)

Place = tuple[str, int]
"""Host and port."""


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
    decides). With `service`: the master of that name, asked from the Sentinels at `nodes`. With `cluster`: the
    Redis Cluster of which `nodes` are some. Both have the first of `nodes` as host and port.
    """

    host: str = "localhost"
    port: int = DEFAULT_PORT
    nodes: tuple[Place, ...] = ()
    service: str | None = None
    cluster: bool = False
    socket_path: str | None = None
    db: int = 0
    username: str | None = None
    password: Secret | None = None
    #: Who we are at the Sentinels; they have users of their own.
    sentinel_username: str | None = None
    sentinel_password: Secret | None = None
    tls: bool = False
    #: PEM files: the authority that signed the server, our certificate and its key. `None`: the system's
    #: authorities.
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None

    @classmethod
    def parse(cls, url: str) -> StoreAddress:
        """Read a URL of one of the schemes above. Raises `BadStoreAddress`.

        Query arguments as redis-py names them: `db`, and with TLS `ssl_ca_certs`, `ssl_certfile`,
        `ssl_keyfile`. Anything else is refused: a timeout or a switch of verification hidden in a URL would
        be a surprise (R1).
        """
        try:
            parts = urlsplit(url.strip())
        except ValueError as exc:
            raise BadStoreAddress(f"the store's URL has no usable host or port; expected {_SHAPES}") from exc
        if parts.scheme not in _SCHEMES:
            raise BadStoreAddress(f"the store's URL starts with {(parts.scheme or 'no scheme')!r}; expected {_SHAPES}")
        secure, _, kind = parts.scheme.partition("+")
        identity, _, where = parts.netloc.rpartition("@")
        fields = _identity(identity) | _query(parts.query, tls=secure == "rediss")
        if secure == "unix":
            if not parts.path or where:
                raise BadStoreAddress("a unix:// URL needs an absolute path: unix:///path/to/socket")
            return cls(socket_path=unquote(parts.path), **fields)
        nodes = _places(where, SENTINEL_PORT if kind == "sentinel" else DEFAULT_PORT)
        path = parts.path.strip("/")
        if kind == "sentinel":
            service, _, path = path.partition("/")
            if not service:
                raise BadStoreAddress("a redis+sentinel:// URL ends with the name of the service, as in /mymaster")
            fields["service"] = unquote(service)
        if kind == "" and len(nodes) > 1:
            raise BadStoreAddress(f"a {secure}:// URL names one server; for several: {_SHAPES}")
        if path:
            fields["db"] = _number("database", path)
        if kind == "cluster" and fields.get("db"):
            raise BadStoreAddress(f"the store's URL asks for database {fields['db']}; a Redis Cluster has 0 only")
        host, port = nodes[0]
        more: dict[str, Any] = {"nodes": nodes, "cluster": kind == "cluster"} if kind else {}
        return cls(host=host, port=port, tls=secure == "rediss", **more, **fields)

    @property
    def url(self) -> str:
        """The address without its password: what status lines and logs show."""
        user = f"{quote(self.username)}@" if self.username else ""
        if self.socket_path is not None:
            return f"unix://{user}{quote(self.socket_path)}" + (f"?db={self.db}" if self.db else "")
        scheme = "rediss" if self.tls else "redis"
        nodes = ",".join(_shown(host, port) for host, port in self.nodes or ((self.host, self.port),))
        if self.service is not None:
            return f"{scheme}+sentinel://{user}{nodes}/{quote(self.service, safe='')}/{self.db}"
        return f"{scheme}+cluster://{user}{nodes}" if self.cluster else f"{scheme}://{user}{nodes}/{self.db}"

    @property
    def place(self) -> str:
        """Where it is, for people: host:port, the path of the socket, or who is asked for it."""
        if self.socket_path is not None:
            return self.socket_path
        nodes = ",".join(_shown(host, port) for host, port in self.nodes)
        if self.service is not None:
            return f"{self.service} (Sentinels {nodes})"
        return f"cluster {nodes}" if self.cluster else f"{self.host}:{self.port}"

    @property
    def replicated(self) -> bool:
        """Whether somebody takes over when a server dies: then an append is confirmed by a replica too."""
        return self.cluster or self.service is not None

    def at(self, host: str, port: int) -> StoreAddress:
        """One server of this topology, with the same user and the same TLS."""
        return msgspec.structs.replace(self, host=host, port=port, nodes=(), service=None, cluster=False)

    def with_password(self, password: Secret | None) -> StoreAddress:
        """Take this password when the address brought none of its own (a URL in the open, a password in a
        file).
        """
        return self if self.password is not None else msgspec.structs.replace(self, password=password)

    def asking_as(self, username: str | None, password: Secret | None) -> StoreAddress:
        """The same with who we are at the Sentinels."""
        return msgspec.structs.replace(self, sentinel_username=username, sentinel_password=password)

    def __str__(self) -> str:
        return self.url


def _identity(text: str) -> dict[str, Any]:
    """Read user and password; percent-encoding undone."""
    username, _, password = text.partition(":")
    return {
        "username": unquote(username) if username else None,
        "password": Secret(unquote(password)) if password else None,
    }


def _places(text: str, default_port: int) -> tuple[Place, ...]:
    """Read `host[:port],host[:port]`; an IPv6 host stands in brackets."""
    places: list[Place] = []
    for one in text.split(","):
        try:
            parts = urlsplit(f"//{one}")
            port = parts.port
        except ValueError as exc:
            raise BadStoreAddress(f"the store's URL has no usable host or port; expected {_SHAPES}") from exc
        places.append((unquote(parts.hostname or "localhost"), port or default_port))
    return tuple(places)


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _query(query: str, *, tls: bool) -> dict[str, Any]:
    """Read the few query arguments that an address may have."""
    fields: dict[str, Any] = {}
    for name, value in parse_qsl(query):
        if name == "db":
            fields["db"] = _number("database", value)
        elif name in _TLS_FILES and tls:
            fields[_TLS_FILES[name]] = value
        else:
            allowed = ["db", *(_TLS_FILES if tls else ())]
            raise BadStoreAddress(
                f"the store's URL has the argument {name!r}; allowed: {', '.join(allowed)} "
                "(timeouts and pool size are settings of their own)"
            )
    return fields


def _number(what: str, text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise BadStoreAddress(f"the {what} in the store's URL is {text!r}; expected a number such as 0")
    return int(text)
