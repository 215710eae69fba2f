"""A real server whose users are those of `deploy/redis/users.acl`, with passwords, and none else but a test's admin.

    async with secured_store(folder) as secured:
        await open_store(secured.as_user("worker"), ...)

`default` is off in it, which the embedded server of the other tests cannot bear, so it is started here by hand.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runtime.embedded.locate import locate
from runtime.store.address import Secret, StoreAddress
from runtime.store.clients import open_commands
from runtime.store.credentials import as_user
from runtime.store.trouble import STORE_ERRORS
from tests.support.store import BINARY_VARIABLE, command
from tests.support.waiting import until
from workers.adapters.store_passwords import make_missing, read_passwords, write_private
from workers.store_users import Logs, acl_lines, users

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from redis.asyncio import Redis

ADMIN = "admin"
ADMIN_PASSWORD = "of the test alone"


@dataclass(frozen=True)
class Secured:
    """Where the server is, and the passwords of its users."""

    place: StoreAddress
    passwords: Path
    acl_file: Path
    admin: Redis

    def as_user(self, user: str) -> StoreAddress:
        """The address as one of the users has it."""
        return as_user(self.place, str(self.passwords), user)

    async def load(self) -> None:
        """Have the server read the passwords as they are now."""
        write_acl(self.acl_file, self.passwords)
        await command(self.admin, "ACL", "LOAD")

    async def refused(self) -> list[tuple[str, str, str]]:
        """Who was refused what, and on what it failed: (user, command or key, reason), without the test's admin."""
        rows = await command(self.admin, "ACL", "LOG", 1000)
        named = [row if isinstance(row, dict) else dict(zip(row[::2], row[1::2], strict=True)) for row in rows]
        found = [{_text(name): _text(value) for name, value in row.items()} for row in named]
        return [(row["username"], row["object"], f"{row['reason']} ({row['context']})") for row in found]


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def write_acl(file: Path, passwords: Path) -> None:
    """Render the users with these passwords, and the admin of the test."""
    table = users(Logs.of(), simulation=True)
    lines = acl_lines(table, read_passwords(passwords, [one.user for one in table]))
    admin = f"user {ADMIN} on >{ADMIN_PASSWORD.replace(' ', '-')} ~* &* +@all"
    write_private(file, "\n".join([*lines, admin]) + "\n")


@asynccontextmanager
async def secured_store(folder: Path, *directives: str) -> AsyncIterator[Secured]:
    """Start the server with every user on; ended when the block ends."""
    passwords, acl_file = folder / "passwords", folder / "users.acl"
    make_missing(passwords, [one.user for one in users(Logs.of(), simulation=True)])
    write_acl(acl_file, passwords)
    with tempfile.TemporaryDirectory(prefix="cs-acl-") as short:  # the path of a socket ends at 107 bytes
        socket = os.path.join(short, "s")
        binary = locate(os.environ.get(BINARY_VARIABLE) or None).path
        process = await asyncio.create_subprocess_exec(
            str(binary), "--port", "0", "--unixsocket", socket, "--dir", short, "--appendonly", "yes", "--save", "",
            "--aclfile", str(acl_file), *directives, stdout=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        place = StoreAddress(socket_path=socket)
        secret = Secret(ADMIN_PASSWORD.replace(" ", "-"))
        admin = open_commands(StoreAddress(socket_path=socket, username=ADMIN, password=secret), max_connections=2)
        try:
            await until(lambda: answers(admin), what="the server with users answers")
            yield Secured(place, passwords, acl_file, admin)
        finally:
            await admin.aclose()
            process.terminate()
            await process.wait()


async def answers(client: Redis) -> bool:
    """Does it?"""
    try:
        return bool(await client.ping())
    except STORE_ERRORS:
        return False
