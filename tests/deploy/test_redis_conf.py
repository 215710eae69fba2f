"""The configuration file for a single server: a real server starts with it, and the checks of production pass."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from config.loading import load
from runtime.embedded.locate import locate
from runtime.store.checks import examine, require
from runtime.store.clients import StoreAddress, open_commands
from runtime.store.functions import ALL, load_library
from runtime.store.trouble import STORE_ERRORS
from tests.support.waiting import until

if TYPE_CHECKING:
    from redis.asyncio import Redis

CONF = Path(__file__).resolve().parents[2] / "deploy" / "redis" / "claimstream.conf"


async def answers(client: Redis) -> bool:
    try:
        return bool(await client.ping())
    except STORE_ERRORS:
        return False


async def test_a_server_with_the_shipped_configuration_passes_the_checks_of_production(tmp_path: Path) -> None:
    socket = f"{tmp_path}/s"
    server = await asyncio.create_subprocess_exec(
        locate().path, str(CONF), "--port", "0", "--unixsocket", socket, "--dir", str(tmp_path), "--maxmemory", "256mb",
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    client = open_commands(StoreAddress.parse(f"unix://{socket}"), max_connections=2)
    try:
        await until(lambda: answers(client), what="the server answers")
        await load_library(client)
        expect = load("production", environment={}, overrides={"store.url": f"unix://{socket}"}).expect
        findings = await examine(client, expect, functions=ALL)
        require(findings)
        assert {finding.name: finding.level for finding in findings}["fsync"] == "ok"
    finally:
        await client.aclose()
        server.terminate()
        await server.wait()
