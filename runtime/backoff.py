"""How long to wait before the next try: exponential, full jitter, capped. Pure: the random number is an
argument.

Full jitter (a uniform draw between zero and the ceiling) spreads many clients that failed in the same
instant, for instance because the store went away, better than a fixed delay with a small jitter around it.
"""

from __future__ import annotations

import math

import msgspec


class BackoffOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Delays between the tries of one thing.

    first_seconds: ceiling of the first delay, s. 0.1: a hiccup is over by then, and nobody notices the wait.
    factor: growth of the ceiling per failed try, no unit. 2: the usual doubling.
    cap_seconds: largest ceiling, s. 10: recovery after a long outage is felt within ten seconds of its end.
    """

    first_seconds: float = 0.1
    factor: float = 2.0
    cap_seconds: float = 10.0

    def __post_init__(self) -> None:
        """Refuse values that cannot mean a delay (ValueError)."""
        if not 0 < self.first_seconds <= self.cap_seconds < math.inf:
            raise ValueError(
                f"backoff: first_seconds ({self.first_seconds}) must be above 0 and at most "
                f"cap_seconds ({self.cap_seconds}), which must be finite"
            )
        if not 1 <= self.factor < math.inf:
            raise ValueError(f"backoff: factor ({self.factor}) must be a finite number of at least 1")


def ceiling(options: BackoffOptions, attempt: int) -> float:
    """Longest delay in seconds before try number `attempt + 1`; `attempt` counts failed tries from 1.

    Never overflows, however long something has been failing.
    """
    if attempt < 1:
        raise ValueError(f"attempt counts failed tries from 1, not {attempt}")
    growth = (attempt - 1) * math.log(options.factor)
    if growth >= math.log(options.cap_seconds / options.first_seconds):
        return options.cap_seconds
    return min(options.cap_seconds, options.first_seconds * math.exp(growth))


def delay(options: BackoffOptions, attempt: int, random: float) -> float:
    """Delay in seconds: `random`, drawn from [0, 1), as a part of the ceiling of this attempt."""
    if not 0 <= random <= 1:
        raise ValueError(f"random must be between 0 and 1, not {random}")
    return random * ceiling(options, attempt)
