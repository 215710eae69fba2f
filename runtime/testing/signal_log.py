"""A subscriber that keeps all signals, so that a test waits for what happened instead of sleeping."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import anyio

if TYPE_CHECKING:
    from runtime.signals import Signal

S = TypeVar("S", bound="Signal")


class SignalLog:
    """Pass it as `emit` or subscribe it to a bus."""

    def __init__(self) -> None:
        self.signals: list[Signal] = []
        self._changed = anyio.Event()

    def __call__(self, signal: Signal) -> None:
        """Keep one signal and wake up those who wait."""
        self.signals.append(signal)
        changed, self._changed = self._changed, anyio.Event()
        changed.set()

    def all(self, kind: type[S], **fields: object) -> list[S]:
        """The signals of this type whose fields have these values, in order."""
        return [
            signal
            for signal in self.signals
            if isinstance(signal, kind) and all(getattr(signal, name) == fields[name] for name in fields)
        ]

    async def wait_for(self, kind: type[S], *, count: int = 1, within: float = 60.0, **fields: object) -> S:
        """The `count`-th such signal, now or later. AssertionError after `within` seconds, with what came
        instead.
        """
        with anyio.move_on_after(within):
            while len(found := self.all(kind, **fields)) < count:
                await self._changed.wait()
            return found[count - 1]
        seen = "\n  ".join(str(signal) for signal in self.signals)
        raise AssertionError(f"no {kind.__name__} number {count} with {fields} within {within} s; seen:\n  {seen}")
