"""What the status endpoint asks for, and the answers of one process."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from runtime.signals import Signal
    from runtime.telemetry.metrics import Metrics
    from runtime.telemetry.progress import Progress
    from runtime.telemetry.progress_types import HealthReport
    from runtime.telemetry.samples import BacklogSample


class StatusSource(Protocol):
    """Three questions; none may wait for the store or raise. Async because a fleet asks its workers."""

    async def health(self) -> HealthReport:
        """The verdict now."""
        ...

    async def status(self) -> dict[str, Any]:
        """Everything that people and the command line want to see; values that JSON can carry."""
        ...

    async def metrics(self) -> bytes:
        """Prometheus text, format 0.0.4."""
        ...


class LocalStatus:
    """The source of one process, and the subscriber that feeds its `Progress`.

    `identity` is shown as `process` (id, pid, version, host ...); each of `sections` gives one more top-level
    part of `/status` (owners, supervision tree ...); one that raises shows its error instead.
    """

    def __init__(
        self,
        progress: Progress,
        metrics: Metrics,
        *,
        monotonic: Callable[[], float],
        identity: Mapping[str, Any] | None = None,
        sections: Mapping[str, Callable[[], Any]] | None = None,
        registered: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        """`monotonic` gives seconds; `registered` names the processes that are known to live."""
        self._registered = registered
        self._progress = progress
        self._metrics = metrics
        self._monotonic = monotonic
        self._identity = dict(identity or {})
        self._sections = dict(sections or {})
        self._since = monotonic()
        self._restarts: Counter[str] = Counter()
        self._failures: dict[str, str] = {}

    def __call__(self, signal: Signal) -> None:
        """Take in a signal: subscribe this to the `Bus`."""
        self._progress.on_signal(signal, self._monotonic())
        name = type(signal).__name__
        if name == "ChildStarted" and getattr(signal, "incarnation", 1) > 1:
            self._restarts[str(getattr(signal, "child", ""))] += 1
        elif name in {"ChildFailed", "ChildFatal"}:
            self._failures[str(getattr(signal, "child", ""))] = str(getattr(signal, "error", ""))

    def observe_backlog(self, sample: BacklogSample) -> None:
        """Hand a sample of the store to metrics and health at once."""
        self._metrics.observe_backlog(sample)
        self._progress.observe_backlog(sample, self._monotonic())

    async def health(self) -> HealthReport:
        """See `StatusSource`."""
        report = self._progress.report(self._monotonic())
        return msgspec.structs.replace(report, processes=tuple(self._registered()))

    async def metrics(self) -> bytes:
        """See `StatusSource`."""
        return self._metrics.render()

    async def status(self) -> dict[str, Any]:
        """See `StatusSource`."""
        report = self._progress.report(self._monotonic())
        told: dict[str, Any] = {
            "process": {**self._identity, "uptime_seconds": round(self._monotonic() - self._since, 3)},
            "runners": msgspec.to_builtins(report.runners),
            "restarts": dict(self._restarts),
            "last_failures": dict(self._failures),
        }
        for name, section in self._sections.items():
            told[name] = _section(section)
        return told


def _section(section: Callable[[], Any]) -> Any:
    """A part of the status that fails must not hide the others."""
    try:
        return section()
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
