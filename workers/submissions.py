"""The documented submission format: one JSON object per line, each a first notice of loss.

A line that cannot be used is reported by its number with a reason that names the field, and the others go in:
reading never stops at a bad line, however long or binary it is. Amounts are decimal texts ("1250.00"), so
that none passes through a binary fraction.
"""

from __future__ import annotations

import difflib
import re
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final, Literal, Protocol

import msgspec

from domain.commands import SubmitClaim
from domain.coverage import ClaimedItem
from domain.money import MAX_MINOR, Money, MoneyError, exponent, parse_money
from domain.requests import FIRST_YEAR, LAST_YEAR

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LINE_BYTES: Final = 262_144
"""Longest line that is read (256 KiB); a longer one is skipped without being held in memory."""

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Word = Annotated[str, msgspec.Meta(max_length=128)]
Text = Annotated[str, msgspec.Meta(max_length=20_000)]
Count = Annotated[int, msgspec.Meta(ge=0, le=10_000)]
Known = Literal["yes", "no", "unknown"]


class SubmittedItem(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What is asked for under one coverage: `claimed` is a decimal text in major units of the currency."""

    item_id: Name
    coverage: Name
    claimed: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]


class Submission(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True
):
    """A first notice of loss as it comes from outside; personal texts are in clear here and sealed later.

    (`source`, `source_ref`) is the identity: the same pair again is the same notice. `loss_date` is a day in
    the policy's time zone, `reported_at` an instant with its offset. Of `asset_key`, `phone` and `bank_account` only
    what can be compared is kept. `invented` names the fields that a generator made up, or says "everything".
    """

    source: Name
    source_ref: Name
    channel: Name
    reporter_role: Name
    policy_number: Name
    line: Literal["motor", "property", "health", "life"]
    peril: Name
    jurisdiction: Name
    loss_date: date
    reported_at: Annotated[datetime, msgspec.Meta(tz=True)]
    claimant_id: Name
    items: Annotated[tuple[SubmittedItem, ...], msgspec.Meta(min_length=1, max_length=100)]
    currency: Name = "USD"
    insured_id: Word = ""
    injured_count: Count = 0
    vehicles: Count = 0
    priority: Literal["low", "normal", "high", "urgent"] = "normal"
    severity: Literal["", "trivial", "minor", "major", "total"] = ""
    police_report: Known = "unknown"
    property_damage: Known = "unknown"
    fault_percent: Annotated[int, msgspec.Meta(ge=0, le=100)] | None = None
    minors: bool = False
    fatality: bool = False
    litigation: bool = False
    loss_event: Word = ""
    cause: Literal["", "product", "contractor"] = ""
    asset_key: Word = ""
    phone: Word = ""
    bank_account: Word = ""
    restricted_group: Word = ""
    description: Text = ""
    loss_location: Text = ""
    invented: tuple[Name, ...] = ()


class Notice(msgspec.Struct, frozen=True):
    """A line that holds a usable submission; lines count from 1."""

    line: int
    submission: Submission


class BadLine(msgspec.Struct, frozen=True):
    """A line that cannot be used, and why, in words for the person who made the file."""

    line: int
    reason: str


_DECODER: Final = msgspec.json.Decoder(Submission)
_ENCODER: Final = msgspec.json.Encoder()
_FIELDS: Final = (*Submission.__struct_encode_fields__, *SubmittedItem.__struct_encode_fields__)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_CONTROL_OR_BREAK: Final = re.compile(r"[\x00-\x1f\x7f]")
_FREE_TEXTS: Final = frozenset(("description", "loss_location"))
_TEXTS: Final = tuple(
    (field, wire)
    for field, wire in zip(Submission.__struct_fields__, Submission.__struct_encode_fields__, strict=True)
    if field not in ("loss_date", "reported_at", "items", "invented", "fault_percent")
)
_FURTHEST_EAST: Final = timedelta(hours=14)


def encode(submission: Submission) -> bytes:
    """One line of the format, without the line end."""
    return _ENCODER.encode(submission)


class LineSource(Protocol):
    """A binary file, as far as it is used here."""

    def readline(self, limit: int, /) -> bytes:
        """The next line, or `limit` bytes of it; b'' at the end."""
        ...


def read_json_lines(stream: LineSource) -> Iterator[Notice | BadLine]:
    """Every line of the stream that is not blank, usable or not, in order."""
    for number, raw in _lines(stream):
        if raw is None:
            yield BadLine(number, f"the line is longer than {MAX_LINE_BYTES:,} bytes")
        elif raw.strip():
            yield read_line(number, raw)


def read_line(number: int, raw: bytes) -> Notice | BadLine:
    """One line, decoded and checked."""
    try:
        submission = _DECODER.decode(raw)
    except msgspec.ValidationError as error:
        return BadLine(number, _in_words(str(error)))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return BadLine(number, f"no JSON object: {error}")
    found = problems(submission)
    return BadLine(number, "; ".join(found)) if found else Notice(number, submission)


def problems(submission: Submission) -> list[str]:
    """What is wrong beyond the types, a sentence per field; empty when nothing is."""
    found = [
        f"{wire}: holds a control character"
        for field, wire in _TEXTS
        if isinstance(text := getattr(submission, field), str)
        and (_CONTROL if field in _FREE_TEXTS else _CONTROL_OR_BREAK).search(text)
    ]
    for wire, when in (("lossDate", submission.loss_date), ("reportedAt", submission.reported_at)):
        if not FIRST_YEAR <= when.year <= LAST_YEAR:
            found.append(f"{wire}: the year is not between {FIRST_YEAR} and {LAST_YEAR}")
            return found
    # A day is local and an instant is not: at UTC+14 it is tomorrow already.
    if submission.loss_date > (submission.reported_at + _FURTHEST_EAST).date():
        found.append(f"lossDate: {submission.loss_date} is after reportedAt")
    return found + _money_problems(submission)


def _money_problems(submission: Submission) -> list[str]:
    try:
        exponent(submission.currency)
    except MoneyError as error:
        return [f"currency: {error}"]
    found, asked, ids = [], 0, set()
    for position, item in enumerate(submission.items):
        if _CONTROL_OR_BREAK.search(item.item_id + item.coverage):
            found.append(f"items[{position}]: holds a control character")
        if item.item_id in ids:
            found.append(f"items[{position}].itemId: {item.item_id!r} is there twice")
        ids.add(item.item_id)
        try:
            asked += parse_money(item.claimed, submission.currency).minor
        except MoneyError as error:
            found.append(f"items[{position}].claimed: {error}")
    if not found and asked == 0:
        found.append("items: nothing is claimed, all amounts are zero")
    if asked > MAX_MINOR:
        found.append(f"items: more than {Money(MAX_MINOR, submission.currency)} is claimed together")
    return found


def claimed_items(submission: Submission) -> tuple[ClaimedItem, ...]:
    """The items in minor units; raises `MoneyError` for a submission that was not checked."""
    return tuple(
        ClaimedItem(item.item_id, item.coverage, parse_money(item.claimed, submission.currency))
        for item in submission.items
    )


def submit_command(submission: Submission, claim_id: str, *, description: str, loss_location: str) -> SubmitClaim:
    """The command that registers the notice; the two texts come as they may be stored (sealed)."""
    return SubmitClaim(
        claim_id=claim_id,
        source=submission.source,
        source_ref=submission.source_ref,
        channel=submission.channel,
        reporter_role=submission.reporter_role,
        policy_number=submission.policy_number,
        line=submission.line,
        peril=submission.peril,
        jurisdiction=submission.jurisdiction,
        loss_date=submission.loss_date,
        reported_at=submission.reported_at,
        claimant_id=submission.claimant_id,
        items=claimed_items(submission),
        insured_id=submission.insured_id,
        injured_count=submission.injured_count,
        vehicles=submission.vehicles,
        severity=submission.severity,
        police_report=submission.police_report,
        property_damage=submission.property_damage,
        fault_percent=submission.fault_percent,
        minors=submission.minors,
        fatality=submission.fatality,
        litigation=submission.litigation,
        loss_event=submission.loss_event,
        cause=submission.cause,
        asset_key=submission.asset_key,
        phone_key=submission.phone,
        account_key=submission.bank_account,
        restricted_group=submission.restricted_group,
        priority=submission.priority,
        description=description,
        loss_location=loss_location,
    )


def _lines(stream: LineSource) -> Iterator[tuple[int, bytes | None]]:
    """Numbered lines; None for one that is too long, of which never more than the maximum is held."""
    number = 0
    while raw := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(raw) <= MAX_LINE_BYTES:
            yield number, raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
            continue
        while raw and not raw.endswith(b"\n"):
            raw = stream.readline(MAX_LINE_BYTES)
        yield number, None


_AT: Final = re.compile(r"(?P<what>.*?)(?: - at `\$\.?(?P<path>.*)`)?", re.DOTALL)
_UNKNOWN: Final = re.compile(r"unknown field `(.*?)`")


def _in_words(message: str) -> str:
    """The decoder's sentence with the field first, and a suggestion for a name that is nearly right."""
    match = _AT.fullmatch(message)
    what, path = (match["what"], match["path"]) if match else (message, None)
    unknown = _UNKNOWN.search(what)
    if unknown:
        near = difflib.get_close_matches(unknown[1], _FIELDS, n=1)
        what += f", did you mean `{near[0]}`?" if near else ""
    return f"{path}: {what}" if path else what
