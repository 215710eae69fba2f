"""Canaries: a password that goes through every layer is in no log line, no answer and no error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.commands import cli
from tests.support.secured_store import secured_store

if TYPE_CHECKING:
    from pathlib import Path

CANARY = "Canary-5ecret-of-the-store"


async def test_a_wrong_password_is_in_nothing_that_a_command_says(tmp_path: Path) -> None:
    """By URL and by file, for people and for machines: whatever is said does not name it."""
    async with secured_store(tmp_path) as secured:
        file = tmp_path / "canary"
        file.write_text(CANARY)
        place = f"{secured.place.socket_path}"
        by_file = {"CLAIMSTREAM_STORE__URL": f"unix://operator@{place}", "CLAIMSTREAM_STORE__PASSWORD_FILE": str(file)}
        told = [
            cli("doctor", url=f"unix://operator:{CANARY}@{place}"),
            cli("doctor", "--json", env=by_file),
            cli("run", "--port", "0", env=by_file),
        ]
        assert [said for said in told if CANARY in said.out + said.err] == []
        assert all(said.code != 0 for said in told)


async def test_the_acl_file_holds_hashes_only(tmp_path: Path) -> None:
    async with secured_store(tmp_path) as secured:
        words = [file.read_text().strip() for file in secured.passwords.iterdir()]
        said = cli("store", "users", "--passwords", str(secured.passwords))
        assert said.code == 0, said.err
        assert said.out.count("#") >= len(words) - 1
        assert not [word for word in words if word in said.out + said.err]


def test_settings_with_a_password_are_never_shown() -> None:
    """An error in the layer above does not print the layer below."""
    said = cli("doctor", env={"REDIS_PASSWORD": CANARY, "CLAIMSTREAM_STORE__PORT": "no number"})
    assert said.code != 0
    assert CANARY not in said.out + said.err
