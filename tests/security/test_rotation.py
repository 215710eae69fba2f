"""Passwords change while everything works: two are valid, the file changes, connections come back with the new one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from runtime.errors import StoreUnavailable
from runtime.store.credentials import SecretFile
from runtime.store.opening import open_store
from tests.support.secured_store import Secured, secured_store
from tests.support.small_cluster import small_cluster, wrong
from tests.support.store import command
from tests.support.waiting import until
from workers.adapters.auto_portfolio import portfolio
from workers.adapters.store_passwords import finish_rotation, make_next, switch_to_next
from workers.importing import Importer, batches
from workers.routing import groups
from workers.store_users import Logs, users

if TYPE_CHECKING:
    from pathlib import Path

    from redis.asyncio import Redis

NAMES = [one.user for one in users(Logs.of(), simulation=True)]


async def cut_everybody_off(admin: Redis) -> None:
    """Every connection but this one is closed by the server: it has to be made again, with a password."""
    await command(admin, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


@pytest.mark.chaos
async def test_passwords_change_under_load_and_nothing_is_lost(tmp_path: Path) -> None:
    async with secured_store(tmp_path) as secured:
        await (await open_store(secured.as_user("deploy"), Logs.of().specs(), groups(simulation=True))).close()
        more = {"store.options.users_dir": str(secured.passwords), "archive.enabled": False}
        async with small_cluster(secured.as_user("worker"), tmp_path, more=more) as cluster:
            cluster.app = clerk = cluster.app.acting_as("operator")
            confirmed: list[str] = []
            ended = asyncio.Event()

            async def load() -> None:
                """Claims until the passwords are changed; what was not confirmed is asked again."""
                for rows in batches(portfolio(400, seed=4)):
                    for start in range(0, len(rows), 2):
                        if ended.is_set():
                            return
                        while True:
                            try:
                                done = await Importer(clerk).portfolio(rows[start : start + 2])
                            except StoreUnavailable:
                                continue
                            break
                        confirmed.extend(done.claim_ids)

            loading = asyncio.create_task(load())
            old = {name: (secured.passwords / name).read_text() for name in NAMES}
            await until(lambda: len(confirmed) >= 6, what="some claims are in")
            make_next(secured.passwords, NAMES)
            await secured.load()
            switch_to_next(secured.passwords, NAMES)
            seen = len(confirmed)
            await cut_everybody_off(secured.admin)
            await until(lambda: len(confirmed) >= seen + 6, what="claims go on with the new passwords")
            finish_rotation(secured.passwords, NAMES)
            await secured.load()
            seen = len(confirmed)
            await cut_everybody_off(secured.admin)
            await until(
                lambda: loading.done() or len(confirmed) >= seen + 6,
                what="claims go on without the old ones",
            )
            assert not loading.done(), f"{len(confirmed)} claims, then: {loading.exception()}"
            ended.set()
            await loading
            assert all(old[name] != (secured.passwords / name).read_text() for name in NAMES)
            await cluster.to_the_end()
            assert all(await clerk.claims.read(confirmed)), "a confirmed claim is lost"
            assert wrong(await cluster.verified()) == {}
        assert [entry for entry in await secured.refused() if "auth" in entry[2]] == [], "nobody was turned away"


async def test_the_old_password_is_worth_nothing_once_the_change_is_finished(tmp_path: Path) -> None:
    async with secured_store(tmp_path) as secured:
        old = (secured.passwords / "analytics").read_text().strip()
        make_next(secured.passwords, NAMES)
        switch_to_next(secured.passwords, NAMES)
        finish_rotation(secured.passwords, NAMES)
        await secured.load()
        listed = b" ".join(await command(secured.admin, "ACL", "LIST")).decode()
        assert old not in listed
        assert await count_of_passwords(secured, "analytics") == 1


async def count_of_passwords(secured: Secured, user: str) -> int:
    told = await command(secured.admin, "ACL", "GETUSER", user)
    named = told if isinstance(told, dict) else dict(zip(told[::2], told[1::2], strict=True))
    return len(
        {(name.decode() if isinstance(name, bytes) else name): value for name, value in named.items()}["passwords"]
    )


def test_a_password_is_read_again_each_time_and_kept_while_its_file_is_away(tmp_path: Path) -> None:
    file = tmp_path / "word"
    file.write_text("one\n")
    secret = SecretFile(file)
    assert secret.reveal() == "one"
    file.write_text("two\n")
    assert secret.reveal() == "two"
    file.unlink()
    assert secret.reveal() == "two"
    assert "two" not in repr(secret) + str(secret)
