"""Which store a command talks to: --redis-url, else what settings name, else the embedded one that runs."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from workers.cli.errors import EXIT_USAGE, Problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis.asyncio import Redis

    from config.settings import Settings
    from runtime.embedded.discovery import RunningStore
    from runtime.store.address import StoreAddress


def store_address(settings: Settings, *, exit_code: int = EXIT_USAGE, user: str = "operator") -> StoreAddress:
    """The address of the store that is there now. `Problem` (with `exit_code`): no embedded store runs.

    `user`: who a command is where the passwords of all users lie in one directory and no other user is named.
    """
    if settings.store.mode == "external":
        return settings.store.address(user)
    found = running_store(settings)
    if found is None:
        raise Problem(
            f"no store runs on the data directory {settings.embedded.data_dir}: start one with "
            "`claimstream run`, or name another with --data-dir or --redis-url",
            exit_code,
        )
    return address_of(found)


def running_store(settings: Settings) -> RunningStore | None:
    """The embedded store that runs on the data directory of the settings. Blocks for up to 1 s."""
    from runtime.embedded.discovery import find_running

    return find_running(settings.embedded.data_dir)


def address_of(store: RunningStore) -> StoreAddress:
    """The address of an embedded store."""
    from runtime.store.address import StoreAddress

    return StoreAddress.parse(store.url)


def place(address: StoreAddress) -> str:
    """Where a store is, for people: host:port, the path of its socket, or who is asked for it."""
    return address.place


@asynccontextmanager
async def connected(
    settings: Settings,
    address: StoreAddress,
    *,
    exit_code: int = EXIT_USAGE,
    connections: int = 4,
    allow_replica: bool = False,
) -> AsyncIterator[Redis]:
    """A command client that has had its first answer. `Problem`: the store is away, or refuses us."""
    from runtime.store.clients import open_commands
    from runtime.store.trouble import STORE_ERRORS

    clients = settings.store.options.clients
    client = open_commands(
        address,
        max_connections=connections,
        pool_wait_seconds=clients.pool_wait_seconds,
        reply_seconds=clients.reply_seconds,
        connect_seconds=clients.connect_seconds,
        client_name="cs:operator",
        allow_replica=allow_replica,
    )
    try:
        try:
            await client.ping()
        except STORE_ERRORS as problem:
            raise away(problem, address, exit_code) from problem
        yield client
    finally:
        with suppress(*STORE_ERRORS):
            await client.aclose()


async def greet(settings: Settings, address: StoreAddress) -> None:
    """See that the store answers and takes us, before anything else is opened. Raises `Problem`."""
    async with connected(settings, address, connections=1):
        return


def away(problem: BaseException, address: StoreAddress, exit_code: int) -> Problem:
    """An error of the first call, with the place that was tried and what to do."""
    from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError

    from runtime.store.clients import NotMaster
    from runtime.store.faults import describe

    if "cluster support disabled" in str(problem):
        return Problem(f"the store at {place(address)} is no Redis Cluster: name it redis://HOST:PORT", exit_code)
    said = describe(problem).partition(": ")[2] or str(problem)
    where = place(address)
    if isinstance(problem, NotMaster):
        return Problem(
            f"the store at {where} is a replica: give the address of the master, or of the Sentinels that know it "
            "(redis+sentinel://HOST:26379/SERVICE)",
            exit_code,
        )
    refused = isinstance(problem, (AuthenticationError, NoPermissionError)) or "NOAUTH" in said
    if refused or (isinstance(problem, ResponseError) and "AUTH" in said):
        return Problem(
            f"the store at {where} does not let us in ({said}): give the right user and password "
            "(REDIS_PASSWORD, store.password_file, or in --redis-url)",
            exit_code,
        )
    return Problem(
        f"the store at {where} cannot be used: {said}; start it, or name another (--redis-url, REDIS_HOST, REDIS_PORT)",
        exit_code,
    )
