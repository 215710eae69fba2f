"""Errors of the store as faults of the runtime, so that nothing above this package knows the client library."""

from __future__ import annotations

from redis.exceptions import OutOfMemoryError, RedisClusterException, RedisError

from runtime.errors import (
    GroupLost,
    LibraryMissing,
    OutcomeUnknown,
    RuntimeFault,
    StoreFull,
    StoreMisused,
    StoreUnavailable,
)
from runtime.store.faults import Fault, classify, describe

STORE_ERRORS = (RedisError, RedisClusterException, OSError)

_BY_FAULT: dict[Fault, type[RuntimeFault]] = {
    Fault.RETRYABLE: StoreUnavailable,
    Fault.UNKNOWN_OUTCOME: OutcomeUnknown,
    Fault.MOVED: OutcomeUnknown,
    Fault.HEAL: GroupLost,
    Fault.MISSING_FUNCTION: LibraryMissing,
    Fault.FATAL: StoreMisused,
}


def translated(problem: BaseException) -> RuntimeFault:
    """The fault of ours that an error of the store stands for, with its text for people."""
    if isinstance(problem, OutOfMemoryError):
        return StoreFull(describe(problem))
    return _BY_FAULT[classify(problem)](describe(problem))
