"""The lab of seed 001 as its rows use it: a real cluster, its store, and our command line on it.

Commands run in this process (the same `main` as the program's, without the start of an interpreter each time).
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
from typing import TYPE_CHECKING, Any
from unittest import mock

import redis

from tests.support.commands import Said, environment, running_cluster
from tests.support.waiting import PATIENCE, until_sync
from workers.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.commands import Cluster

J7 = {
    "policyId": "POL-001",
    "customerId": "CUST-001",
    "amount": 2500,
    "description": "Rear-end collision",
    "type": "auto",
}
"""The body J7 of the rows."""


def said(*words: str) -> Said:
    """One command line, to its end."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.dict(os.environ, environment(), clear=True),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = main(list(words))
    return Said(code, out.getvalue(), err.getvalue())


class Lab:
    """A running cluster with its store; `client` is what redis-cli is in the rows."""

    def __init__(self, data: Path, cluster: Cluster | None, client: Any) -> None:
        self.data = data
        self.cluster = cluster
        self.client = client
        self._policies = itertools.count(598, -3)

    def cs(self, *words: str) -> Said:
        """`cs words` on this store."""
        return said(*words, "--data-dir", str(self.data))

    def ok(self, *words: str) -> Any:
        """`cs words --json`, which has to end with 0; what it printed."""
        answer = self.cs(*words, "--json")
        assert answer.code == 0, answer
        return answer.json

    def submit(self, **changes: object) -> str:
        """`cs claim submit J7` (changed), on a motor policy of its own: two like losses are a duplicate."""
        number = f"{next(self._policies):03d}"
        body = J7 | {"policyId": f"POL-{number}", "customerId": f"CUST-{number}"} | changes
        claim_id: str = self.ok("claim", "submit", json.dumps(body))["claimId"]
        return claim_id

    def assigned(self, **changes: object) -> str:
        """A claim that an adjuster has."""
        claim_id = self.submit(**changes)
        self.until_state(claim_id, "ASSIGNED")
        return claim_id

    def paid(self, **changes: object) -> str:
        """A claim that was approved, paid and closed."""
        claim_id = self.assigned(**changes)
        self.ok("claim", "approve", claim_id, str(changes.get("amount", J7["amount"])))
        self.until_state(claim_id, "PAYMENT_PENDING")
        self.ok("claim", "payment", claim_id)
        self.until_state(claim_id, "CLOSED")
        return claim_id

    def snapshot(self, claim_id: str) -> dict[str, str]:
        """`r HGETALL claim:$C`."""
        return texts(self.client.hgetall(f"claim:{claim_id}"))

    def until_state(self, claim_id: str, state: str, within: float = PATIENCE) -> None:
        """Wait until the claim is in this state."""
        until_sync(
            lambda: self.client.hget(f"claim:{claim_id}", "state") == state.encode(),
            within=within,
            what=f"{claim_id} is {state}",
        )

    def facts(self, claim_id: str) -> list[dict[str, Any]]:
        """The entries of a claim, as `cs claim history` tells them."""
        found: list[dict[str, Any]] = self.ok("claim", "history", claim_id)["entries"]
        return found

    def types(self, claim_id: str) -> list[str]:
        """The event types of a claim, in order."""
        return [fact["type"] for fact in self.facts(claim_id)]

    def log(self) -> list[dict[str, str]]:
        """Every entry of `claims:events`."""
        return [texts(fields) for _, fields in self.client.xrange("claims:events")]

    def raw(self, event_type: str, claim_id: str, data: object, **changes: str) -> str:
        """XADD in the flat format of the lab; the entry id."""
        fields = {
            "eventId": os.urandom(8).hex(),
            "eventType": event_type,
            "claimId": claim_id,
            "timestamp": "2026-01-20T10:00:00.000Z",
            "data": data if isinstance(data, str) else json.dumps(data),
            "version": "1.0",
        } | changes
        entry_id: bytes = self.client.xadd("claims:events", fields)
        return entry_id.decode()

    def groups(self) -> list[dict[str, Any]]:
        """`cs groups`."""
        found: list[dict[str, Any]] = self.ok("groups")["groups"]
        return found

    def rest(self, within: float = PATIENCE) -> None:
        """Wait until no group has anything to do, seen twice with nothing settled in between.

        Groups are looked at one after the other: one that was idle may have been given work by one looked at later.
        """
        before: list[int] = []

        def resting() -> bool:
            groups = self.groups()
            idle = all(group["backlog"] == group["pending"] == 0 for group in groups)
            settled = [group["settled"] for group in groups] if idle else []
            same = idle and settled == before
            before[:] = settled
            return same

        until_sync(resting, within=within, what="all groups at rest")

    def verified(self) -> Any:
        """What `cs verify` says of the cluster at rest; asked again when it was at work meanwhile."""
        while True:
            self.rest()
            answer = self.cs("verify", "--json")
            if not answer.json["moving"]:
                return answer.json


def texts(fields: dict[bytes, bytes]) -> dict[str, str]:
    """A reply as text."""
    return {name.decode(): value.decode() for name, value in fields.items()}


@contextlib.contextmanager
def running_lab(folder: Path, *words: str) -> Iterator[Lab]:
    """A cluster as a process of its own, on a store of its own, with the sample data loaded."""
    data = folder / "store"
    with running_cluster(*words, data_dir=data) as cluster, connected(cluster.told["store"]) as client:
        lab = Lab(data, cluster, client)
        lab.ok("lab", "load-sample-data")
        yield lab
        if cluster.process.poll() is None:
            assert cluster.stop() == 0, cluster.log()[-3000:]


@contextlib.contextmanager
def connected(url: str) -> Iterator[Any]:
    """A plain client (Any: the library types replies for every protocol at once)."""
    with redis.Redis.from_url(url) as client:
        yield client
