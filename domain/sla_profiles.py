"""The SLA profiles as rows of data (design/domain.md section 9): a default that configuration may replace.

Marks: V read in the text of the law; S a summary was read; U unverified, check before use; D a default
chosen here.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class ClockRow(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One clock of one profile. `line` and `tier` `*`: any. `length` counts `unit`s of `day_type`.

    Starts, stops and pauses are the same for a clock in every profile and are in `sla.STEPS`. `action` is
    what a breach calls for; `warn` the percentages of the span at which the adjuster, the supervisor are
    warned.
    """

    profile: str
    jurisdiction: str
    clock: str
    length: int
    unit: Literal["days", "hours"] = "days"
    day_type: Literal["calendar", "business"] = "calendar"
    line: str = "*"
    tier: str = "*"
    calendar: str = ""
    warn: tuple[int, ...] = (50, 80)
    action: str = "notify compliance"
    since: Literal["fact", "notice", "proof"] = "fact"
    """What the days are counted from: the fact that starts the clock; the notice of the loss (the clock of the
    decision then starts with it, and the payment is due when the decision is); the complete proof of loss.
    """
    arson_days: int = 0
    """Calendar days since the start instead, once a fire was referred to the special investigators; 0: no such rule."""
    extend_days: int = 0
    """Days that one letter may add to the time to decide; 0: no figure."""
    extend_times: int = 0
    """How many letters may do so; 0: no figure."""
    source: str = ""
    mark: Literal["V", "S", "U", "D"] = "D"

    @property
    def verified(self) -> bool:
        """A figure marked U is loaded all the same, and reports say so."""
        return self.mark != "U"


HOLIDAYS = "US"
"""The holiday calendar of every row in business days; `sla.sla_book` knows it, and takes others by name."""


def _row(
    profile: str,
    where: str,
    clock: str,
    length: int,
    mark: Literal["V", "S", "U", "D"],
    source: str,
    kind: str = "",
    **more: Any,
) -> ClockRow:
    business = "business" in kind
    return ClockRow(
        profile=profile,
        jurisdiction=where,
        clock=clock,
        length=length,
        unit="hours" if "hours" in kind else "days",
        day_type="business" if business else "calendar",
        calendar=HOLIDAYS if business else "",
        source=source,
        mark=mark,
        **more,
    )


_NAIC = "NAIC model regulation 902"
_CA = "10 CCR 2695"
_TX = "Texas Insurance Code 542"
_FL = "Florida Statutes 627.70131"
_IL = "50 Ill. Adm. Code 919"
_OK = "OAC 365:15-3-7"
_ERISA = "29 CFR 2560.503-1"
_HOUSE = "house rule"

ROWS: tuple[ClockRow, ...] = (
    _row("US-MODEL", "*", "acknowledge", 15, "U", _NAIC),
    _row("US-MODEL", "*", "contact", 15, "U", _NAIC),
    _row("US-MODEL", "*", "decide", 21, "U", _NAIC, extend_days=45),
    _row("US-MODEL", "*", "letter", 45, "U", _NAIC),
    _row("US-MODEL", "*", "pay", 30, "U", _NAIC),
    _row("CA", "CA", "acknowledge", 15, "S", _CA),
    _row("CA", "CA", "contact", 15, "S", _CA),
    _row("CA", "CA", "decide", 40, "V", _CA, extend_days=30),
    _row("CA", "CA", "letter", 30, "S", _CA),
    _row("CA", "CA", "pay", 30, "S", _CA),
    _row("TX", "TX", "acknowledge", 15, "S", _TX),
    _row("TX", "TX", "contact", 15, "S", _TX),
    _row("TX", "TX", "decide", 15, "S", _TX, "business", arson_days=30, extend_days=45, extend_times=1),
    _row("TX", "TX", "letter", 45, "S", _TX),
    _row("TX", "TX", "pay", 5, "S", _TX, "business"),
    _row("TX-OUTER", "TX", "pay", 60, "S", _TX, since="proof"),
    _row("FL", "FL", "acknowledge", 7, "U", _FL, line="property"),
    _row("FL", "FL", "contact", 7, "U", _FL, line="property"),
    _row("FL", "FL", "decide", 60, "V", _FL, line="property", since="notice"),
    _row("FL", "FL", "pay", 60, "V", _FL, line="property", since="notice"),
    _row("IL", "IL", "acknowledge", 15, "S", _IL, "business"),
    _row("IL", "IL", "contact", 21, "S", _IL, "business"),
    _row("IL", "IL", "pay", 30, "S", _IL),
    _row("OK", "OK", "decide", 45, "V", _OK, "business"),
    _row("OK", "OK", "letter", 45, "V", _OK, "business"),
    _row("US-ERISA-HEALTH", "*", "decide", 30, "V", _ERISA, line="health"),
    _row("US-ERISA-HEALTH", "*", "appeal", 60, "U", _ERISA, line="health"),
    _row("INTERNAL", "INTERNAL", "acknowledge", 1, "D", _HOUSE, "business"),
    _row("INTERNAL", "INTERNAL", "contact", 1, "D", _HOUSE, "business"),
    _row("INTERNAL", "INTERNAL", "assign", 4, "D", _HOUSE, "business hours"),
    _row("INTERNAL", "INTERNAL", "decide", 3, "D", _HOUSE, "business", tier="FAST"),
    _row("INTERNAL", "INTERNAL", "decide", 15, "D", _HOUSE, "business", tier="STANDARD"),
    _row("INTERNAL", "INTERNAL", "decide", 30, "D", _HOUSE, "business", tier="COMPLEX"),
    _row("INTERNAL", "INTERNAL", "decide", 30, "D", _HOUSE, "business", tier="SPECIALIST"),
    _row("INTERNAL", "INTERNAL", "appeal", 60, "D", _HOUSE),
    _row("INTERNAL", "INTERNAL", "pay", 2, "D", _HOUSE, "business"),
)
"""Illinois has no figure for decide ("reasonable time"), so only INTERNAL runs there. Florida counts its 60 days for
decision and payment together from the notice, not from the proof of loss. The outer limit of Texas, 60 days from all
items, runs beside its five business days."""
