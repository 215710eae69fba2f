"""Sealing: what was sealed opens in its place only, and a destroyed key reads as erased."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.bodies.handling import NoteAdded
from domain.privacy import Index, SealContext, exposed_paths
from workers.adapters.key_vault import KeyVaultOptions, SqliteKeyVault
from workers.adapters.sealing import AesGcmSealer, SealerOptions
from workers.ports import DataKey, KeyDestroyed, KeyMissing, KeyVaultUnavailable, SealBroken

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WHEN = "2025-01-15T10:00:00Z"
CANARY = "Canary Jane Roe, 1 Elm Street"
PLACE = SealContext("e-1", "claim.submitted", "1.0", "description", "claim:CLM-1")
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
REPEATED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class HandClock:
    """A clock that moves by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> Any:
        raise NotImplementedError


def opened(folder: Path) -> SqliteKeyVault:
    keys = SqliteKeyVault(
        KeyVaultOptions(path=folder / "keys.sqlite", master_key_file=folder / "master.key"), environment={}
    )
    keys.open()
    return keys


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[SqliteKeyVault]:
    keys = opened(tmp_path)
    yield keys
    keys.close()


@pytest.fixture
def sealer(vault: SqliteKeyVault, clock: HandClock) -> AesGcmSealer:
    return AesGcmSealer(vault, clock)


@REPEATED
@given(text=TEXT)
def test_what_was_sealed_opens_again(sealer: AesGcmSealer, text: str) -> None:
    assert sealer.open(PLACE, sealer.seal(PLACE, text)) == text


@REPEATED
@given(name=st.sampled_from(SealContext.__struct_fields__), value=TEXT)
def test_a_value_opens_in_no_other_place(sealer: AesGcmSealer, name: str, value: str) -> None:
    elsewhere = msgspec.structs.replace(PLACE, **{name: value})
    sealer.prepare([elsewhere.subject])
    sealed = sealer.seal(PLACE, CANARY)
    if elsewhere != PLACE:
        with pytest.raises(SealBroken):
            sealer.open(elsewhere, sealed)


def test_parts_of_a_place_cannot_be_shifted_into_each_other(sealer: AesGcmSealer) -> None:
    sealed = sealer.seal(SealContext("ab", "c", "1", "p", "s"), CANARY)
    with pytest.raises(SealBroken):
        sealer.open(SealContext("a", "bc", "1", "p", "s"), sealed)


@REPEATED
@given(data=st.data())
def test_any_changed_character_refuses_nonce_ciphertext_and_tag_alike(sealer: AesGcmSealer, data: Any) -> None:
    sealed = sealer.seal(PLACE, CANARY)
    at = data.draw(st.integers(0, len(sealed) - 1))
    other = data.draw(st.characters().filter(lambda char: char != sealed[at]))
    with pytest.raises(SealBroken):
        sealer.open(PLACE, sealed[:at] + other + sealed[at + 1 :])


@pytest.mark.parametrize("length", range(1, 60))
def test_the_spare_bits_of_the_last_character_cannot_be_changed(sealer: AesGcmSealer, length: int) -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    sealed = sealer.seal(PLACE, "x" * length)
    for last in set(alphabet) - {sealed[-1]}:
        with pytest.raises(SealBroken):
            sealer.open(PLACE, sealed[:-1] + last)


@pytest.mark.parametrize(
    "wrong", ["", "plain words", "enc:v1:", "enc:v1:AAAA", "enc:v2:AAAA", "enc:v1:A A=\n", "ENC:V1:"]
)
def test_what_is_not_sealed_is_refused_by_name(sealer: AesGcmSealer, wrong: str) -> None:
    sealer.prepare([PLACE.subject])
    with pytest.raises(SealBroken, match="description of claim.submitted e-1 does not open"):
        sealer.open(PLACE, wrong)


def test_a_cut_or_lengthened_value_is_refused(sealer: AesGcmSealer) -> None:
    sealed = sealer.seal(PLACE, CANARY)
    for wrong in (*(sealed[:cut] for cut in range(len(sealed))), sealed + "A", sealed + "=", sealed + "\n"):
        with pytest.raises(SealBroken):
            sealer.open(PLACE, wrong)


def test_no_nonce_comes_twice(sealer: AesGcmSealer) -> None:
    prefixes = {sealer.seal(PLACE, "same")[:23] for _ in range(20_000)}
    assert len(prefixes) == 20_000


def test_a_destroyed_key_reads_as_erased_and_seals_nothing_more(sealer: AesGcmSealer, vault: SqliteKeyVault) -> None:
    sealed = sealer.seal(PLACE, CANARY)
    vault.destroy(PLACE.subject, when=WHEN)
    sealer.forget(PLACE.subject)
    assert sealer.open(PLACE, sealed) == "[erased]"
    with pytest.raises(KeyDestroyed, match="claim:CLM-1"):
        sealer.seal(PLACE, CANARY)
    sealer.prepare([PLACE.subject])
    assert sealer.open(PLACE, sealed) == "[erased]"


def test_a_key_destroyed_by_another_process_is_forgotten_in_time(
    sealer: AesGcmSealer, clock: HandClock, tmp_path: Path
) -> None:
    sealed = sealer.seal(PLACE, CANARY)
    other = opened(tmp_path)
    other.destroy(PLACE.subject, when=WHEN)
    other.close()
    clock.seconds += 1.0
    assert sealer.open(PLACE, sealed) == "[erased]"


def test_a_key_that_was_prepared_seals_nothing_more_once_another_process_destroyed_it(
    sealer: AesGcmSealer, clock: HandClock, tmp_path: Path
) -> None:
    sealer.prepare([PLACE.subject, "person:other"])
    other = opened(tmp_path)
    other.destroy(PLACE.subject, when=WHEN)
    other.close()
    clock.seconds += 1.0
    with pytest.raises(KeyDestroyed, match="claim:CLM-1"):
        sealer.seal(PLACE, CANARY)
    assert sealer.seal(msgspec.structs.replace(PLACE, subject="person:other"), "stays").startswith("enc:v1:")


def test_a_vault_without_the_key_is_not_taken_for_an_erasure(
    sealer: AesGcmSealer, clock: HandClock, tmp_path: Path
) -> None:
    sealed = sealer.seal(PLACE, CANARY)
    (tmp_path / "empty").mkdir()
    stranger = opened(tmp_path / "empty")
    with pytest.raises(KeyMissing, match="put the right one back"):
        AesGcmSealer(stranger, clock).open(PLACE, sealed)
    assert stranger.find([PLACE.subject]) == {}
    stranger.close()


def test_an_unreachable_vault_is_retryable_and_not_an_erasure(
    sealer: AesGcmSealer, vault: SqliteKeyVault, clock: HandClock
) -> None:
    sealed = sealer.seal(PLACE, CANARY)
    vault.close()
    assert sealer.open(PLACE, sealed) == CANARY
    clock.seconds += 1.0
    with pytest.raises(KeyVaultUnavailable):
        sealer.open(PLACE, sealed)
    vault.open()
    assert sealer.open(PLACE, sealed) == CANARY


def test_a_key_fetched_while_it_was_destroyed_is_not_kept(vault: SqliteKeyVault, clock: HandClock) -> None:
    class Slow:
        """A vault that is overtaken by a destruction between its answer and its use."""

        def __init__(self) -> None:
            self.overtake = False
            self.user: Any = None

        def __getattr__(self, name: str) -> Any:
            return getattr(vault, name)

        def find(self, subjects: Any) -> dict[str, DataKey | None]:
            found = vault.find(subjects)
            if self.overtake:
                self.overtake = False
                vault.destroy(PLACE.subject, when=WHEN)
                clock.seconds += 1.0
                self.user.prepare(["person:other"])
            return found

    slow: Any = Slow()
    own = slow.user = AesGcmSealer(slow, clock)
    sealed = own.seal(PLACE, CANARY)
    own.forget(PLACE.subject)
    slow.overtake = True
    own.open(PLACE, sealed)
    assert own.open(PLACE, sealed) == "[erased]"


def test_the_cache_of_keys_is_bounded_and_correct_beyond_its_bound(vault: SqliteKeyVault, clock: HandClock) -> None:
    sealer = AesGcmSealer(vault, clock, SealerOptions(cached_keys=3))
    places = [msgspec.structs.replace(PLACE, subject=f"claim:{n}") for n in range(10)]
    sealer.prepare([place.subject for place in places])
    sealed = [sealer.seal(place, str(n)) for n, place in enumerate(places)]
    assert [sealer.open(place, text) for place, text in zip(places, sealed, strict=True)] == [*map(str, range(10))]
    assert repr(sealer).endswith("3 keys at hand)")


def test_a_body_is_sealed_whole_and_opens_to_what_it_was(sealer: AesGcmSealer) -> None:
    body = {
        "policyNumber": "521585",
        "description": CANARY,
        "lossLocation": "1 Elm Street",
        "assetKey": "OH-1",
    }
    sealed = sealer.seal_body("e-1", "claim.submitted", "1.0", "CLM-1", body)
    assert exposed_paths("claim.submitted", sealed) == ()
    assert CANARY not in str(sealed)
    back = sealer.open_body("e-1", "claim.submitted", "1.0", "CLM-1", sealed)
    assert back == {**body, "assetKey": sealer.blind_index(Index.ASSET, "oh 1")}


def test_two_fields_of_one_body_cannot_be_exchanged(sealer: AesGcmSealer) -> None:
    body = {"description": CANARY, "lossLocation": "1 Elm Street"}
    sealed = sealer.seal_body("e-1", "claim.submitted", "1.0", "CLM-1", body)
    swapped = {"description": sealed["lossLocation"], "lossLocation": sealed["description"]}
    with pytest.raises(SealBroken, match="^description of claim.submitted e-1"):
        sealer.open_body("e-1", "claim.submitted", "1.0", "CLM-1", swapped)


def test_a_struct_of_the_domain_is_sealed_in_place(sealer: AesGcmSealer) -> None:
    note = NoteAdded(kind="contact", note=CANARY)
    sealed = sealer.seal_body("e-1", "claim.note.added", "1.0", "CLM-1", note)
    assert sealed.note.startswith("enc:v1:")
    assert sealer.open_body("e-1", "claim.note.added", "1.0", "CLM-1", sealed) == note


def test_an_index_is_equal_for_equal_values_of_one_index_and_one_vault_only(
    sealer: AesGcmSealer, clock: HandClock, tmp_path: Path
) -> None:
    index = sealer.blind_index(Index.ACCOUNT, "DE00 1234")
    assert index == sealer.blind_index(Index.ACCOUNT, "de001234")
    assert index != sealer.blind_index(Index.PHONE, "DE00 1234")
    (tmp_path / "other").mkdir()
    stranger = opened(tmp_path / "other")
    assert index != AesGcmSealer(stranger, clock).blind_index(Index.ACCOUNT, "DE00 1234")
    stranger.close()


def test_the_same_source_and_reference_are_the_same_claim_in_every_process(
    sealer: AesGcmSealer, clock: HandClock, tmp_path: Path
) -> None:
    claim = sealer.claim_id("auto", "521585")
    other = opened(tmp_path)
    assert AesGcmSealer(other, clock).claim_id("auto", "521585") == claim
    assert AesGcmSealer(other, clock).fingerprint() == sealer.fingerprint()
    other.close()
    assert len(claim) == 20
    assert claim.startswith("CLM-")
    assert claim != sealer.claim_id("auto5", "21585")


def test_the_canary_is_in_no_file_log_error_or_repr(
    sealer: AesGcmSealer, vault: SqliteKeyVault, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    sealed = sealer.seal(PLACE, CANARY)
    told = [repr(sealer), repr(vault), sealed, sealer.blind_index(Index.PERSON, CANARY)]
    for act in (
        lambda: sealer.open(PLACE, sealed[:-1]),
        lambda: sealer.open(PLACE, CANARY),
        lambda: sealer.seal(PLACE, CANARY + "\ud800"),
        lambda: sealer.seal_body("e", "claim.submitted", "1.0", "C", {"description": {"x": CANARY}}),
    ):
        with pytest.raises((SealBroken, ValueError, TypeError)) as raised:
            act()
        assert raised.value.__context__ is None or raised.value.__suppress_context__
        told.append(str(raised.value))
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for word in CANARY.replace(",", "").split()[:3]:
        assert word not in caplog.text
        assert not [text for text in told if word in text]
        assert word.encode() not in stored


def test_sealing_costs_less_than_twenty_microseconds(sealer: AesGcmSealer) -> None:
    """Measured at 3.4 on 2 shared cores. The promise is 10; the bound is doubled for a busy machine."""
    sealer.prepare([PLACE.subject])
    costs = []
    for _ in range(5):  # the cheapest round: what else shares the core costs the others time too
        started = time.process_time()
        for _ in range(1_000):
            sealer.seal(PLACE, CANARY)
        costs.append((time.process_time() - started) / 1_000)
    assert min(costs) < 20e-6
