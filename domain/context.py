"""What a decision may know beside the claim: everything is an argument, nothing is looked up."""

from __future__ import annotations

from datetime import UTC, date, datetime, tzinfo

import msgspec

from domain.bodies.base import SYSTEM, Actor
from domain.duplicates import LossTrace
from domain.policy import Policy
from domain.roster import Roster
from domain.rules import DEFAULT_RULES, Rules


class Payee(msgspec.Struct, frozen=True, kw_only=True):
    """Who gets the money, as the payment adapter knows him. `account` is sealed; `bank_changed_at` None:
    never.
    """

    payee_id: str
    verified: bool = False
    sanctions_clear: bool = False
    method: str = "transfer"
    account: str = ""
    bank_changed_at: datetime | None = None
    called_back: bool = False
    verified_at: datetime | None = None


class History(msgspec.Struct, frozen=True, kw_only=True):
    """What other claims say: similar losses, claims in 24 months (this one included), shared contacts,
    documents.
    """

    similar: tuple[LossTrace, ...] = ()
    claims_in_24_months: int = 1
    shared_contact: bool = False
    document_reused: bool = False
    other_insurance: bool = False
    deductible_used: int = 0
    limit_used: int = 0


class Ties(msgspec.Struct, frozen=True, kw_only=True):
    """Adjusters with a tie to this claim: same loss event, open claim of the household."""

    same_event: str = ""
    household: str = ""


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """The arguments of a decision at `now` (UTC) by `actor`.

    `lookups`: how often the policy was looked up (2: again from the source, after the view said no).
    `superiors`: the ids above the actor, for independence of an appeal. `zone` is the policy's time zone.
    """

    now: datetime
    actor: Actor = SYSTEM
    policy: Policy | None = None
    lookups: int = 1
    roster: Roster | None = None
    rules: Rules = DEFAULT_RULES
    payee: Payee | None = None
    history: History = History()
    ties: Ties = Ties()
    superiors: tuple[str, ...] = ()
    zone: tzinfo = UTC

    @property
    def today(self) -> date:
        """The day of `now` in the policy's time zone."""
        return self.now.date() if self.zone is UTC else self.now.astimezone(self.zone).date()
