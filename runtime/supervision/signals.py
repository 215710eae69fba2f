"""What a supervisor tells about itself. Logs, metrics and tests subscribe; the supervisor writes no log."""

from __future__ import annotations

from runtime.signals import Signal


class SupervisionSignal(Signal, frozen=True):
    """Base of the signals below; `supervisor` is the name of the node that speaks."""

    supervisor: str


class ChildStarted(SupervisionSignal, frozen=True):
    """A child said that it can do work. `incarnation` counts its starts from 1, `seconds` is what starting
    took.
    """

    child: str
    incarnation: int
    seconds: float


class ChildFailed(SupervisionSignal, frozen=True):
    """A child raised, or was cancelled by somebody else than us.

    `was_started` is false when it never came up; `restarting` says whether its spec wants it back.
    """

    child: str
    incarnation: int
    error: str
    was_started: bool
    restarting: bool


class ChildDone(SupervisionSignal, frozen=True):
    """A child returned by itself; a permanent one is started again, which counts like a failure."""

    child: str
    incarnation: int
    restarting: bool


class ChildFatal(SupervisionSignal, frozen=True):
    """A child declared that no restart can help; the supervisor escalates at once."""

    child: str
    incarnation: int
    error: str


class BackoffEntered(SupervisionSignal, frozen=True):
    """`children` are started (again) after `delay_seconds`; `level` of `limit` is the failure intensity."""

    child: str
    children: tuple[str, ...]
    delay_seconds: float
    level: float
    limit: float


class Escalated(SupervisionSignal, frozen=True):
    """The supervisor gives up: it stops its children and fails to its parent."""

    child: str
    error: str
    level: float
    limit: float


class StopTimedOut(SupervisionSignal, frozen=True):
    """A child did not follow its soft stop within `timeout_seconds` and is cancelled now."""

    child: str
    timeout_seconds: float


class ChildStopped(SupervisionSignal, frozen=True):
    """A child ended because we asked it to, after `seconds`.

    `forced`: it was cancelled after its soft stop ran out (or without one having been tried while its
    supervisor was cancelled). `error`: what it raised instead of returning, else empty.
    """

    child: str
    seconds: float
    forced: bool
    error: str


class SupervisorStarted(SupervisionSignal, frozen=True):
    """All children that it began with are up (or done)."""

    children: int


class SupervisorStopped(SupervisionSignal, frozen=True):
    """Nothing runs under it any more; `unstopped` names the children that ignored their soft stop."""

    unstopped: tuple[str, ...]
