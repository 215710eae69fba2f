"""How the stub bank is to misbehave: data that its admin route takes, and that stays until the next."""

from __future__ import annotations

import msgspec


class Behaviour(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A well-behaved bank by default. The counted ones apply to the next so many orders, the others to all."""

    slow_seconds: float = 0.0
    """Seconds before an order is answered (it is carried out before)."""
    refuse: str = ""
    """Refuse every order for good, with this reason."""
    fail_later: str = ""
    """Take every order, and say later that it failed, with this reason."""
    fail_next: int = 0
    """With `fail_later`: only so many orders; 0 for all."""
    retryable: bool = True
    """Whether an order that failed later may be tried again."""
    answer_after: float = 0.0
    """Seconds between an order and the message how it ended."""
    answers: int = 1
    """How often that message is sent: 2 for a bank that says everything twice, 0 for one that says nothing."""
    new_ids: bool = False
    """Give the second of two equal messages an id of its own."""
    lose_replies: int = 0
    """Carry out the next so many orders, and break the connection instead of answering."""
    unavailable: int = 0
    """Answer the next so many orders with 503 and do nothing."""
