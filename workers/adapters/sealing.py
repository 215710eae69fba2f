"""Seals the personal fields of bodies with AES-256-GCM, opens them, and computes keyed look-up values.

Wire form: `enc:v1:` and base64url without padding of nonce (12 bytes, random), ciphertext and tag (16). What
a value is bound to (event id and type, schema version, field path, subject) goes in as associated data: what
was copied to another place does not open. A replay stores the ciphertext; it never seals again.

Once the keys are prepared this is CPU only, but for one look at the vault every `freshness` seconds: that is
when a key that another process destroyed is forgotten. After an own destruction, call `forget`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import threading
from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.privacy import (
    ERASED,
    KEYED_PREFIX,
    SEALED_PREFIX,
    SealContext,
    change_keyed,
    change_sealed,
    normalised,
)
from workers.ports import PURPOSE_PREFIX, KeyDestroyed, KeyMissing, SealBroken

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from domain.privacy import Index
    from workers.ports import Clock, KeyVault

Body = TypeVar("Body")

_NONCE_BYTES = 12
_TAG_BYTES = 16
_INDEX_BYTES = 16
_CLAIM_ID_BYTES = 10
_CROCKFORD = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789ABCDEFGHJKMNPQRSTVWXYZ")


class SealerOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How many keys are kept at hand, and for how long that is trusted."""

    cached_keys: int = 4_096
    """Ciphers kept in memory, at about 2.5 kB each."""
    freshness: float = 1.0
    """Seconds after which a destruction by another process is noticed at the latest."""


class AesGcmSealer:
    """Implements `workers.ports.Sealer` over a key vault. Safe to call from any thread."""

    def __init__(self, vault: KeyVault, clock: Clock, options: SealerOptions | None = None) -> None:
        self._vault = vault
        self._clock = clock
        self._options = options or SealerOptions()
        self._lock = threading.Lock()
        self._ciphers: OrderedDict[str, AESGCM | None] = OrderedDict()
        self._purposes: dict[str, bytes] = {}
        self._destructions = 0
        self._checked = -float("inf")

    def prepare(self, subjects: Collection[str]) -> None:
        """Fetch or make the keys of many subjects in few transactions. Blocking: hand a bulk to a thread.

        More subjects than `cached_keys` are made durable all the same; the first are then fetched again.
        """
        self._refresh()
        missing = [subject for subject in subjects if subject not in self._ciphers]
        if missing:
            self._keep(missing, make=True)

    def seal(self, context: SealContext, text: str) -> str:
        """Return the sealed form, another one each time. Raises KeyDestroyed, KeyVaultUnavailable."""
        cipher = self._cipher(context.subject, make=True)
        if cipher is None:
            raise KeyDestroyed(context.subject)
        try:
            plain = text.encode()
        except UnicodeEncodeError:  # it carries the text: not to be chained
            raise ValueError(f"{context.path} of {context.event_type} holds half a character") from None
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + cipher.encrypt(nonce, plain, _associated(context))
        return SEALED_PREFIX + _encoded(sealed)

    def open(self, context: SealContext, sealed: str) -> str:
        """Return the text, or `[erased]` when the key was destroyed.

        Raises SealBroken, KeyMissing, KeyVaultUnavailable.
        """
        raw = _decoded(context, sealed)
        cipher = self._cipher(context.subject, make=False)
        if cipher is None:
            return ERASED
        try:
            return cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _associated(context)).decode()
        except InvalidTag:
            raise SealBroken(context, "it was changed, or moved here from another place") from None

    def seal_body(self, event_id: str, event_type: str, schema: str, claim_id: str, body: Body) -> Body:
        """Return the body with every field sealed or keyed that has to be."""
        keyed = change_keyed(event_type, body, self.blind_index)
        seal = partial(self._in_place, self.seal, event_id, event_type, schema)
        return change_sealed(event_type, claim_id, keyed, seal)

    def open_body(self, event_id: str, event_type: str, schema: str, claim_id: str, body: Body) -> Body:
        """Return the body with every sealed field opened, or `[erased]`; keyed fields stay as they are."""
        opened = partial(self._in_place, self.open, event_id, event_type, schema)
        return change_sealed(event_type, claim_id, body, opened)

    def blind_index(self, index: Index, value: str) -> str:
        """Return the keyed look-up value; two spellings of one value give the same."""
        digest = self._keyed(f"index:{index}", normalised(index, value).encode())
        return KEYED_PREFIX + _encoded(digest[:_INDEX_BYTES])

    def claim_id(self, source: str, source_ref: str) -> str:
        """Return the id of a claim for which the source gives none: the same pair is the same claim for ever.

        `CLM-` and 16 characters (80 bits, Crockford's base32) of a keyed hash.
        """
        digest = self._keyed("claim-id", _joined(source, source_ref))
        return "CLM-" + base64.b32encode(digest[:_CLAIM_ID_BYTES]).translate(_CROCKFORD).decode()

    def fingerprint(self) -> str:
        """Return what tells this vault from another one, to be kept beside the log and compared at start."""
        return _encoded(self._keyed("fingerprint", b"vault")[:_INDEX_BYTES])

    def forget(self, subject: str) -> None:
        """Drop the key of a subject from memory, as after its destruction."""
        with self._lock:
            self._ciphers.pop(subject, None)

    def __repr__(self) -> str:
        return f"AesGcmSealer({self._vault!r}, {len(self._ciphers)} keys at hand)"

    @staticmethod
    def _in_place(
        act: Callable[[SealContext, str], str],
        event_id: str,
        event_type: str,
        schema: str,
        path: str,
        subject: str,
        value: str,
    ) -> str:
        return act(SealContext(event_id, event_type, schema, path, subject), value)

    def _cipher(self, subject: str, *, make: bool) -> AESGCM | None:
        """Return the cipher of a subject; None: its key was destroyed. Raises KeyMissing unless `make`."""
        self._refresh()
        with self._lock:
            if subject in self._ciphers:
                self._ciphers.move_to_end(subject)
                return self._ciphers[subject]
        found = self._keep([subject], make=make)
        if subject not in found:
            raise KeyMissing(subject)
        return found[subject]

    def _keep(self, subjects: Collection[str], *, make: bool) -> dict[str, AESGCM | None]:
        seen = self._destructions
        keys = self._vault.get_or_create(subjects) if make else self._vault.find(subjects)
        found = {subject: None if key is None else AESGCM(key.reveal()) for subject, key in keys.items()}
        with self._lock:
            if seen == self._destructions:  # else a key was destroyed while we fetched: maybe one of these
                self._ciphers.update(found)
            while len(self._ciphers) > self._options.cached_keys:
                self._ciphers.popitem(last=False)
        return found

    def _refresh(self) -> None:
        """Forget every key when some process destroyed one since we last looked."""
        now = self._clock.monotonic()
        if now - self._checked < self._options.freshness:
            return
        destructions = self._vault.destructions()
        with self._lock:
            if destructions != self._destructions:
                self._ciphers.clear()
            self._destructions, self._checked = destructions, now

    def _keyed(self, purpose: str, message: bytes) -> bytes:
        key = self._purposes.get(purpose)
        if key is None:
            subject = PURPOSE_PREFIX + purpose
            made = self._vault.get_or_create([subject])[subject]
            if made is None:
                raise KeyDestroyed(subject)
            key = self._purposes[purpose] = made.reveal()
        return hmac.digest(key, message, hashlib.sha256)


def _associated(context: SealContext) -> bytes:
    return _joined(context.event_id, context.event_type, context.schema, context.path, context.subject)


def _joined(*parts: str) -> bytes:
    """Join with lengths, so that no two lists of parts give the same bytes."""
    return "".join([f"{len(part)}:{part}" for part in parts]).encode()


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decoded(context: SealContext, sealed: str) -> bytes:
    """Return nonce, ciphertext and tag. Only the one canonical spelling is taken."""
    if not sealed.startswith(SEALED_PREFIX):
        raise SealBroken(context, "it is not sealed")
    text = sealed[len(SEALED_PREFIX) :]
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise SealBroken(context, "it is cut or not base64url") from None
    # The decoder skips foreign characters and spare bits: spell it again and compare.
    if len(raw) < _NONCE_BYTES + _TAG_BYTES or _encoded(raw) != text:
        raise SealBroken(context, "it is cut or not base64url")
    return raw
