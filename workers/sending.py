"""What becomes of the intents that were begun: the records of one call of a channel, as few effects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from runtime.effects import HashDelete, HashSet, SortedSetAdd, SortedSetRemove
from workers.outbox import Ended, Mark, Message, Waiting, encode_record

if TYPE_CHECKING:
    from runtime.effects import Effect
    from workers.keys import ClaimKeys


class Begun(msgspec.Struct, frozen=True):
    """A message with its durable mark. `retry`: it comes from the retry set; `failed`: tries that failed."""

    message: Message
    mark: Mark
    retry: bool = False
    failed: int = 0


class Records:
    """What becomes of the intents of one call, as few effects."""

    def __init__(self, keys: ClaimKeys, channel: str, at: str) -> None:
        self._keys = keys
        self._channel = channel
        self._at = at
        self._all: list[Begun] = []
        self._due: dict[str, int | str] = {}
        self._waiting: dict[str, bytes] = {}
        self.outcomes: dict[str, bytes] = {}

    def ended(
        self,
        one: Begun,
        state: Literal["delivered", "refused", "given_up", "unconfirmed"],
        *,
        provider_ref: str = "",
        reason: str = "",
    ) -> None:
        """This intent is done with."""
        record = Ended(state, self._at, one.mark.attempt, self._channel, provider_ref, reason)
        self._all.append(one)
        self.outcomes[one.message.id] = encode_record(record)

    def waits(self, one: Begun, due: int, failed: int, reason: str) -> None:
        """This intent is sent again at `due`, milliseconds since 1970."""
        self._all.append(one)
        self._due[one.message.id] = due
        self._waiting[one.message.id] = encode_record(Waiting(one.message, failed, reason))

    def effects(self) -> list[Effect]:
        """Outcomes, retries, and the marks that are known now."""
        keys = self._keys
        found: list[Effect] = [HashDelete(keys.outbox_attempts, tuple(one.message.id for one in self._all))]
        if self.outcomes:
            found.append(HashSet(keys.outbox_outcomes, self.outcomes))
        if self._due:
            found.append(SortedSetAdd(keys.outbox_retries, self._due))
            found.append(HashSet(keys.outbox_waiting, self._waiting))
        done = tuple(one.message.id for one in self._all if one.retry and one.message.id in self.outcomes)
        if done:
            found.append(SortedSetRemove(keys.outbox_retries, done))
            found.append(HashDelete(keys.outbox_waiting, done))
        return found
