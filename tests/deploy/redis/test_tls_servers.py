"""Mutual TLS on real servers, with the files of deploy/redis: the store, its replica, a Sentinel, and us.

Needs a server that was built with TLS (Debian's `redis-server` is; the one of the wheel is not, redis-facts M6).
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import ssl
import subprocess
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from redis.exceptions import ConnectionError as StoreConnectionError

from runtime.store.address import Secret, StoreAddress
from runtime.store.clients import open_commands
from runtime.store.credentials import as_user
from runtime.store.opening import open_store
from runtime.store.trouble import STORE_ERRORS
from tests.support.secured_store import ADMIN, ADMIN_PASSWORD, write_acl
from tests.support.small_cluster import small_cluster, wrong
from tests.support.store import command
from tests.support.tls import write_certificate
from tests.support.waiting import PATIENCE, until
from workers.adapters.store_passwords import make_missing
from workers.routing import groups
from workers.store_users import Logs, users

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis.asyncio import Redis

CONF = Path(__file__).resolve().parents[3] / "deploy" / "redis"
BINARY = os.environ.get("CLAIMSTREAM_TEST_TLS_SERVER") or shutil.which("redis-server") or ""


def speaks_tls() -> bool:
    """Was the server built with TLS? One that was says that it cannot read this certificate."""
    if not BINARY:
        return False
    words = [BINARY, "--port", "0", "--tls-port", "1"]
    for name in ("cert", "key", "ca-cert"):
        words += [f"--tls-{name}-file", "/nonexistent"]
    told = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=False)
    return "Failed to load certificate" in told.stdout + told.stderr


pytestmark = [
    pytest.mark.deploy,
    pytest.mark.skipif(not speaks_tls(), reason="no redis-server with TLS on PATH: apt-get install redis-server"),
]


class TlsStore(NamedTuple):
    """A store over mutual TLS: where, whom to trust, who we are, the passwords of its users."""

    folder: Path
    port: int
    authority: str
    ours: tuple[str, str]
    files: tuple[str, ...]
    passwords: Path

    def address(self, **more: object) -> StoreAddress:
        """As the admin of the test, unless `more` says otherwise."""
        cert, key = self.ours
        given = {
            "host": "127.0.0.1", "port": self.port, "tls": True, "ca_file": self.authority, "cert_file": cert,
            "key_file": key, "username": ADMIN, "password": Secret(ADMIN_PASSWORD.replace(" ", "-")),
        }  # fmt: skip
        return StoreAddress(**(given | more))  # type: ignore[arg-type]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@asynccontextmanager
async def started(*words: str) -> AsyncIterator[None]:
    """A server process, ended with the block."""
    process = await asyncio.create_subprocess_exec(BINARY, *words, stdout=asyncio.subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


def join(target: Path, *parts: str) -> None:
    """The certificates of several authorities in one file."""
    target.write_text("".join(Path(part).read_text() for part in parts))


@asynccontextmanager
async def tls_store(folder: Path) -> AsyncIterator[TlsStore]:
    """The store with claimstream.conf, tls.conf and users.acl, as a deployment has it."""
    server, ours = write_certificate(folder, "store", "127.0.0.1"), write_certificate(folder, "ours", "client.example")
    authority = folder / "ca.pem"
    join(authority, server[0], ours[0])
    both = folder / "both.conf"
    tls = (CONF / "tls.conf").read_text()
    both.write_text((CONF / "claimstream.conf").read_text() + tls)
    passwords = folder / "passwords"
    make_missing(passwords, [one.user for one in users(Logs.of(), simulation=True)])
    write_acl(folder / "users.acl", passwords)
    data = folder / "data"
    data.mkdir()
    port = free_port()
    files = (
        "--tls-port", str(port), "--tls-ca-cert-file", str(authority), "--tls-cert-file", server[0],
        "--tls-key-file", server[1],
    )  # fmt: skip
    store = TlsStore(folder, port, str(authority), ours, files, passwords)
    acl = ("--aclfile", str(folder / "users.acl"))
    async with started(str(both), *files, *acl, "--dir", str(data)):
        admin = open_commands(store.address(), max_connections=1)
        try:
            await until(lambda: answers(admin), what="the store answers over TLS")
            yield store
        finally:
            await admin.aclose()


async def answers(client: Redis) -> bool:
    try:
        return bool(await client.ping())
    except STORE_ERRORS:
        return False


async def refused(address: StoreAddress) -> str:
    """Why a connection to that address does not come about."""
    client = open_commands(address, max_connections=1)
    try:
        with pytest.raises(StoreConnectionError) as told:
            await client.ping()
        return str(told.value)
    finally:
        await client.aclose()


async def test_the_store_takes_nobody_without_a_certificate_without_tls_or_below_1_3(tmp_path: Path) -> None:
    async with tls_store(tmp_path) as store:
        await refused(store.address(cert_file=None, key_file=None))
        await refused(store.address(tls=False))
        assert "mismatch" in await refused(store.address(host="127.0.0.2")), "the name in the certificate is checked"
        old = ssl.create_default_context(cafile=store.authority)
        old.load_cert_chain(*store.ours)
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            await asyncio.open_connection("127.0.0.1", store.port, ssl=old)


async def test_a_whole_cluster_works_over_mutual_tls_each_actor_as_its_user(tmp_path: Path) -> None:
    async with tls_store(tmp_path) as store:
        folder = str(store.passwords)
        deploy = as_user(store.address(), folder, "deploy")
        opened = await open_store(deploy, Logs.of().specs(), groups(simulation=True))
        await opened.close()
        more = {"store.options.users_dir": folder, "archive.enabled": False}
        async with small_cluster(as_user(store.address(), folder, "worker"), tmp_path, more=more) as cluster:
            cluster.app = cluster.app.acting_as("operator")
            await cluster.submit(5)
            await cluster.to_the_end()
            assert wrong(await cluster.verified()) == {}


async def test_a_replica_and_a_sentinel_follow_the_store_over_mutual_tls_as_users_of_their_own(tmp_path: Path) -> None:
    async with tls_store(tmp_path) as store:
        data = tmp_path / "replica"
        data.mkdir()
        conf = tmp_path / "replica.conf"
        parts = ("claimstream.conf", "tls.conf", "replica.conf")
        conf.write_text("\n".join((CONF / part).read_text() for part in parts))
        port = free_port()
        word = (store.passwords / "replica").read_text().strip()
        files = ("--tls-port", str(port), *store.files[2:], "--aclfile", str(tmp_path / "users.acl"))
        master = ("--replicaof", "127.0.0.1", str(store.port), "--masterauth", word)
        async with started(str(conf), *files, "--dir", str(data), *master):
            admin = open_commands(store.address(port=port), max_connections=1, allow_replica=True)
            await until(lambda: in_step(admin), what="the replica is in step")
            await watched(store, tmp_path)
            await admin.aclose()


async def in_step(replica: Redis) -> bool:
    try:
        return (await replica.info("replication")).get("master_link_status") == "up"
    except STORE_ERRORS:
        return False


async def watched(store: TlsStore, folder: Path) -> None:
    """A Sentinel sees the master and its replica."""
    port = free_port()
    word = (store.passwords / "sentinel").read_text().strip()
    files = {"/tls/ca.crt": store.authority, "/tls/tls.crt": store.files[5], "/tls/tls.key": store.files[7]}
    text = (CONF / "sentinel.conf").read_text().replace("redis-0 6379 2", f"127.0.0.1 {store.port} 1")
    for name, path in files.items():
        text = text.replace(name, path)
    text = text.replace("tls-port 26379", f"tls-port {port}") + f"\nsentinel auth-pass claimstream {word}\n"
    conf = folder / "sentinel.conf"
    conf.write_text(text)
    async with started(str(conf), "--sentinel", "--dir", str(folder)):
        address = store.address(port=port, username=None, password=None)
        client = open_commands(address, max_connections=1, allow_replica=True)

        async def sees() -> bool:
            try:
                told = await command(client, "SENTINEL", "MASTERS")
            except STORE_ERRORS:
                return False
            rows = [row if isinstance(row, dict) else dict(zip(row[::2], row[1::2], strict=True)) for row in told]
            named = {_text(name): _text(value) for name, value in rows[0].items()} if rows else {}
            return named.get("flags") == "master" and named.get("num-slaves") == "1"

        await until(sees, what="the Sentinel sees master and replica")
        await client.aclose()


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
