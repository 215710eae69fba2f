"""What a command works with: the application for those that write, a reader of claims for those that ask."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from workers.cli.addressing import connected, greet, place, store_address
from workers.cli.errors import Problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from workers.application import Application
    from workers.claim_reading import ClaimReader
    from workers.cli.given import Given


@asynccontextmanager
async def opened_application(given: Given) -> AsyncIterator[Application]:
    """The application on the store of the command line, which must be fit for it; closed when the block ends."""
    settings = given.settings()
    address = store_address(settings)
    await greet(settings, address)

    from workers.bootstrap import open_application
    from workers.cli.run_store import examine_store

    await examine_store(settings, address)
    app = await open_application(settings, address)
    try:
        yield app
    finally:
        await app.close()


@asynccontextmanager
async def opened_reader(given: Given) -> AsyncIterator[ClaimReader]:
    """A reader of the claims in the store, with as many partitions as the store has. Writes nothing.

    `Problem`: there is no claim log yet.
    """
    from runtime.store.keys import Keyspace
    from runtime.store.reads import Reads
    from workers.bootstrap import archives_of
    from workers.claim_reading import ClaimReader
    from workers.cli.survey import stored_specs
    from workers.keys import CLAIM_LOG, claim_log

    settings = given.settings()
    address = store_address(settings)
    async with connected(settings, address) as client:
        reads = Reads(client)
        specs = await stored_specs(reads, [claim_log(settings.log.partitions)])
        if not specs:
            raise Problem(f"there is no log {CLAIM_LOG} at {place(address)} yet: `claimstream run` makes it")
        yield ClaimReader(reads, Keyspace(specs[0]), archives_of(settings))


def checked_claim_id(text: str) -> str:
    """A claim id as it was typed. `Problem`: it cannot be one."""
    from domain.identity import is_claim_id

    if not is_claim_id(text):
        raise Problem(f"{text[:60]!r} is no claim id: it is CLM- and 8 or more of A-Z 0-9")
    return text


def no_such_claim(claim_id: str) -> Problem:
    """There is no such claim."""
    return Problem(f"claim {claim_id} not found")
