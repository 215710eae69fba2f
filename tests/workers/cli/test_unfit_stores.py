"""A store that would lose or refuse what is put into it is turned down in one line before anything starts."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from runtime.embedded.server import running_server
from runtime.store.clients import StoreAddress, open_commands
from tests.support.commands import cli
from tests.support.store import command

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@asynccontextmanager
async def configured(directive: str, value: str) -> AsyncIterator[str]:
    """The URL of a server of the test's own, with one directive changed."""
    async with running_server() as server:
        client = open_commands(StoreAddress.parse(server.url), max_connections=1)
        await command(client, "CONFIG", "SET", directive, value)
        await client.aclose()
        yield server.url


@pytest.mark.parametrize(
    ("directive", "value", "named"),
    [
        ("appendonly", "no", "appendonly yes"),
        ("maxmemory-policy", "allkeys-lru", "noeviction"),
        ("requirepass", "s3cret", "password"),
    ],
)
@pytest.mark.parametrize("processes", ["1", "2"])
async def test_run_refuses_a_store_that_is_not_fit(
    directive: str, value: str, named: str, processes: str, tmp_path: Path
) -> None:
    async with configured(directive, value) as url:
        said = cli("run", "--quiet", "--processes", processes, url=url, data_dir=tmp_path / "store")
        assert said.code == 2
        assert named in said.one_line()


@pytest.mark.parametrize(
    ("directive", "value", "named"),
    [("appendonly", "no", "appendonly yes"), ("maxmemory-policy", "allkeys-lru", "noeviction")],
)
async def test_nothing_is_put_into_a_store_that_is_not_fit(
    directive: str, value: str, named: str, tmp_path: Path
) -> None:
    claims = tmp_path / "claims.jsonl"
    claims.write_text("{}\n")
    async with configured(directive, value) as url:
        for words in (["demo", "--claims", "1"], ["submit", str(claims)], ["lab", "load-sample-data"]):
            said = cli(*words, url=url, data_dir=tmp_path / "store")
            assert said.code == 2, words
            assert named in said.one_line()
        client = open_commands(StoreAddress.parse(url), max_connections=1)
        assert await command(client, "DBSIZE") == 0
        await client.aclose()


async def test_a_wrong_password_is_one_line_that_does_not_repeat_it(tmp_path: Path) -> None:
    async with configured("requirepass", "right-one") as url:
        for words, code in ((["ping"], 1), (["status"], 2), (["run"], 2)):
            said = cli(*words, url=url, env={"CLAIMSTREAM_STORE__PASSWORD": "wrong-one"}, data_dir=tmp_path / "s")
            assert said.code == code
            assert "password" in said.one_line()
            assert "wrong-one" not in said.err
        said = cli("ping", url=url, env={"CLAIMSTREAM_STORE__PASSWORD": "right-one"})
        assert said.code == 0


@pytest.mark.parametrize(
    ("directive", "value", "finding"),
    [("appendonly", "no", "persistence"), ("maxmemory-policy", "allkeys-lru", "eviction")],
)
async def test_doctor_says_what_is_wrong_and_what_to_do(directive: str, value: str, finding: str) -> None:
    async with configured(directive, value) as url:
        said = cli("doctor", "--json", url=url)
        bad = {one["name"]: one["advice"] for one in said.json["findings"] if one["level"] == "fail"}
        assert said.code == 1
        assert said.json["ok"] is False
        assert directive in bad[finding]
