"""Bytes <-> typed bodies, through a registry that is injected. Decoders are built once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from runtime.errors import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Codec:
    """JSON bodies by event type. A type outside the registry is one that this program does not know."""

    def __init__(self, registry: Mapping[str, type[Any]]) -> None:
        """Build a decoder for each type of `registry` (wire type -> struct)."""
        self._decoders: dict[str, Callable[[bytes], Any]] = {
            name: msgspec.json.Decoder(body).decode for name, body in registry.items()
        }
        self._encode = msgspec.json.Encoder().encode

    def knows(self, event_type: str) -> bool:
        """Is this a type that this program was built for?"""
        return event_type in self._decoders

    def decode(self, event_type: str, data: bytes) -> Any:
        """Decode one body. Raises `Unreadable` saying what does not fit."""
        decoder = self._decoders.get(event_type)
        if decoder is None:
            raise Unreadable(f"unknown event type {event_type[:80]!r}")
        try:
            return decoder(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            raise Unreadable(f"the data of {event_type} does not fit: {problem}") from problem

    def encode(self, body: Any) -> bytes:
        """Encode one body as JSON."""
        return self._encode(body)


class OpenCodec:
    """Takes every type and gives its JSON as plain Python values: for actors without a schema of their own."""

    def knows(self, event_type: str) -> bool:
        """Everything is known."""
        del event_type
        return True

    def decode(self, event_type: str, data: bytes) -> Any:
        """Decode JSON into dicts, lists and scalars."""
        try:
            return msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            raise Unreadable(f"the data of {event_type} is no JSON: {problem}") from problem
