"""An outage of the key vault is nobody's fault: actors wait for it, and no entry is parked (F31, W23)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime.signals import EntryParked, WaitDeclared
from tests.support.small_cluster import small_cluster
from tests.support.waiting import until
from workers.ports import KeyVaultUnavailable

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from runtime.store.address import StoreAddress


async def test_a_vault_that_is_away_makes_actors_wait_and_parks_nothing(
    store_address: StoreAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with small_cluster(store_address, tmp_path, simulation=False) as cluster:
        seal, refused = cluster.app.sealer.seal_body, 0

        def away(*args: Any) -> Any:
            nonlocal refused
            if "reserve" in args[1] and refused < 8:  # more often than an entry is tried before it is parked
                refused += 1
                raise KeyVaultUnavailable("the key vault cannot be used now: database is locked")
            return seal(*args)

        monkeypatch.setattr(cluster.app.sealer, "seal_body", away)
        await cluster.submit(6)
        await until(lambda: refused >= 8, what="the vault was asked again and again")
        await cluster.at_rest()
        assert not cluster.signals.all(EntryParked)
        assert "store_away" in {wait.reason for wait in cluster.signals.all(WaitDeclared)}
