"""Real processes: cluster, bank and command line. A kill between the call and its record pays nobody twice."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from domain.transitions import State
from tests.support.commands import argv, cli, environment, running_cluster
from tests.support.notices import owned_threads
from tests.support.small_cluster import small_application
from tests.support.waiting import PATIENCE, until, until_sync
from workers.adapters.small_claims import small_claims
from workers.importing import Importer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from domain.claim_record import Claim
    from runtime.store.address import StoreAddress

CLAIMS = 6


class BankProcess:
    """`claimstream bank` as a process, and its admin routes."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.url = ""
        self._out = b""

    def is_up(self) -> bool:
        assert self.process.stdout is not None
        assert self.process.poll() is None, "the bank ended"
        self._out += self.process.stdout.read() or b""
        if b"\n" not in self._out:
            return False
        self.url = json.loads(self._out)["url"]
        return True

    def ask(self, method: str, path: str, **body: Any) -> Any:
        data = json.dumps(body).encode() if method != "GET" else None
        request = urllib.request.Request(self.url + path, data=data, method=method)
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.loads(answer.read())

    def behave(self, **how: Any) -> None:
        self.ask("PUT", "/admin/behaviour", **how)

    def orders(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("GET", "/admin/statement")["orders"]
        return found


@contextmanager
def bank_process(file: Path, port: int = 0) -> Iterator[BankProcess]:
    process = subprocess.Popen(
        argv("bank", "--json", "--port", str(port), "--file", str(file)),
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    bank = BankProcess(process)
    try:
        until_sync(bank.is_up, what="the bank is up")
        yield bank
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.timeout(600)
async def test_a_cluster_killed_between_the_call_and_its_record_pays_once_and_books_once(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    folder, url = tmp_path / "store", str(store_address.url)
    rows = list(small_claims(CLAIMS))
    with bank_process(tmp_path / "books.sqlite") as bank:
        env = {"CLAIMSTREAM_BANK__URL": bank.url, "CLAIMSTREAM_BANK__CALL_SECONDS": "60"}
        bank.behave(slow_seconds=60, answer_after=0)
        async with (
            owned_threads(),
            small_application(store_address, tmp_path, simulation=False, more={"bank.url": bank.url}) as app,
        ):
            ids = (await Importer(app).portfolio(rows)).claim_ids

            async def claims() -> list[Claim]:
                return [claim for claim in await app.claims.read(ids) if claim is not None]

            with running_cluster(data_dir=folder, url=url, env=env) as first:
                await until(lambda: bool(bank.orders()), what="the bank carries out an order")
                assert not await app.store.reads.one("EXISTS", app.claim_keys(0).payment_outcomes)
                first.process.kill()  # the bank has paid, nobody has heard of it
                first.process.wait()
            bank.behave()
            with running_cluster(data_dir=folder, url=url, env=env) as second:

                async def paid() -> bool:
                    return all(claim.state is State.CLOSED for claim in await claims() if claim.payments)

                await until(paid, what="every payment is confirmed")
                assert second.stop() == 0
            payments = [payment for claim in await claims() for payment in claim.payments]
            log = app.claim_keyspace.log(0)
            completed = [
                fields
                async for _, fields in app.store.reads.stream(log)
                if fields[fields.index(b"eventType") + 1] == b"claim.payment.completed"
            ]
        orders = bank.orders()
        again = cli("reconciliation", "list", "--json", url=url)
    assert payments, "some of the small claims go straight through"
    assert sorted(order["key"] for order in orders) == sorted(payment.id for payment in payments)
    assert [order["state"] for order in orders] == ["paid"] * len(payments)
    assert max(order["asked"] for order in orders) > 1, "the order was handed over once more, under its key"
    assert len(completed) == len(payments)
    assert again.json == {"items": []}


@pytest.mark.timeout(600)
async def test_a_bank_that_is_killed_and_comes_back_has_paid_nothing_twice(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    folder, url = tmp_path / "store", str(store_address.url)
    with bank_process(tmp_path / "books.sqlite") as bank:
        port = int(bank.url.rsplit(":", 1)[1])
        env = {"CLAIMSTREAM_BANK__URL": bank.url}
        bank.behave(slow_seconds=30)
        async with (
            owned_threads(),
            small_application(store_address, tmp_path, simulation=False, more={"bank.url": bank.url}) as app,
        ):
            ids = (await Importer(app).portfolio(list(small_claims(CLAIMS)))).claim_ids
            with running_cluster(data_dir=folder, url=url, env=env) as cluster:
                await until(lambda: bool(bank.orders()), what="the bank carries out an order")
                bank.process.kill()
                bank.process.wait()
                with bank_process(tmp_path / "books.sqlite", port) as later:

                    async def paid() -> bool:
                        found = [claim for claim in await app.claims.read(ids) if claim is not None]
                        return all(claim.state is State.CLOSED for claim in found if claim.payments)

                    await until(paid, what="every payment is confirmed")
                    orders = later.orders()
                    assert cluster.stop() == 0
    assert len({order["paymentId"] for order in orders}) == len(orders)
    assert {order["state"] for order in orders} == {"paid"}


def test_a_bank_on_a_port_that_is_taken_says_so_in_one_line(tmp_path: Path) -> None:
    with bank_process(tmp_path / "books.sqlite") as bank:
        said = cli("bank", "--port", bank.url.rsplit(":", 1)[1])
    assert said.code == 2
    assert "choose another --port" in said.one_line()


def test_the_actor_payments_without_a_bank_is_refused_in_one_line(store_address: StoreAddress, tmp_path: Path) -> None:
    said = cli("run", "payments", data_dir=tmp_path / "store", url=str(store_address.url))
    assert said.code == 2
    assert "bank.url" in said.one_line()
