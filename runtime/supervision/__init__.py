"""Supervision: children that fail are started again, until that no longer helps.

A supervisor owns named children and one number, the intensity of their failures. It must never know what
its children do, touch the store, or write a log: it emits signals. The ideas are those of OTP and suture.

    root (rest_for_one)
     |-- store        server that came along                        permanent
     |-- registry     heartbeat                                     permanent
     `-- runners      (one_for_one; children come and go)           permanent
          |-- analytics-0
          `-- analytics-1

**Ways to end.** A child ends *done* (returned), *failed* (raised, or was cancelled by a stranger) or
*fatal* (raised `Fatal`: no restart can help). Being cancelled by us is not an end of its own and passes
through untouched.

**Restart.** `permanent` children always come back, `transient` ones when they failed, `temporary` ones
never. The strategy says who comes back with them: nobody (`one_for_one`), those behind (`rest_for_one`),
all (`one_for_all`). Before that they wait: exponential backoff with full jitter, whose attempt is the
child's own decayed failure count.

**Order.** With `one_for_one` children are independent and start and stop together, asked in reverse order.
Otherwise each starts when the one before it is *up* (said `started`, which means that work can be claimed;
or had nothing more to do), and stops when the one behind it is down.

**Giving up.** Each restart raises the node's intensity by one and time halves it. Above the limit the
supervisor stops its children and raises `GaveUp` to its parent, for which that is a failed child like any
other. `Fatal` skips the counting and goes through every parent to the root, whose process exits non-zero.

**Stopping.** A soft stop asks; after the child's `stop_timeout` it is cancelled and named (`StopTimedOut`,
`unstopped`). Stop before start and double stop are legal. What cannot be stopped is a child that swallows
cancellation or blocks the
loop: `runtime.stopping` ends the process then, and says who it was.

**State.** One loop per run owns it; everybody else sends a message of a closed set. Nothing is promised to
other threads.
"""

from __future__ import annotations

from runtime.supervision.book import GaveUp, ReturnedThoughPermanent
from runtime.supervision.child import ChildSpec, Fatal, ForeignCancellation, Restart, Started
from runtime.supervision.intensity import IntensityOptions
from runtime.supervision.signals import (
    BackoffEntered,
    ChildDone,
    ChildFailed,
    ChildFatal,
    ChildStarted,
    ChildStopped,
    Escalated,
    StopTimedOut,
    SupervisionSignal,
    SupervisorStarted,
    SupervisorStopped,
)
from runtime.supervision.slot import ChildStatus, State
from runtime.supervision.strategy import Strategy
from runtime.supervision.supervisor import AlreadyRunning, Supervisor
from runtime.supervision.unstopped import Unstopped

__all__ = [
    "AlreadyRunning",
    "BackoffEntered",
    "ChildDone",
    "ChildFailed",
    "ChildFatal",
    "ChildSpec",
    "ChildStarted",
    "ChildStatus",
    "ChildStopped",
    "Escalated",
    "Fatal",
    "ForeignCancellation",
    "GaveUp",
    "IntensityOptions",
    "Restart",
    "ReturnedThoughPermanent",
    "Started",
    "State",
    "StopTimedOut",
    "Strategy",
    "SupervisionSignal",
    "Supervisor",
    "SupervisorStarted",
    "SupervisorStopped",
    "Unstopped",
]
