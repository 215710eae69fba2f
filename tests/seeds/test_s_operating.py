"""Operating what went wrong: replay, trim, recovery of consumers, failed events taken again."""

from __future__ import annotations

import os
import signal
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from runtime.serving.attempts import WorkOptions
from runtime.store.parking import DeadLetters
from runtime.store.reads import Reads
from tests.support.commands import running_cluster
from tests.support.lab import Lab, connected, running_lab
from tests.support.rows import row
from tests.support.running import Lister, serving
from tests.support.things import open_things
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from redis.asyncio import Redis

    from runtime.store.clients import StoreAddress

pytestmark = pytest.mark.timeout(600)

G = "listers"


@row("S32", "S39", "S90")
def test_a_replayed_and_trimmed_log_answers_every_question(tmp_path: Path) -> None:
    """The walk of an operator: replay, trim, ask everything again, retire."""
    with running_lab(tmp_path) as lab:
        paid = lab.paid()
        waiting = lab.assigned()
        lab.rest()
        replayed = lab.ok("replay", "--group", "analytics", "--from", "0")
        assert (replayed["differences"], replayed["swapped"]) == (0, True)
        intents = lab.ok("replay", "--group", "notifications")
        assert (intents["differences"], intents["sent"]) == (0, 0)
        refused = lab.cs("replay", "--group", "dispatchers")
        assert refused.code == 2
        assert "send again" in refused.one_line()
        part = lab.cs("replay", "--group", "analytics", "--from", "2026-01-01")
        assert part.code == 2
        assert "--dry-run" in part.one_line()

        history = lab.facts(paid)
        states = [lab.ok("claim", "show", paid, "--at", fact["time"]) for fact in history]
        dry = lab.ok("trim", "--before", "2999-01-01", "--dry-run")
        (claims,) = (one for one in dry["partitions"] if one["log"] == "claims:events")
        assert claims["slowest"]
        assert claims["slowestAt"] == claims["limit"]
        length = lab.client.xlen("claims:events")
        done = lab.ok("trim", "--before", "2999-01-01", "--reason", "a row")
        assert done["removed"] == dry["removed"] > 10
        assert lab.client.xlen("claims:events") < length
        assert lab.facts(paid) == history
        assert [lab.ok("claim", "show", paid, "--at", fact["time"]) for fact in history] == states
        counted = lab.ok("sql", "select count(*) from claims_service.claims")
        assert counted["rows"] == [[len(lab.ok("sql", "select claim_id from claims_service.claims")["rows"])]]
        known = lab.ok("sql", f"select state from claims_service.claims where claim_id = '{paid}'")
        assert known["rows"] == [[lab.ok("claim", "show", paid)["state"]]]
        assert lab.cs("sql", "drop table claims_service.claims").code == 2
        for words in (("verify",), ("audit", "verify"), ("archive", "status"), ("rebuild", "--check")):
            lab.ok(*words)
        assert lab.ok("replay", "--group", "analytics", "--dry-run")["differences"] == 0
        assert {one[1][b"what"] for one in lab.client.xrange("claims:events:operations")} >= {b"trim", b"swap"}

        served = lab.cs("groups", "retire", "analytics", "--reason", "a row")
        assert served.code == 2
        assert "served" in served.one_line()
        lab.ok("claim", "approve", waiting, "2500")
        lab.until_state(waiting, "PAYMENT_PENDING")
        lab.rest()
        assert lab.verified()["differences"] == 0


@row("S33")
def test_consumer_recovery_loses_nothing_and_does_nothing_twice(tmp_path: Path) -> None:
    """`test-consumer-recovery` of the seed: killed in the middle of its work, twice; counted by event id."""
    with running_lab(tmp_path) as lab:
        claims = lab.cs("lab", "submit-test-claims", "--count", "30").out.split()
        assert lab.cluster is not None
        os.kill(lab.cluster.pid, signal.SIGKILL)
        lab.cluster.process.wait()
    with running_cluster(data_dir=lab.data) as cluster:
        os.kill(cluster.pid, signal.SIGKILL)
        cluster.process.wait()
    with running_cluster(data_dir=lab.data) as cluster, connected(cluster.told["store"]) as client:
        lab = Lab(lab.data, cluster, client)
        for claim in claims:
            lab.until_state(claim, "ASSIGNED")
        lab.rest()
        counts = Counter((one["claimId"], one["eventType"]) for one in lab.log())
        lost = [claim for claim in claims if not counts[claim, "claim.submitted"]]
        twice = [key for key, count in counts.items() if count > 1 and key[1] in ("claim.submitted", "claim.assigned")]
        assert (lost, twice) == ([], [])
        for group in lab.groups():
            assert (group["backlog"], group["pending"], group["parked"]) == (0, 0, 0), group
        assert lab.verified()["differences"] == 0
        assert cluster.stop() == 0


@row("S53")
async def test_a_failed_event_that_is_retried_twice_has_one_effect(
    commands: Redis, store_address: StoreAddress
) -> None:
    """Asked for twice at once and once more afterwards; what was held behind it follows in order, once."""
    things = await open_things(commands, G)
    await things.add("T1", 3)
    actor = Lister(fails={"T1-1"})
    letters = DeadLetters(commands, Reads(commands), things.keys)
    async with serving(store_address, things, actor, work=WorkOptions(attempts=2)) as served:
        await served.until_rest()
        assert [one.attempts for one in await letters.listed(G)][0] == 2, "tried more than once before it was parked"
        actor.fails.clear()
        for _ in range(2):
            await letters.retry(G, 0, ["T1"], who="ann", why="repaired")

        async def taken() -> bool:
            look = await things.look(G)
            return look.parked == 0 and look.retries == 0

        await until(taken, what="nothing is parked")
        assert await letters.retry(G, 0, ["T1"], who="ann", why="again") == 0, "there is nothing left to take"
        await served.until_rest()
    assert await things.list("seen") == ["T1-1", "T1-2", "T1-3"]
