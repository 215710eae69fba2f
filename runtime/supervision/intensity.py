"""How intense failures are: one number that each failure raises by one and that halves with time. Pure.

The idea is suture's: no window, no list of timestamps. Ten failures a day are nothing, six within a second
are more than restarting can heal, and both are the same two floats.
"""

from __future__ import annotations

import math

import msgspec


class IntensityOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a supervisor gives up.

    limit: failures (decayed, summed over all children of the node) above which it escalates. 5: a bad start
    or a
        short outage passes, a child that cannot run at all is reported within seconds. `math.inf`: never.
    half_life_seconds: time in which the number halves, s. 30: longer than the longest usual backoff, so that
        a child that fails on each try reaches the limit.
    """

    limit: float = 5.0
    half_life_seconds: float = 30.0

    def __post_init__(self) -> None:
        """Refuse values that would escalate at the first failure or never decay (ValueError)."""
        if not self.limit >= 1:
            raise ValueError(f"intensity: limit ({self.limit}) must be at least 1 failure")
        if not 0 < self.half_life_seconds < math.inf:
            seconds = self.half_life_seconds
            raise ValueError(f"intensity: half_life_seconds ({seconds}) must be above 0 and finite")


class Intensity(msgspec.Struct, frozen=True):
    """The number and the moment (monotonic seconds) at which it was true."""

    level: float = 0.0
    at: float = 0.0

    def level_at(self, options: IntensityOptions, now: float) -> float:
        """The decayed number at `now`; a clock that steps back decays nothing."""
        age = max(0.0, now - self.at)
        return self.level * math.pow(0.5, age / options.half_life_seconds)

    def after_failure(self, options: IntensityOptions, now: float) -> Intensity:
        """One failure more, at `now`."""
        return Intensity(self.level_at(options, now) + 1.0, now)

    def exceeds(self, options: IntensityOptions) -> bool:
        """Whether the number, as of its own moment, is more than restarts may try to heal."""
        return self.level > options.limit


def steady_level(options: IntensityOptions, interval: float) -> float:
    """Where the number settles when a failure comes every `interval` seconds for ever.

    Sum of the geometric series 1 + q + q^2 ... with q = the decay over one interval.
    """
    if interval <= 0:
        return math.inf
    return 1.0 / (1.0 - math.pow(0.5, interval / options.half_life_seconds))


def check_reachable(options: IntensityOptions, longest_delay: float) -> None:
    """Refuse (ValueError) a limit that a child which fails on each try would never exceed.

    With full jitter the mean delay is half of `longest_delay` (s); beyond that the supervisor would restart
    for ever.
    """
    reached = steady_level(options, longest_delay / 2)
    if options.limit != math.inf and reached <= options.limit:
        raise ValueError(
            f"supervision: a child that fails at once after each backoff (up to {longest_delay} s) settles "
            f"at an intensity of {reached:.1f} and never exceeds the limit of {options.limit}: lower the "
            f"backoff's cap_seconds or raise half_life_seconds ({options.half_life_seconds} s)"
        )
