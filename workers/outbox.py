"""An intent on its way: as the notifier writes it, as the dispatcher reads it, and what is kept about its
sending.

The entry has the fields of the envelope and, last, its lane. Its `eventId` is derived from (event id,
recipient, template): the idempotency key of everything that happens outside the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

import msgspec

from domain.events import SCHEMA_VERSION
from domain.identity import command_id, event_id
from domain.notices import Lane
from domain.privacy import is_sealed
from runtime.errors import Unreadable
from workers.ports import OutboundMessage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from domain.notices import Intent
    from runtime.entry import Entry

REQUESTED = "notification.requested"
"""The event type of every entry of the outbox."""

WRITER = "system:notifier"

PREFERRED: Mapping[Lane, str] = {"urgent": "sms", "normal": "email"}
"""The channel that a lane asks for; the dispatcher takes another when this one is not there."""

_encoder = msgspec.json.Encoder(decimal_format="number")


class Source(msgspec.Struct, frozen=True):
    """What an intent inherits from the entry of the fact that caused it."""

    event_id: str
    event_type: str
    claim_id: str
    timestamp: str
    correlation_id: str
    traceparent: str

    @classmethod
    def of(cls, entry: Entry) -> Self:
        """The source that an entry is."""
        return cls(entry.event_id, entry.type, entry.entity, entry.timestamp, entry.correlation_id, entry.traceparent)


class StoredIntent(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The `data` of an outbox entry. Sealed fields stay sealed; `source_type` says under which event type."""

    recipient: str
    recipient_id: str
    template: str
    lane: Lane
    channel: str
    source_type: str
    fields: dict[str, Any] = {}
    restricted: bool = False


def intent_id(source_event_id: str, recipient: str, recipient_id: str, template: str) -> str:
    """The identity of an intent: the same for ever for one event, recipient and template."""
    return event_id(command_id("intent", source_event_id, recipient, recipient_id, template), 0)


def intent_fields(intent: Intent, source: Source) -> tuple[str, ...]:
    """The entry of an intent: names and values, in the order of the envelope. An intent carries no
    sequence.
    """
    identity = intent_id(source.event_id, intent.recipient, intent.recipient_id, intent.template)
    stored = StoredIntent(
        recipient=intent.recipient,
        recipient_id=intent.recipient_id,
        template=intent.template,
        lane=intent.lane,
        channel=PREFERRED[intent.lane],
        source_type=source.event_type,
        fields=intent.fields,
        restricted=intent.restricted,
    )
    return (
        "eventId", identity, "eventType", REQUESTED, "claimId", source.claim_id, "timestamp",
        source.timestamp, "data", _encoder.encode(stored).decode(), "version", SCHEMA_VERSION, "sequence", "",
        "correlationId", source.correlation_id, "causationId", source.event_id, "actor", WRITER,
        "traceparent", source.traceparent, "lane", intent.lane,
    )  # fmt: skip


class Message(msgspec.Struct, frozen=True):
    """An intent read back. `id` is its key outside the store, `event_id` the fact that caused it."""

    id: str
    event_id: str
    claim_id: str
    created_at: str
    intent: StoredIntent

    @property
    def urgent(self) -> bool:
        """Is it in the lane that goes first?"""
        return self.intent.lane == "urgent"

    def outbound(self) -> OutboundMessage:
        """What a channel gets. Sealed values are left out: they are opened by a channel that may, or by
        none.
        """
        intent = self.intent
        return OutboundMessage(
            key=self.id,
            event_id=self.event_id,
            claim_id=self.claim_id,
            recipient=intent.recipient_id,
            template=intent.template,
            lane=intent.lane,
            created_at=self.created_at,
            params={name: text(value) for name, value in intent.fields.items() if not _holds_sealed(value)},
        )


_decode_intent = msgspec.json.Decoder(StoredIntent).decode


def message_of(entry: Entry) -> Message:
    """The intent that an outbox entry states. Raises `Unreadable` saying what is wrong."""
    if entry.type != REQUESTED:
        raise Unreadable(f"the outbox holds {REQUESTED} only, not {entry.type[:80]!r}")
    if not entry.event_id or not entry.causation_id:
        raise Unreadable("an intent without eventId and causationId has no identity to send it under")
    try:
        intent = _decode_intent(entry.data)
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise Unreadable(f"the data of {REQUESTED} does not fit: {problem}") from problem
    return Message(entry.event_id, entry.causation_id, entry.entity, entry.timestamp, intent)


def text(value: Any) -> str:
    """A parameter as text: text as it is, everything else as compact JSON."""
    return value if isinstance(value, str) else _encoder.encode(value).decode()


def _holds_sealed(value: Any) -> bool:
    if isinstance(value, str):
        return is_sealed(value)
    if isinstance(value, dict):
        return any(map(_holds_sealed, value.values()))
    return isinstance(value, list) and any(map(_holds_sealed, value))


class Mark(msgspec.Struct, frozen=True):
    """A sending that was begun: how many tries that makes, and since when its outcome is unknown (ms since
    1970).
    """

    attempt: int
    begun: int


class Waiting(msgspec.Struct, frozen=True):
    """An intent that will be sent again: how often it failed, and why it failed last."""

    message: Message
    failed: int
    reason: str


class Ended(msgspec.Struct, frozen=True, omit_defaults=True):
    """How an intent ended.

    `delivered`: the provider has it. `refused`: it can never be delivered. `given_up`: too many tries failed.
    `unconfirmed`: begun, outcome unknown, and the provider has forgotten its key by now: a person must look.
    """

    state: Literal["delivered", "refused", "given_up", "unconfirmed"]
    at: str
    attempts: int
    channel: str
    provider_ref: str = ""
    reason: str = ""


encode_record = msgspec.json.Encoder().encode
decode_mark = msgspec.json.Decoder(Mark).decode
decode_waiting = msgspec.json.Decoder(Waiting).decode
decode_ended = msgspec.json.Decoder(Ended).decode
