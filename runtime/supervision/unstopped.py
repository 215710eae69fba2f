"""Who did not stop: a subscriber that the end of a process asks for names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime.supervision import signals

if TYPE_CHECKING:
    from runtime.signals import Signal


class Unstopped:
    """Subscribe it before the tree runs. Names are "supervisor/child"; of a nested tree only the leaves
    count.
    """

    def __init__(self) -> None:
        self._alive: set[tuple[str, str]] = set()
        self._ignored: list[tuple[str, str]] = []

    def __call__(self, signal: Signal) -> None:
        """Note who came up, who ended, and who let its soft stop pass."""
        match signal:
            case signals.ChildStarted():
                self._alive.add((signal.supervisor, signal.child))
            case signals.StopTimedOut():
                self._alive.add((signal.supervisor, signal.child))
                self._ignored.append((signal.supervisor, signal.child))
            case signals.ChildStopped() | signals.ChildFailed() | signals.ChildDone() | signals.ChildFatal():
                self._alive.discard((signal.supervisor, signal.child))
            case _:
                pass

    def ignored(self) -> tuple[str, ...]:
        """Children that had to be cancelled, in the order in which their time ran out."""
        return _leaves(self._ignored)

    def alive(self) -> tuple[str, ...]:
        """Children that still run."""
        return _leaves(sorted(self._alive))


def _leaves(names: list[tuple[str, str]]) -> tuple[str, ...]:
    supervisors = {supervisor for supervisor, _ in names}
    return tuple(f"{supervisor}/{child}" for supervisor, child in names if child not in supervisors)
