"""A file of notices is read to its end; what is wrong with a line is told by number, field and reason."""

from __future__ import annotations

import io
import json
from datetime import UTC, date, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.money import Money
from workers.submissions import (
    MAX_LINE_BYTES,
    BadLine,
    Notice,
    Submission,
    claimed_items,
    encode,
    read_json_lines,
    submit_command,
)

GOOD: dict[str, object] = {
    "source": "portal",
    "sourceRef": "R-1",
    "channel": "web",
    "reporterRole": "claimant",
    "policyNumber": "POL-1",
    "line": "motor",
    "peril": "parked_car",
    "jurisdiction": "OH",
    "lossDate": "2015-01-12",
    "reportedAt": "2015-01-14T09:30:00Z",
    "claimantId": "CUST-1",
    "items": [{"itemId": "1", "coverage": "vehicle", "claimed": "1250.00"}],
}


def line(**changes: object) -> bytes:
    """A good line with some fields changed; a field that becomes `...` is left out."""
    merged = {**GOOD, **changes}
    return json.dumps({key: value for key, value in merged.items() if value is not ...}).encode()


def item(**changes: object) -> list[dict[str, object]]:
    return [{"itemId": "1", "coverage": "vehicle", "claimed": "1250.00", **changes}]


def read(*lines: bytes) -> list[Notice | BadLine]:
    return list(read_json_lines(io.BytesIO(b"\n".join(lines) + b"\n")))


def test_a_good_line_is_a_notice_and_survives_the_wire() -> None:
    (found,) = read(line())
    assert isinstance(found, Notice)
    assert found.submission.reported_at == datetime(2015, 1, 14, 9, 30, tzinfo=UTC)
    assert found.submission.loss_date == date(2015, 1, 12)
    assert read(encode(found.submission)) == [found]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (line(items=item(claimed="NaN")), "items[0].claimed: amount 'NaN' is not a decimal number"),
        (line(items=item(claimed="12abc")), "items[0].claimed: amount '12abc' is not a decimal number"),
        (line(items=item(claimed="-1")), "items[0].claimed: amount '-1' is below zero"),
        (line(items=item(claimed="1e400")), "items[0].claimed: amount '1e400' is not a decimal number"),
        (line(items=item(claimed="0.00")), "items: nothing is claimed"),
        (line(items=item(claimed=1250)), "items[0].claimed: Expected `str`, got `int`"),
        (line(items=item() * 2), "items[1].itemId: '1' is there twice"),
        (line(items=[]), "items: Expected `array` of length >= 1"),
        (line(currency="XYZ"), "currency: 'XYZ' is no ISO 4217 currency"),
        (line(currency="JPY", items=item(claimed="1.5")), "items[0].claimed: amount '1.5' has more decimals"),
        (line(lossDate="2015-02-30"), "lossDate: Invalid RFC3339 encoded date"),
        (line(lossDate="2015-01-16"), "lossDate: 2015-01-16 is after reportedAt"),
        (line(reportedAt="2015-01-14T09:30:00"), "reportedAt: Expected `datetime` with a timezone component"),
        (line(line="ship"), "line: Invalid enum value 'ship'"),
        (line(source=""), "source: Expected `str` of length >= 1"),
        (line(source=...), "Object missing required field `source`"),
        (
            line(polcyNumber="POL-1"),
            "Object contains unknown field `polcyNumber`, did you mean `policyNumber`?",
        ),
        (line(zzz=1), "Object contains unknown field `zzz`"),
        (line(injuredCount=-1), "injuredCount: Expected `int` >= 0"),
        (line(faultPercent=101), "faultPercent: Expected `int` <= 100"),
        (line(policyNumber="POL\u0007"), "policyNumber: holds a control character"),
        (line(policyNumber="POL\n1"), "policyNumber: holds a control character"),
        (line(description="x\u0000y"), "description: holds a control character"),
        (line(description="x" * 20_001), "description: Expected `str` of length <= 20000"),
        (line(reportedAt="9999-12-31T23:59:59Z"), "reportedAt: the year is not between 1900 and 2199"),
        (line(reportedAt="0001-01-01T00:00:00+14:00"), "reportedAt: the year is not between 1900 and 2199"),
        (line(lossDate="0001-01-01"), "lossDate: the year is not between 1900 and 2199"),
        (
            line(items=item(itemId="a", claimed="9000000000") + item(itemId="b", claimed="9000000000")),
            "items: more than 10,000,000,000.00 USD is claimed together",
        ),
        (b'{"source":' + b"[" * 100_000, "source: Expected `str`, got `array`"),
        (b"[]", "Expected `object`, got `array`"),
        (b"{", "no JSON object"),
        (b"\x00\xff\xfe", "no JSON object"),
        (b'{"source": "\xff"}', "no JSON object"),
        (b"x" * (MAX_LINE_BYTES + 1), "the line is longer than 262,144 bytes"),
        (b"x" * (3 * MAX_LINE_BYTES), "the line is longer than 262,144 bytes"),
    ],
)
def test_a_bad_line_is_told_by_number_field_and_reason_and_the_others_go_in(bad: bytes, reason: str) -> None:
    first, middle, last = read(line(), bad, line())
    assert isinstance(first, Notice) and isinstance(last, Notice)
    assert isinstance(middle, BadLine)
    assert (middle.line, last.line) == (2, 3)
    assert middle.reason.startswith(reason)
    assert len(middle.reason) < 300


def test_all_that_is_wrong_with_a_line_is_told_at_once() -> None:
    (found,) = read(line(policyNumber="\u0007", lossDate="2015-02-01", items=item(claimed="x")))
    assert isinstance(found, BadLine)
    assert found.reason.count(";") == 2


def test_a_description_may_have_lines_and_tabs() -> None:
    (found,) = read(line(description="first\n\tsecond"))
    assert isinstance(found, Notice)


def test_where_it_is_tomorrow_already_a_loss_of_today_may_be_reported() -> None:
    (found,) = read(line(lossDate="2015-01-15", reportedAt="2015-01-14T20:00:00Z"))
    assert isinstance(found, Notice)


def test_blank_lines_line_ends_of_windows_and_a_byte_order_mark_do_no_harm() -> None:
    found = read(b"\xef\xbb\xbf" + line() + b"\r", b"", b"  ", line())
    assert [type(one) for one in found] == [Notice, Notice]
    assert found[1].line == 4
    assert read(b"") == []


def test_a_file_without_a_last_line_end_is_read_whole() -> None:
    assert len(list(read_json_lines(io.BytesIO(line() + b"\n" + line())))) == 2


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reading(noise: bytes) -> None:
    found = read(noise, line())
    assert isinstance(found[-1], Notice)


def test_the_command_says_what_the_notice_says() -> None:
    (found,) = read(line(injuredCount=1, severity="minor", policeReport="no", faultPercent=20, minors=True))
    assert isinstance(found, Notice)
    command = submit_command(found.submission, "CLM-1", description="sealed-1", loss_location="sealed-2")
    assert (command.claim_id, command.description, command.loss_location) == ("CLM-1", "sealed-1", "sealed-2")
    assert claimed_items(found.submission) == command.items
    assert command.items[0].claimed == Money(125_000, "USD")
    own = {"description", "loss_location", "items"}
    for name in set(Submission.__struct_fields__) & set(type(command).__struct_fields__) - own:
        assert getattr(command, name) == getattr(found.submission, name), name


def test_every_field_of_the_notice_reaches_the_command() -> None:
    (found,) = read(line())
    assert isinstance(found, Notice)
    command = submit_command(found.submission, "CLM-1", description="", loss_location="")
    lost = set(Submission.__struct_fields__) - set(type(command).__struct_fields__)
    # The currency is in the items; of phone and account only a blind index is kept.
    assert lost == {"currency", "invented", "phone", "bank_account"}
    assert msgspec.structs.asdict(command)["source_ref"] == "R-1"
