"""Stores that the tests of the actors share: run once, put back for each test."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from runtime.store.clients import StoreAddress
from tests.support.small_cluster import SmallStore, small_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runtime.embedded.server import EmbeddedServer


@pytest.fixture(scope="package")
def small_stores(
    store_server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, SmallStore]]:
    """A few claims run to their end (`ended`), and the same with nobody who decides on them (`open`)."""
    address = StoreAddress.parse(store_server.url)
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        yield {
            name: runner.run(small_store(address, tmp_path_factory.mktemp(name), ended=name == "ended"))
            for name in ("ended", "open")
        }
