"""What the actors may ask of the outside, as protocols; adapters and channels implement them.

Everything here is a port or the words that cross it: values, and errors by blame. No I/O, no client package.
A port that is not async may touch a disk for a moment; its docstring says when to hand it to a thread.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from runtime.clock import Clock as Clock
from runtime.errors import StoreUnavailable

if TYPE_CHECKING:
    from domain.context import Payee
    from domain.privacy import Index, SealContext
    from runtime.entry import Entry

PolicyT_co = TypeVar("PolicyT_co", covariant=True)
RosterT_co = TypeVar("RosterT_co", covariant=True)
ClaimT_co = TypeVar("ClaimT_co", covariant=True)
BodyT = TypeVar("BodyT")

PURPOSE_PREFIX = "purpose:"
"""Begins the "subjects" of the keys that belong to the cluster itself: indexes, deriving claim ids."""


class Membership(Protocol):
    """Tells the entries that append wrote from those that look like it."""

    async def forged(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """Those with a sequence that their entity's history does not hold. Raises store faults."""
        ...


class KeyVaultUnavailable(StoreUnavailable):
    """The key vault cannot be reached now: try again with backoff. It never means "erased".

    No entry is to blame, so a runner waits and reads again, as it does for the store; nothing is parked.
    """


class KeyMissing(Exception):
    """The vault knows no key of this subject: it is not the vault that belongs to this log."""

    def __init__(self, subject: str) -> None:
        """Name the opaque subject id."""
        super().__init__(
            f"no key of {subject} in the vault, and no record that it was destroyed: this is not the vault "
            "that sealed the value, or an old backup of it; put the right one back"
        )
        self.subject = subject


class KeyDestroyed(Exception):
    """The key of this subject was destroyed on purpose: nothing can be sealed for the subject any more."""

    def __init__(self, subject: str) -> None:
        """Name the opaque subject id."""
        super().__init__(f"the key of {subject} was destroyed; nothing more can be sealed for it")
        self.subject = subject


class SealBroken(Exception):
    """A sealed value does not open in this place: it was changed, moved or copied, or it was never sealed."""

    def __init__(self, context: SealContext, why: str) -> None:
        """Name the place, never the value."""
        super().__init__(f"{context.path} of {context.event_type} {context.event_id} does not open: {why}")
        self.context = context


class DataKey:
    """The 32 bytes that seal the fields of one subject. Never printed, never pickled."""

    __slots__ = ("_raw", "subject")

    def __init__(self, subject: str, raw: bytes) -> None:
        """Hold the raw key of a subject."""
        if len(raw) != 32:
            raise ValueError("a data key has 32 bytes")
        self.subject = subject
        self._raw = raw

    def reveal(self) -> bytes:
        """Return the raw bytes, for a cipher and nothing else."""
        return self._raw

    def __repr__(self) -> str:
        """Show the subject, not the key."""
        return f"DataKey({self.subject!r}, ****)"

    def __reduce__(self) -> str:
        """Refuse to be pickled or copied."""
        raise TypeError("a data key is not to be copied or written down")


class Destruction(msgspec.Struct, frozen=True):
    """A destroyed key. `first`: this call did it. `purged`: its bytes are out of the vault's files too.

    Not purged means that a reader held the vault's journal open: destroy again, it is harmless.
    """

    subject: str
    destroyed_at: str
    first: bool
    purged: bool


class KeyVault(Protocol):
    """One data key per subject, outside the log and its backups. Blocking; safe to call from any thread."""

    def get_or_create(self, subjects: Collection[str]) -> Mapping[str, DataKey | None]:
        """Return the key of every subject, made where there is none; None where it was destroyed.

        Durable before it returns. Raises KeyVaultUnavailable.
        """
        ...

    def find(self, subjects: Collection[str]) -> Mapping[str, DataKey | None]:
        """Return the keys that exist; None where one was destroyed; others are left out. Makes nothing."""
        ...

    def destroy(self, subject: str, *, when: str) -> Destruction:
        """Destroy a key for ever; a tombstone with the time (ISO 8601 UTC) stays. Harmless when repeated."""
        ...

    def destructions(self) -> int:
        """Return how many keys any process destroyed so far: whoever caches keys looks whether it rose."""
        ...


class Sealer(Protocol):
    """Seals the personal fields of event bodies and opens them again. CPU only once the keys are prepared."""

    def prepare(self, subjects: Collection[str]) -> None:
        """Fetch or make the keys of many subjects at once. Blocking: hand it to a thread for a bulk."""
        ...

    def seal(self, context: SealContext, text: str) -> str:
        """Return the sealed form, another one each time. Raises KeyDestroyed, KeyVaultUnavailable."""
        ...

    def open(self, context: SealContext, sealed: str) -> str:
        """Return the text, or `[erased]` when the key was destroyed.

        Raises SealBroken, KeyMissing, KeyVaultUnavailable.
        """
        ...

    def seal_body(self, event_id: str, event_type: str, schema: str, claim_id: str, body: BodyT) -> BodyT:
        """Return the body with every field sealed that has to be."""
        ...

    def open_body(self, event_id: str, event_type: str, schema: str, claim_id: str, body: BodyT) -> BodyT:
        """Return the body with every sealed field opened."""
        ...

    def blind_index(self, index: Index, value: str) -> str:
        """Return the keyed look-up value; two spellings of one value give the same."""
        ...


class PolicyBook(Protocol[PolicyT_co]):
    """The policies by number, as they are known now (all versions of one policy in one value)."""

    async def find(self, policy_numbers: Collection[str]) -> Mapping[str, PolicyT_co]:
        """Return the policies that exist."""
        ...


class PayeeBook(Protocol):
    """Who gets money: what is known of the payee of each claimant."""

    async def find(self, claimant_ids: Collection[str]) -> Mapping[str, Payee]:
        """Return the payees that are known."""
        ...


class Roster(Protocol[RosterT_co]):
    """The adjusters: licences, skills, load."""

    async def snapshot(self) -> RosterT_co:
        """Return the roster with its version."""
        ...


class OverflowQueue(Protocol):
    """Claims that nobody could take, as they came."""

    async def first(self, count: int) -> Sequence[str]:
        """Return the claim ids that wait longest."""
        ...


class ClaimViews(Protocol[ClaimT_co]):
    """The claim snapshots that append writes. Only the process manager may read them."""

    async def read(self, claim_ids: Sequence[str]) -> Sequence[ClaimT_co | None]:
        """Return the snapshots in the order of the ids; None for a claim that is not there."""
        ...


class OutboundMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One intent, resolved for sending. `key` is stable over retries: (event id, recipient, template).

    `params` are clear values (codes, amounts, dates). `address` and `body` are personal and are never shown.
    """

    key: str
    event_id: str
    claim_id: str
    recipient: str
    template: str
    lane: str = "normal"
    language: str = "en"
    created_at: str = ""
    params: Mapping[str, str] = {}
    address: str = ""
    body: str = ""

    def __repr__(self) -> str:
        """Show which message it is, not what it says nor to which address."""
        return f"OutboundMessage(key={self.key!r}, template={self.template!r})"


class Delivered(msgspec.Struct, frozen=True):
    """The provider has it. `repeated`: it had it already, nothing was sent again."""

    key: str
    provider_ref: str
    repeated: bool = False


class TemporaryFailure(msgspec.Struct, frozen=True):
    """Not delivered, and not the message's fault: try again, after `retry_after` seconds if known."""

    key: str
    reason: str
    retry_after: float | None = None


class PermanentFailure(msgspec.Struct, frozen=True):
    """This message can never be delivered as it is."""

    key: str
    reason: str


Outcome = Delivered | TemporaryFailure | PermanentFailure


class Channel(Protocol):
    """A way out: log file, mail, webhook. The channel says which of its failures are temporary."""

    @property
    def name(self) -> str:
        """The name by which the dispatcher picks the channel."""
        ...

    async def deliver(self, messages: Sequence[OutboundMessage]) -> Sequence[Outcome]:
        """Deliver a batch; one outcome per message, in order. Raises nothing but cancellation."""
        ...

    async def aclose(self) -> None:
        """Release what is held. Legal twice."""
        ...


class PayoutOrder(msgspec.Struct, frozen=True, rename="camel"):
    """Pay this once. `key` is the idempotency key: the payment id, with `.N` from the second attempt on.

    `amount` is in minor units of `currency`. `payment_id` is what a payee's statement shows: a bank pays it once.
    """

    key: str
    payment_id: str
    claim_id: str
    payee_id: str
    amount: int
    currency: str
    method: str = "transfer"


class OrderTaken(msgspec.Struct, frozen=True):
    """The bank has the order and will say later how it ended. `repeated`: it had it already."""

    reference: str
    repeated: bool = False


class OrderRefused(msgspec.Struct, frozen=True):
    """The bank will never carry out this order; nothing was paid for it. `doubtful`: it knows the payment otherwise."""

    reason: str
    doubtful: bool = False


class OrderUnclear(msgspec.Struct, frozen=True):
    """No answer, or not now: it may have been taken. Ask again with the same key, after `retry_after` seconds."""

    reason: str
    retry_after: float | None = None


OrderAnswer = OrderTaken | OrderRefused | OrderUnclear


class BankMessage(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What the bank says about an order: confirmed, failed or reversed. `amount` is in minor units; None: all of it."""

    id: str
    kind: str
    payment_id: str
    key: str = ""
    amount: int | None = None
    currency: str = ""
    reference: str = ""
    reason: str = ""
    retryable: bool = False
    at: str = ""


class BankUnavailable(Exception):
    """The bank cannot be asked now: try again later."""


class Bank(Protocol):
    """Pays out, and tells afterwards how that ended. The adapter says which answers are final."""

    async def pay(self, order: PayoutOrder) -> OrderAnswer:
        """Hand over one order; the same key again does nothing again. Raises nothing but cancellation."""
        ...

    async def messages(self, after: str, limit: int) -> tuple[Sequence[BankMessage], str]:
        """Return what the bank said after a place in its list, and the place behind it. Raises `BankUnavailable`."""
        ...

    async def aclose(self) -> None:
        """Release what is held. Legal twice."""
        ...
