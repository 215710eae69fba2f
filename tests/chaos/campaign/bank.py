"""The stub bank of a seed: it lives outside of everything that is killed, and its own books are the witness."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from tests.chaos.campaign.dump import text
from tests.chaos.campaign.embedded_target import AWAY
from tests.support.waiting import NotInTimeError, until
from workers.stub_bank.server import StubBank, serving_bank

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.chaos.campaign.scene import Scene


class Bank:
    """One bank, in the process of the seed."""

    def __init__(self) -> None:
        """Closed."""
        self._bank: StubBank | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        """Its URL."""
        async with serving_bank() as (url, self._bank):
            yield url

    def orders(self) -> list[dict[str, Any]]:
        """Its statement."""
        assert self._bank is not None
        found: list[dict[str, Any]] = self._bank.statement()["orders"]
        return found

    def _messages(self) -> list[str]:
        assert self._bank is not None
        return [str(message["id"]) for message in self._bank._book.messages(0, 1_000_000)[0]]

    async def everything_told(self, scene: Scene, within: float) -> tuple[bool, str]:
        """Wait until each payment that was made is a fact, too; then write the books down."""
        missing: set[str] = set()

        async def told() -> bool:
            nonlocal missing
            try:
                missing = {one["paymentId"] for one in self.orders() if one["state"] == "paid"} - await _completed(
                    scene
                )
            except AWAY:
                return False
            return not missing

        try:
            await until(told, within=within, what="every payment is a fact")
        except NotInTimeError:
            return False, f"paid, and the log does not say so: {sorted(missing)[:5]}"
        finally:
            scene.history.write("bank", "bank", orders=self.orders(), messages=self._messages())
        return True, ""


async def _completed(scene: Scene) -> set[str]:
    """The payments that the log calls completed, or called so before it was trimmed."""
    keys = scene.keyspaces[0]
    entries = list(scene.moved)
    for partition in range(keys.spec.partitions):
        log = keys.log(partition)
        for _, fields in await scene.target.run("XRANGE", log, "-", "+", key=log):
            flat = fields if isinstance(fields, list) else [part for pair in fields.items() for part in pair]
            entries.append([text(part) for part in flat])
    return {_payment(flat) for flat in entries if "claim.payment.completed" in flat}


def _payment(fields: list[str]) -> str:
    data = fields[fields.index("data") + 1]
    return data.partition('"paymentId":"')[2].partition('"')[0]
