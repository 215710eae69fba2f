"""Entries as they come: the layout of append, foreign ones, and rubbish, none of which raises."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.codec import Codec, OpenCodec
from runtime.entry import Entry, EntryLimits, EntryReader, event_id_of
from runtime.errors import Unreadable
from tests.support.things import fact

READER = EntryReader("thingId", OpenCodec(), EntryLimits(max_bytes=1000, max_fields=20))


def read(*fields: str | bytes, reader: EntryReader = READER) -> Entry:
    """Read raw fields as entry 5-1."""
    return reader.read((b"5-1", [one.encode() if isinstance(one, str) else one for one in fields]))


def changed(**named: str | bytes) -> tuple[str | bytes, ...]:
    """A fact of the layout of append with some values changed."""
    flat: list[str | bytes] = list(fact("T1", 3))
    for name, value in named.items():
        flat[flat.index(name) + 1] = value
    return tuple(flat)


def test_a_fact_is_read_field_by_field() -> None:
    entry = read(*fact("T1", 3, data='{"a": 1}'))
    assert (entry.id, entry.event_id, entry.type, entry.entity) == ("5-1", "T1-3", "thing.happened", "T1")
    assert (entry.sequence, entry.is_request, entry.fault, entry.added_ms) == (3, False, None, 5)
    assert entry.body == {"a": 1}


def test_a_foreign_order_of_fields_is_the_same_fact() -> None:
    flat = fact("T1", 3)
    turned = [part for n in range(len(flat) - 2, -1, -2) for part in flat[n : n + 2]]
    entry = read(*turned)
    assert (entry.event_id, entry.sequence, entry.fault) == ("T1-3", 3, None)


def test_an_entry_without_a_sequence_is_a_request_in_any_layout() -> None:
    for fields in (changed(sequence=""), fact("T1", 3)[:12]):
        entry = read(*fields)
        assert (entry.is_request, entry.fault) == (True, None)


@pytest.mark.parametrize("sequence", ["-5", "+3", " 3", "1_000", "3.0", "²", "zz", "9" * 20])
def test_a_sequence_that_is_no_positive_integer_makes_no_fact_but_a_bad_request(sequence: str) -> None:
    entry = read(*changed(sequence=sequence))
    assert entry.fault is not None
    assert "sequence is not a positive integer" in entry.fault
    assert entry.is_request


def test_a_sequence_of_thousands_of_digits_is_told_in_our_words_and_makes_no_fact() -> None:
    fields = [str(part).encode() for part in changed(sequence="9" * 5000)]
    entry = EntryReader("thingId", OpenCodec()).read((b"5-1", fields))
    assert entry.fault is not None
    assert "sequence is not a positive integer" in entry.fault
    assert entry.is_request


def test_an_entry_that_weighs_too_much_is_a_fault() -> None:
    assert "the limit is 1,000" in str(read(*changed(data="x" * 1001)).fault)
    assert "the limit is 1,000" in str(read("data", "x" * 1001).fault)
    assert "the limit is 20" in str(read(*map(str, range(42))).fault)


def test_what_is_missing_is_named() -> None:
    assert read("eventId", "e").fault == "it lacks eventType, thingId, data"


def test_another_version_is_a_fault_that_says_which() -> None:
    assert "'2.0'" in str(read(*changed(version="2.0")).fault)


def test_bytes_that_are_no_text_are_a_fault() -> None:
    assert "not UTF-8" in str(read(*changed(eventId=b"\xff")).fault)
    assert "not UTF-8" in str(read("eventType", b"\xff").fault)


@given(st.lists(st.tuples(st.binary(max_size=8), st.binary(max_size=8)), max_size=15))
def test_no_raw_entry_makes_the_reader_raise(pairs: list[tuple[bytes, bytes]]) -> None:
    entry = READER.read((b"1-0", [part for pair in pairs for part in pair]))
    assert entry.fields == [part for pair in pairs for part in pair]


@given(st.sampled_from(fact("T1", 1)[::2]), st.binary(max_size=20))
def test_no_value_in_a_field_of_ours_makes_the_reader_raise(name: str, value: bytes) -> None:
    read(*changed(**{name: value}))


def test_a_body_that_does_not_fit_is_unreadable_and_says_why() -> None:
    with pytest.raises(Unreadable, match=r"thing\.happened is no JSON"):
        _ = read(*changed(data="{")).body
    strict = EntryReader("thingId", Codec({"other": dict}))
    with pytest.raises(Unreadable, match="unknown event type"):
        _ = read(*fact("T1", 1), reader=strict).body


def test_the_event_id_for_the_store_is_the_first_one_byte_by_byte() -> None:
    assert event_id_of([b"eventId", b"\xff", b"eventId", b"x"]) == b"\xff"
    assert event_id_of([b"a", b"eventId", b"eventId", b"x"]) == b"x"
    assert event_id_of([]) == event_id_of([b"a", b"b"]) == b""


def test_an_entry_shows_names_and_never_its_payload() -> None:
    assert "secret" not in repr(read(*changed(data='{"secret": 1}')))
