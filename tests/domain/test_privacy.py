"""Which fields are sealed: the table against the events, and the walk over bodies."""

from __future__ import annotations

from typing import Any, get_args, get_type_hints

import msgspec
import pytest

from domain.events import EVENTS
from domain.money import Money
from domain.privacy import (
    BODIES,
    Index,
    Treatment,
    change_keyed,
    change_sealed,
    exposed_paths,
    indexed_fields,
    is_sealed,
    normalised,
    sealed_paths,
    subjects_of,
    treatment_of,
    undeclared_paths,
)

PERSONAL_NAMES = {
    "description", "lossLocation", "name", "notes", "note", "message", "grounds", "account", "iban", "phone",
    "email", "address", "birthDate", "plate", "vin", "diagnosis", "comment", "text", "statement", "details",
}  # fmt: skip
NAMES_OF_CLOCKS = {"claim.sla.breached", "claim.sla.warned"}


def paths_of(struct: type[msgspec.Struct]) -> set[str]:
    """Return the leaves of a struct type; amounts and optional amounts are leaves."""
    hints, found = get_type_hints(struct), set[str]()
    for field in msgspec.structs.fields(struct):
        nested = [t for t in (hints[field.name], *get_args(hints[field.name])) if is_struct(t)]
        many = "[]" if getattr(hints[field.name], "__origin__", None) in (tuple, list) else ""
        found |= {f"{field.encode_name}{many}.{path}" for t in nested for path in paths_of(t)} or {field.encode_name}
    return found


def is_struct(candidate: object) -> bool:
    return isinstance(candidate, type) and issubclass(candidate, msgspec.Struct) and candidate is not Money


SUBMITTED: dict[str, Any] = {
    "policyNumber": "521585",
    "claimantId": "CUST-1",
    "claimed": {"minor": 7_161_000, "currency": "USD"},
    "items": [{"itemId": "1", "coverage": "vehicle", "claimed": {"minor": 1, "currency": "USD"}}],
    "description": "Jane Roe hit a tree",
    "lossLocation": None,
    "assetKey": "OH AB-123",
}


@pytest.mark.parametrize("event_type", sorted(EVENTS))
def test_every_field_of_every_event_is_declared_and_nothing_else(event_type: str) -> None:
    assert {field.path for field in BODIES[event_type]} == paths_of(EVENTS[event_type])


@pytest.mark.parametrize("event_type", sorted(BODIES))
def test_no_field_that_sounds_personal_is_clear(event_type: str) -> None:
    clear = {f.path for f in BODIES[event_type] if f.treatment is Treatment.CLEAR}
    leaves = {path.rpartition(".")[2] for path in clear}
    assert leaves & PERSONAL_NAMES == ({"name"} if event_type in NAMES_OF_CLOCKS else set())


def test_the_fields_that_the_design_marks_are_sealed() -> None:
    assert sealed_paths("claim.submitted") == ("description", "lossLocation")
    assert sealed_paths("claim.document.uploaded") == ("name",)
    assert sealed_paths("claim.investigated") == ("notes",)
    assert sealed_paths("claim.payment.initiated") == ("account",)
    assert [f.index for f in indexed_fields("claim.payment.initiated")] == [Index.ACCOUNT]
    assert sealed_paths("claim.approved") == sealed_paths("no.such.event") == ()


def test_a_list_index_in_a_path_does_not_hide_a_field() -> None:
    assert treatment_of("claim.submitted", "items[12].claimed") is Treatment.CLEAR
    assert treatment_of("claim.submitted", "items[12].phone") is None
    assert treatment_of("claim.submitted", "description.street") is Treatment.SEALED


def test_a_field_that_nobody_declared_is_named() -> None:
    assert undeclared_paths("claim.submitted", SUBMITTED) == ()
    body = {**SUBMITTED, "phone": "555", "items": [{"itemId": "1", "owner": "Jane"}]}
    assert undeclared_paths("claim.submitted", body) == ("items[0].owner", "phone")


def test_plaintext_where_ciphertext_must_be_is_named() -> None:
    assert exposed_paths("claim.submitted", SUBMITTED) == ("description", "assetKey")
    place = {"street": "Elm Street"}
    assert exposed_paths("claim.submitted", {"lossLocation": place}) == ("lossLocation.street",)
    assert exposed_paths("claim.submitted", {"description": "enc:v1:AAAA", "assetKey": "bi:v1:AA"}) == ()


def test_sealing_changes_the_sealed_fields_and_no_other() -> None:
    def change(path: str, subject: str, value: str) -> str:
        return f"enc:v1:{path}|{subject}|{len(value)}"

    sealed = change_sealed("claim.submitted", "CLM-1", SUBMITTED, change)
    assert sealed == {**SUBMITTED, "description": "enc:v1:description|claim:CLM-1|19"}
    assert is_sealed(sealed["description"])
    assert SUBMITTED["description"] == "Jane Roe hit a tree"


def test_a_struct_is_sealed_like_the_mapping_that_it_is_on_the_wire() -> None:
    note = EVENTS["claim.note.added"](kind="contact", note="called Jane")  # type: ignore[call-arg]
    sealed = change_sealed("claim.note.added", "CLM-1", note, lambda path, subject, value: f"{path} {subject}")
    assert type(sealed) is type(note)
    assert msgspec.to_builtins(sealed)["note"] == "note claim:CLM-1"


def test_a_bank_account_belongs_to_its_payee_and_not_to_the_claim() -> None:
    body = {"payeeId": "CUST-9", "account": "DE00 1234"}
    assert subjects_of("claim.payment.initiated", "CLM-1", body) == {"person:CUST-9"}
    assert subjects_of("claim.payment.initiated", "CLM-1", {"account": "x"}) == {"claim:CLM-1"}


def test_nothing_is_sealed_where_nothing_is_said() -> None:
    body: dict[str, Any] = {"description": "", "lossLocation": None}
    assert change_sealed("claim.submitted", "CLM-1", body, lambda *_: "enc:v1:") == body


def test_a_sealed_field_that_holds_no_text_is_refused_without_its_value() -> None:
    with pytest.raises(TypeError, match=r"^description is sealed and must be text, not dict$"):
        change_sealed("claim.submitted", "CLM-1", {"description": {"who": "Jane"}}, lambda *_: "")


def test_a_keyed_field_is_changed_into_its_index() -> None:
    keyed = change_keyed("claim.submitted", SUBMITTED, lambda index, value: f"bi:v1:{index.value}{len(value)}")
    assert keyed == {**SUBMITTED, "assetKey": "bi:v1:asset9"}


@pytest.mark.parametrize(
    ("index", "one", "other"),
    [
        (Index.ACCOUNT, "DE00 1234-5678", "de0012345678"),
        (Index.PHONE, "(555) 010-99", "555 01099"),
        (Index.ASSET, "OH-AB 123", "ohab123"),
        (Index.PERSON, "  JANE   Roe", "jane roe"),
        (Index.PERSON, "Zoe\u0308", "zo\u00eb"),
    ],
)
def test_two_spellings_of_one_value_are_equal(index: Index, one: str, other: str) -> None:
    assert normalised(index, one) == normalised(index, other)
