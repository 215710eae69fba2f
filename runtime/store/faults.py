"""What an error of the store means for us, and how it is told to people (design/redis-facts.md, section 4).

The order is class, then prefix, then text. The client library removes the prefix of the errors that it maps
to a class, so `text.startswith("OOM")` would never match; and its tree has traps: a wrong password and a
pool without a free connection both *are* ConnectionErrors.
"""

from __future__ import annotations

import re
import ssl
from enum import StrEnum
from typing import Final

from redis import exceptions as redis_errors
from redis.asyncio.sentinel import MasterNotFoundError


class Fault(StrEnum):
    """What to do about an error of the store."""

    #: The store is away, full, read-only or busy, and nothing was done: wait with backoff and jitter, then
    #: repeat. Never poison: no entry is to blame.
    RETRYABLE = "retryable"
    #: The call may have been done or not. append: repeat with the same command id. settle: read the position.
    #: read: resync.
    UNKNOWN_OUTCOME = "unknown_outcome"
    #: The slot lives on another node, now or for this call: resolve the node again, then resync.
    MOVED = "moved"
    #: The group or the stream is gone under us: look what is left before anything is created again (S10).
    HEAL = "heal"
    #: The server does not have our functions: load them if this user may, else not ready and alarm.
    MISSING_FUNCTION = "missing_function"
    #: Configuration, rights, a foreign key or a bug. Waiting does not help: stop and tell a person.
    FATAL = "fatal"


# The first class that fits decides, so a subclass stands before its parent.
_BY_CLASS: Final[tuple[tuple[type[BaseException], Fault], ...]] = (
    (redis_errors.AuthenticationError, Fault.FATAL),
    (redis_errors.AuthorizationError, Fault.FATAL),
    (redis_errors.ExternalAuthProviderError, Fault.RETRYABLE),
    (redis_errors.MaxConnectionsError, Fault.RETRYABLE),
    (MasterNotFoundError, Fault.RETRYABLE),
    (redis_errors.BusyLoadingError, Fault.RETRYABLE),
    (redis_errors.OutOfMemoryError, Fault.RETRYABLE),
    (redis_errors.ReadOnlyError, Fault.RETRYABLE),
    (redis_errors.ClusterDownError, Fault.RETRYABLE),
    (redis_errors.TryAgainError, Fault.RETRYABLE),
    (redis_errors.SlotNotCoveredError, Fault.RETRYABLE),
    (redis_errors.AskError, Fault.MOVED),
    (redis_errors.NoPermissionError, Fault.FATAL),
    (redis_errors.ClusterCrossSlotError, Fault.FATAL),
    # The cluster client gave up after too many redirections and node losses; one of its tries may have been
    # done.
    (redis_errors.ClusterError, Fault.UNKNOWN_OUTCOME),
    (ssl.SSLCertVerificationError, Fault.FATAL),
    (redis_errors.ConnectionError, Fault.UNKNOWN_OUTCOME),
    (redis_errors.TimeoutError, Fault.UNKNOWN_OUTCOME),
    # Bytes that are not the protocol: the connection is useless, what the server did is not known.
    (redis_errors.InvalidResponse, Fault.UNKNOWN_OUTCOME),
    (OSError, Fault.UNKNOWN_OUTCOME),
)

# First word of the text. A whole word: BUSYGROUP (the group exists already) is not BUSY.
_BY_PREFIX: Final[dict[str, Fault]] = {
    "NOREPLICAS": Fault.RETRYABLE,
    "MISCONF": Fault.RETRYABLE,
    "BUSY": Fault.RETRYABLE,
    "NOGROUP": Fault.HEAL,
    "UNBLOCKED": Fault.HEAL,
}

_FUNCTION_MISSING: Final = "Function not found"
_CLUSTER_AWAY: Final = "Redis Cluster cannot be connected"
#: Longest text of an error that is shown, in characters: a server may echo what it was sent.
_LONGEST: Final = 400

# Up to the last @ of the word: a password may hold one that nobody encoded.
_USER_AND_PASSWORD = re.compile(r"(?P<scheme>\b[a-z][a-z0-9+]*://)[^\s'\"]*@", re.IGNORECASE)
_NAMED_SECRET = re.compile(r"(?i)\b(password|passwd|requirepass|masterauth|secret)(['\"]?\s*[=:]\s*)\S+")
_ECHOED_ARGUMENTS = re.compile(r"(?i)(with args beginning with:).*", re.DOTALL)


def classify(error: BaseException) -> Fault:
    """Say what an error that came from a call to the store means. Unknown is fatal, never "retry for ever".

    Only for errors of the store (`is_store_error`); what a handler raised is not a matter of this table.
    """
    error = _inner(error)
    for kind, fault in _BY_CLASS:
        if isinstance(error, kind):
            return fault
    text = str(error)
    prefix = text.split(" ", 1)[0]
    if prefix in _BY_PREFIX:
        return _BY_PREFIX[prefix]
    if text.startswith(_FUNCTION_MISSING):
        return Fault.MISSING_FUNCTION
    if isinstance(error, redis_errors.RedisClusterException) and text.startswith(_CLUSTER_AWAY):
        return Fault.RETRYABLE
    return Fault.FATAL


def is_store_error(error: BaseException) -> bool:
    """Tell whether an error came from the store or the way to it. RedisClusterException is not a
    RedisError.
    """
    return isinstance(error, redis_errors.RedisError | redis_errors.RedisClusterException | OSError)


def describe(error: BaseException, *secrets: str) -> str:
    """One line for people: class and text, without passwords, line breaks or more than 400 characters.

    Never `repr`: that of the client library prints the class alone (R11). Further texts to hide are
    `secrets`.
    """
    text = str(error)
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    text = _USER_AND_PASSWORD.sub(r"\g<scheme>***@", text)
    text = _NAMED_SECRET.sub(r"\1\2***", text)
    text = _ECHOED_ARGUMENTS.sub(r"\1 ***", text)
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if len(text) > _LONGEST:
        text = text[: _LONGEST - 3] + "..."
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _inner(error: BaseException) -> BaseException:
    """Look inside a plain ConnectionError: while connecting the library wraps whatever went wrong in one."""
    if type(error) is redis_errors.ConnectionError:
        for inner in (error.__cause__, error.__context__):
            if isinstance(inner, redis_errors.RedisError | ssl.SSLCertVerificationError):
                return _inner(inner)
    return error
