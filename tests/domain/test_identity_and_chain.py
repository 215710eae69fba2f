"""Ids from content, and the chain over raw bytes."""

from __future__ import annotations

import hashlib
import uuid

from hypothesis import assume, given
from hypothesis import strategies as st

from domain.audit_chain import GENESIS, first_broken, head, link
from domain.bodies.base import Actor
from domain.identity import claim_id, command_id, event_id, is_claim_id, timer_command_id

FIELDS = st.lists(st.binary(max_size=8), max_size=6)


def test_a_claim_id_is_the_same_for_the_same_notice_and_secret_only() -> None:
    one = claim_id(b"key", "portal", "1")
    assert one == claim_id(b"key", "portal", "1")
    assert is_claim_id(one) and len(one) >= 13
    assert len({one, claim_id(b"key", "portal1", ""), claim_id(b"other", "portal", "1")}) == 3


def test_100_000_notices_get_100_000_ids() -> None:
    assert len({claim_id(b"key", "portal", str(n)) for n in range(100_000)}) == 100_000


@given(st.lists(st.text(max_size=4), max_size=4), st.lists(st.text(max_size=4), max_size=4))
def test_two_contents_never_share_a_command_id(one: list[str], other: list[str]) -> None:
    assert (command_id(*one) == command_id(*other)) is (one == other)


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0))
def test_an_event_id_is_the_name_based_uuid_that_it_always_was(cause: str, place: int) -> None:
    namespace = uuid.UUID("6f5d7f0e-6c0b-5d0e-9f5c-1d0c1a1f5a11")
    assert event_id(cause, place) == str(uuid.uuid5(namespace, f"{cause}#{place}"))


def test_a_timer_has_one_command_id_and_an_event_a_uuid() -> None:
    assert timer_command_id("CLM-1", "a:1") != timer_command_id("CLM-1", "a:2")
    assert uuid.UUID(event_id("cause", 0)) != uuid.UUID(event_id("cause", 1))


@given(st.binary(max_size=8), FIELDS, st.binary(max_size=8), FIELDS)
def test_different_entries_never_have_the_same_link(
    one: bytes, fields: list[bytes], other: bytes, others: list[bytes]
) -> None:
    assume((one, fields) != (other, others))
    assert link(GENESIS, one, fields) != link(GENESIS, other, others)


@given(st.lists(st.binary(max_size=40), max_size=30), st.sampled_from((0, 4095, 4096, 70_000)))
def test_a_link_is_the_hash_of_every_part_behind_its_length(fields: list[bytes], long: int) -> None:
    fields = [*fields, bytes(long)]
    told = hashlib.sha256(GENESIS + (15).to_bytes(4, "big") + b"1700000000000-0" + len(fields).to_bytes(4, "big"))
    for field in fields:
        told.update(len(field).to_bytes(4, "big") + field)
    assert link(GENESIS, b"1700000000000-0", fields) == told.digest()
    assert link(GENESIS, b"1700000000000-0", tuple(fields)) == told.digest()


def test_a_border_between_two_fields_cannot_be_moved() -> None:
    assert link(GENESIS, b"1-0", [b"ab", b"c"]) != link(GENESIS, b"1-0", [b"a", b"bc"])
    assert link(GENESIS, b"1-0", [b"a"]) != link(GENESIS, b"1-0a", [])


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=4), FIELDS), min_size=1, max_size=8), st.data())
def test_an_edited_entry_is_named(entries: list[tuple[bytes, list[bytes]]], data: st.DataObject) -> None:
    recorded, previous = [], GENESIS
    for entry_id, fields in entries:
        previous = link(previous, entry_id, fields)
        recorded.append((entry_id, fields, previous))
    assert previous == head(entries)
    assert first_broken(recorded) is None
    edited = data.draw(st.integers(0, len(recorded) - 1))
    entry_id, fields, digest = recorded[edited]
    recorded[edited] = (entry_id, [*fields, b"more"], digest)
    broken = first_broken(recorded)
    assert broken is not None and broken.entry_id == entry_id


def test_an_actor_survives_the_envelope() -> None:
    actor = Actor(id="ADJ-001", role="senior_adjuster")
    assert Actor.from_wire(actor.to_wire()) == actor
    assert Actor.from_wire("someone") == Actor(id="someone", role="")
