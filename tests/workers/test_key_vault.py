"""The key vault: keys are made once, destroyed for ever, and lost only on purpose."""

from __future__ import annotations

import base64
import os
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tests.support.waiting import PATIENCE
from workers.adapters.key_vault import KeyVaultOptions, SqliteKeyVault
from workers.adapters.key_vault_file import KeyVaultDamaged
from workers.adapters.master_key import MasterKeyError, new_master_key, parse_master_keys
from workers.ports import DataKey, KeyVaultUnavailable

if TYPE_CHECKING:
    from collections.abc import Collection

WHEN = "2025-01-15T10:00:00Z"
ROOT = Path(__file__).parents[2]


def options(folder: Path, **changes: Any) -> KeyVaultOptions:
    given = KeyVaultOptions(path=folder / "keys.sqlite", master_key_file=folder / "master.key")
    return msgspec.structs.replace(given, **changes)


def vault(folder: Path, environment: dict[str, str] | None = None, **changes: Any) -> SqliteKeyVault:
    return SqliteKeyVault(options(folder, **changes), environment=environment or {})


def raw(key: DataKey | None) -> bytes:
    assert key is not None
    return key.reveal()


def files_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()) if path.name.startswith("keys"))


def test_a_subject_has_one_key_for_ever_and_no_two_share_one(tmp_path: Path) -> None:
    with vault(tmp_path) as keys:
        first = keys.get_or_create(["person:1", "person:2", "person:1"])
    with vault(tmp_path) as keys:
        again = keys.get_or_create(["person:2", "person:1"])
    assert {s: raw(k) for s, k in first.items()} == {s: raw(k) for s, k in again.items()}
    assert raw(first["person:1"]) != raw(first["person:2"])


def test_looking_for_a_key_makes_none(tmp_path: Path) -> None:
    with vault(tmp_path) as keys:
        assert keys.find(["person:1"]) == {}
        assert keys.find([]) == {}
        assert keys.get_or_create([]) == {}


def test_vault_and_master_key_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    with vault(tmp_path) as keys:
        keys.get_or_create(["person:1"])
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert set(modes.values()) == {0o600}
    assert {"keys.sqlite", "keys.sqlite-wal", "master.key"} <= set(modes)


def test_no_data_key_stands_in_the_files_unwrapped(tmp_path: Path) -> None:
    with vault(tmp_path) as keys:
        made = keys.get_or_create([f"person:{n}" for n in range(50)])
        stored = files_of(tmp_path)
    assert b"person:49" in stored
    assert not [key for key in made.values() if raw(key) in stored or raw(key).hex().encode() in stored]


def test_a_key_shows_itself_in_no_text_and_no_pickle(tmp_path: Path) -> None:
    with vault(tmp_path) as keys:
        key = keys.get_or_create(["person:1"])["person:1"]
        (master,) = parse_master_keys((tmp_path / "master.key").read_text(), "here")
        shown = f"{key!r} {key} {keys!r} {master!r} {master}"
    for secret in (raw(key), master.reveal()):
        assert repr(secret) not in shown
        assert secret.hex() not in shown
        assert base64.b64encode(secret).decode() not in shown
    for holder in (key, master):
        with pytest.raises(TypeError, match="not to be copied"):
            holder.__reduce__()


def test_a_destroyed_key_is_never_made_again(tmp_path: Path) -> None:
    with vault(tmp_path) as keys:
        keys.get_or_create(["person:1", "person:2"])
        done = keys.destroy("person:1", when=WHEN)
        assert (done.first, done.purged, done.destroyed_at) == (True, True, WHEN)
        assert keys.get_or_create(["person:1"]) == {"person:1": None}
        assert keys.destructions() == 1
    with vault(tmp_path) as keys:
        found = keys.find(["person:1", "person:2"])
        assert found["person:1"] is None
        assert found["person:2"] is not None


def test_destroying_again_keeps_the_first_time(tmp_path: Path) -> None:
    with vault(tmp_path) as keys:
        keys.destroy("person:1", when=WHEN)
        again = keys.destroy("person:1", when="2026-01-01T00:00:00Z")
    assert (again.first, again.destroyed_at, again.purged) == (False, WHEN, True)


def test_a_subject_destroyed_before_it_had_a_key_never_gets_one(tmp_path: Path) -> None:
    with vault(tmp_path) as keys:
        keys.destroy("person:1", when=WHEN)
        assert keys.get_or_create(["person:1"]) == {"person:1": None}


def test_the_bytes_of_a_destroyed_key_are_gone_from_all_files(tmp_path: Path) -> None:
    with vault(tmp_path) as keys:
        keys.get_or_create([f"person:{n}" for n in range(200)])
        with sqlite3.connect(tmp_path / "keys.sqlite") as looker:
            (wrapped,) = looker.execute("SELECT wrapped FROM data_keys WHERE subject = 'person:7'").fetchone()
        looker.close()
        assert wrapped in files_of(tmp_path)
        assert keys.destroy("person:7", when=WHEN).purged
        assert wrapped not in files_of(tmp_path)


def test_a_reader_that_holds_the_old_bytes_is_told_and_a_repeat_purges(tmp_path: Path) -> None:
    with vault(tmp_path, busy_timeout=0.05) as keys:
        keys.get_or_create(["person:1"])
        reader = sqlite3.connect(tmp_path / "keys.sqlite", isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM data_keys").fetchone()
        assert not keys.destroy("person:1", when=WHEN).purged
        assert keys.find(["person:1"]) == {"person:1": None}
        reader.close()
        assert keys.destroy("person:1", when=WHEN).purged


def test_a_key_of_the_cluster_cannot_be_destroyed(tmp_path: Path) -> None:
    with vault(tmp_path) as keys, pytest.raises(ValueError, match="key of the cluster"):
        keys.destroy("purpose:claim-id", when=WHEN)


def test_two_processes_make_the_keys_of_the_same_subjects_once(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib, hashlib\n"
        "from workers.adapters.key_vault import KeyVaultOptions, SqliteKeyVault\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "o = KeyVaultOptions(path=folder / 'keys.sqlite', master_key_file=folder / 'master.key', bulk=20)\n"
        "with SqliteKeyVault(o, environment={}) as vault:\n"
        "    keys = vault.get_or_create([f'person:{n}' for n in range(1000)])\n"
        "    print(hashlib.sha256(b''.join(k.reveal() for _, k in sorted(keys.items()))).hexdigest())\n"
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(3)
    ]  # fmt: skip
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    answers = [child.communicate(timeout=PATIENCE)[0].strip() for child in children]
    assert [child.returncode for child in children] == [0, 0, 0]
    assert len(answers[0]) == 64
    assert len(set(answers)) == 1


@pytest.mark.parametrize("destroyed", [False, True])
def test_whoever_was_first_between_look_and_write_has_made_the_key(tmp_path: Path, destroyed: bool) -> None:
    class Overtaken(SqliteKeyVault):
        """A vault whose look is followed at once by another process that writes."""

        def find(self, subjects: Collection[str]) -> dict[str, DataKey | None]:
            found = super().find(subjects)
            if destroyed:
                other.destroy("person:1", when=WHEN)
            else:
                other.get_or_create(subjects)
            return found

    with vault(tmp_path) as other, Overtaken(options(tmp_path), environment={}) as late:
        mine = late.get_or_create(["person:1"])["person:1"]
        theirs = other.find(["person:1"])["person:1"]
    if destroyed:
        assert mine is theirs is None
    else:
        assert raw(mine) == raw(theirs)


def test_a_forked_process_uses_a_connection_of_its_own(tmp_path: Path) -> None:
    with vault(tmp_path) as keys:
        mine = raw(keys.get_or_create(["person:1"])["person:1"])
        parents = keys._connection
        child = os.fork()
        if child == 0:
            same = raw(keys.get_or_create(["person:1", "person:2"])["person:1"]) == mine
            os._exit(0 if same and keys._connection is not parents else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert keys.find(["person:2"])["person:2"] is not None


def test_a_wrong_master_key_is_one_clear_error_and_changes_nothing(tmp_path: Path) -> None:
    with vault(tmp_path) as keys:
        before = raw(keys.get_or_create(["person:1"])["person:1"])
    other = new_master_key()
    with pytest.raises(MasterKeyError, match=r"^wrong master key for the key vault .*nothing was changed") as told:
        vault(tmp_path, {"CLAIMSTREAM_MASTER_KEY": other}).open()
    assert other not in str(told.value)
    with vault(tmp_path) as keys:
        assert raw(keys.find(["person:1"])["person:1"]) == before


def test_a_lost_master_key_is_not_replaced_by_a_new_one(tmp_path: Path) -> None:
    vault(tmp_path).open()
    (tmp_path / "master.key").unlink()
    with pytest.raises(MasterKeyError, match="put back the key"):
        vault(tmp_path).open()
    assert not (tmp_path / "master.key").exists()


@pytest.mark.parametrize(
    "text",
    ["", "# only words\n", "short", "c2hvcnQ=", "%%%%", pytest.param(new_master_key() + "\nrest", id="key and rest")],
)
def test_a_malformed_master_key_is_refused_without_being_shown(tmp_path: Path, text: str) -> None:
    (tmp_path / "master.key").write_text(text)
    with pytest.raises(MasterKeyError, match="the master key file") as told:
        vault(tmp_path, create=True).open()
    assert not [word for word in text.split() if len(word) > 6 and word in str(told.value)]


@pytest.mark.parametrize("name", ["keys.sqlite", "master.key"])
def test_a_vault_open_to_others_is_refused(tmp_path: Path, name: str) -> None:
    vault(tmp_path).open()
    (tmp_path / name).chmod(0o644)
    with pytest.raises(MasterKeyError, match="chmod 600"):
        vault(tmp_path).open()


def test_rotating_the_master_key_leaves_every_data_key_readable(tmp_path: Path) -> None:
    old, new = new_master_key(), new_master_key()
    subjects = [f"person:{n}" for n in range(250)]
    with vault(tmp_path, {"CLAIMSTREAM_MASTER_KEY": old}) as keys:
        before = {s: raw(k) for s, k in keys.get_or_create(subjects).items()}
        keys.destroy("person:gone", when=WHEN)
    with vault(tmp_path, {"CLAIMSTREAM_MASTER_KEY": f"{new}\n{old}"}, bulk=100) as keys:
        keys.get_or_create(["person:before the rotation"])
        assert keys.rotate() == 251
        assert keys.rotate() == 0
    with vault(tmp_path, {"CLAIMSTREAM_MASTER_KEY": new}) as keys:
        assert {s: raw(k) for s, k in keys.find(subjects).items()} == before
        assert keys.find(["person:gone"]) == {"person:gone": None}
    with pytest.raises(MasterKeyError, match="wrong master key"):
        vault(tmp_path, {"CLAIMSTREAM_MASTER_KEY": old}).open()


def test_a_process_without_the_new_master_key_says_so_and_erases_nothing(tmp_path: Path) -> None:
    old, new = new_master_key(), new_master_key()
    with vault(tmp_path, {"CLAIMSTREAM_MASTER_KEY": old}) as late:
        late.get_or_create(["person:1"])
        with vault(tmp_path, {"CLAIMSTREAM_MASTER_KEY": f"{new} {old}"}) as keys:
            keys.rotate()
        with pytest.raises(MasterKeyError, match="does not have"):
            late.find(["person:1"])
        with pytest.raises(MasterKeyError, match="does not have"):
            late.get_or_create(["person:2"])


def test_a_vault_that_is_away_is_retryable_and_never_reads_as_erased(tmp_path: Path) -> None:
    with pytest.raises(KeyVaultUnavailable, match="does not exist"):
        vault(tmp_path, create=False).open()
    with pytest.raises(KeyVaultUnavailable, match="is not open"):
        vault(tmp_path).find(["person:1"])
    with vault(tmp_path) as keys:
        keys.get_or_create(["person:1"])
        (tmp_path / "keys.sqlite").rename(tmp_path / "away")
        for ask in (keys.find, keys.get_or_create):
            with pytest.raises(KeyVaultUnavailable):
                ask(["person:1"])
        (tmp_path / "away").rename(tmp_path / "keys.sqlite")
        assert keys.find(["person:1"])["person:1"] is not None


def test_a_vault_whose_file_was_replaced_writes_no_key_into_the_lost_file(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    vault(tmp_path / "other").open()
    with vault(tmp_path) as keys:
        (tmp_path / "other" / "keys.sqlite").rename(tmp_path / "keys.sqlite")
        with pytest.raises(KeyVaultUnavailable, match="was replaced while it was open"):
            keys.get_or_create(["person:1"])


def test_a_subject_with_any_character_has_a_key_of_its_own(tmp_path: Path) -> None:
    odd = ["\0", "a\0b", "a", "", "'; DROP TABLE data_keys; --", "\U0001f600", "a" * 10_000]
    with vault(tmp_path) as keys:
        made = keys.get_or_create(odd)
        assert {s: raw(k) for s, k in keys.find(odd).items()} == {s: raw(k) for s, k in made.items()}
    assert len({raw(key) for key in made.values()}) == len(odd)


def test_a_vault_that_another_one_locks_is_retryable(tmp_path: Path) -> None:
    with vault(tmp_path, busy_timeout=0.05) as keys:
        other = sqlite3.connect(tmp_path / "keys.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(KeyVaultUnavailable, match="locked"):
            keys.get_or_create(["person:1"])
        other.close()
        assert keys.get_or_create(["person:1"])["person:1"] is not None


class Refusing(sqlite3.Connection):
    """A connection whose file two processes change over at once: SQLite refuses at once, and does not wait."""

    refusals = 0

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        if sql == "PRAGMA journal_mode = WAL" and Refusing.refusals < 3:
            Refusing.refusals += 1
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorcode = sqlite3.SQLITE_BUSY
            raise error
        return super().execute(sql, parameters)


def test_two_processes_that_begin_on_a_new_vault_at_once_both_open_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **named: connect(*args, factory=Refusing, **named))
    with vault(tmp_path) as keys:
        assert keys.get_or_create(["person:1"])["person:1"] is not None
    assert Refusing.refusals == 3


def test_a_file_that_is_no_vault_is_damaged_and_left_alone(tmp_path: Path) -> None:
    vault(tmp_path).open()
    (tmp_path / "other").mkdir(mode=0o700)
    wrong = tmp_path / "other" / "keys.sqlite"
    wrong.write_bytes(b"this is a letter and not a vault " * 200)
    wrong.chmod(0o600)
    (tmp_path / "master.key").rename(tmp_path / "other" / "master.key")
    with pytest.raises(KeyVaultDamaged, match="is not a usable key vault"):
        vault(tmp_path / "other").open()
    assert wrong.read_bytes().startswith(b"this is a letter")


def test_a_key_moved_to_another_subject_does_not_unwrap(tmp_path: Path) -> None:
    with vault(tmp_path) as keys:
        keys.get_or_create(["person:1", "person:2"])
        with sqlite3.connect(tmp_path / "keys.sqlite") as thief:
            thief.execute(
                "UPDATE data_keys SET wrapped = (SELECT wrapped FROM data_keys WHERE subject = 'person:1')"
                " WHERE subject = 'person:2'"
            )
        thief.close()
        with pytest.raises(KeyVaultDamaged, match="key of person:2"):
            keys.find(["person:2"])


def test_opening_and_closing_twice_is_legal(tmp_path: Path) -> None:
    keys = vault(tmp_path)
    keys.close()
    keys.open()
    keys.open()
    keys.close()
    keys.close()


def test_ten_thousand_keys_are_made_in_less_than_a_second(tmp_path: Path) -> None:
    with vault(tmp_path) as keys:
        started = time.process_time()
        made = keys.get_or_create([f"claim:CLM-{n}" for n in range(10_000)])
        assert time.process_time() - started < 1.0
    assert len(made) == 10_000
