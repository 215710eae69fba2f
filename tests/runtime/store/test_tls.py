"""A connection by rediss:// trusts exactly whom it should."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest
from redis.exceptions import ConnectionError as StoreConnectionError

from runtime.store.clients import StoreAddress, open_commands
from runtime.store.faults import Fault, classify, describe
from tests.support.tls import tls_door, write_certificate

if TYPE_CHECKING:
    from pathlib import Path

    from runtime.embedded.server import EmbeddedServer


async def ping(port: int, authority: str, ours: tuple[str, str] | None = None) -> bool:
    cert, key = ours or (None, None)
    address = StoreAddress(host="127.0.0.1", port=port, tls=True, ca_file=authority, cert_file=cert, key_file=key)
    commands = open_commands(address, max_connections=1)
    try:
        return bool(await commands.ping())
    finally:
        await commands.aclose()


async def failure(port: int, authority: str) -> Exception:
    with pytest.raises(StoreConnectionError) as refused:
        await ping(port, authority)
    return refused.value


@pytest.fixture
def trusted(tmp_path: Path) -> tuple[str, str]:
    return write_certificate(tmp_path, "trusted", "127.0.0.1")


async def test_a_server_with_a_trusted_certificate_is_reached(
    store_server: EmbeddedServer, trusted: tuple[str, str]
) -> None:
    async with tls_door(store_server.store.socket_path, trusted) as port:
        assert await ping(port, trusted[0])


async def test_a_certificate_of_a_stranger_is_fatal_not_a_store_that_is_away(
    store_server: EmbeddedServer, trusted: tuple[str, str], tmp_path: Path
) -> None:
    stranger = write_certificate(tmp_path, "stranger", "127.0.0.1")
    async with tls_door(store_server.store.socket_path, stranger) as port:
        error = await failure(port, trusted[0])
    assert classify(error) is Fault.FATAL
    assert "certificate verify failed" in describe(error)


async def test_a_trusted_certificate_for_another_name_is_fatal(store_server: EmbeddedServer, tmp_path: Path) -> None:
    other = write_certificate(tmp_path, "other", "another.example")
    async with tls_door(store_server.store.socket_path, other) as port:
        error = await failure(port, other[0])
    assert classify(error) is Fault.FATAL
    assert "IP address mismatch" in describe(error)


async def test_a_server_below_tls_1_3_is_refused(store_server: EmbeddedServer, trusted: tuple[str, str]) -> None:
    old = ssl.TLSVersion.TLSv1_2
    async with tls_door(store_server.store.socket_path, trusted, newest=old) as port:
        await failure(port, trusted[0])


async def test_our_own_certificate_is_shown_when_the_server_asks(
    store_server: EmbeddedServer, trusted: tuple[str, str], tmp_path: Path
) -> None:
    ours = write_certificate(tmp_path, "ours", "client.example")
    async with tls_door(store_server.store.socket_path, trusted, client_authority=ours[0]) as port:
        assert await ping(port, trusted[0], ours)
        with pytest.raises(StoreConnectionError):
            await ping(port, trusted[0])
