"""Decides who must be told what because of a fact, once: an intent per (event, recipient, template).

Intents go to the outbox `claims:notifications`; the dispatcher sends them. They name subjects, never
addresses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from domain.notices import intents
from runtime.actor import Actor
from runtime.effects import StreamAdd
from workers.claim_log import fact_of
from workers.keys import CLAIM_LOG
from workers.outbox import Source, intent_fields

if TYPE_CHECKING:
    from runtime.effects import Effects
    from runtime.entry import Batch
    from workers.keys import ClaimKeys


class Notifier(Actor):
    """Reads `claims:events` as `notifications`."""

    name: ClassVar[str] = "notifier"
    group: ClassVar[str] = "notifications"
    log: ClassVar[str] = CLAIM_LOG

    def __init__(self, keys: ClaimKeys) -> None:
        """`keys` name the outbox of the partition."""
        self._outbox = keys.notifications

    async def handle(self, batch: Batch) -> Effects:
        """The intents of these facts, in order; the same ids whenever a fact is read again."""
        return [
            StreamAdd(self._outbox, intent_fields(intent, Source.of(entry)))
            for entry in batch.entries
            for intent in intents(fact_of(entry))
        ]
