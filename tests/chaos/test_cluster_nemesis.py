"""Real `claimstream run` processes on a real store while a nemesis does harm; then the log is judged id by id.

Ordinary run: one seed with a few faults; `pytest -m chaos`: many, on one and four partitions.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from tests.chaos.support.claims_ledger import ledger
from tests.chaos.support.claims_producer import Producer
from tests.chaos.support.claims_run import claims_cluster
from tests.chaos.support.nemesis import FAULTS, Nemesis

if TYPE_CHECKING:
    from pathlib import Path


async def campaign(folder: Path, seed: int, *, partitions: int, runs: int, processes: int, faults: list[str]) -> None:
    """Faults one after the other while requests and rubbish come in; then rest, and the two verdicts."""
    chance = random.Random(seed)
    words = ("--processes", str(processes)) if processes > 1 else ()
    async with claims_cluster(folder, partitions) as cluster:
        await cluster.birth(*words)
        said = cluster.cli("lab", "load-sample-data")
        assert said.code == 0, said
        for _ in range(runs - 1):
            await cluster.birth(*words)
        nemesis, producer = Nemesis(cluster, chance, *words), Producer(cluster, chance)
        producing = asyncio.create_task(producer.run(), name="producer")
        try:
            for fault in faults:
                await nemesis.strike(fault)
                await asyncio.sleep(chance.uniform(0.1, 0.6))
            producer.stopping = True
            await producing
            await nemesis.end()
            await cluster.at_rest(within=120.0)  # after deaths without progress entries run one at a time
            book = await ledger(cluster)
            assert not book.wrong + book.outcomes_of(producer.sent)
            verdict = cluster.verdict()
            assert verdict["ok"], {n: one for n, one in verdict["invariants"].items() if one["violations"]}
            assert len(book.submitted()) == len(producer.claims)
            assert len(producer.claims) > 2 * len(faults), "too little happened to say anything"
        except BaseException as problem:
            problem.add_note(f"seed {seed}, faults {nemesis.done}, logs in {folder}")
            raise
        finally:
            producing.cancel()
            await asyncio.wait({producing})


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_claims_survive_every_fault_once_and_every_event_is_accounted_for(tmp_path: Path) -> None:
    faults = list(FAULTS)
    random.Random(11).shuffle(faults)
    await campaign(tmp_path, 11, partitions=4, runs=2, processes=1, faults=faults)


@pytest.mark.chaos
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(12))
async def test_claims_survive_a_long_run_of_faults(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    partitions, (runs, processes) = chance.choice([1, 4]), chance.choice([(1, 1), (2, 1), (1, 2)])
    faults = [chance.choice(FAULTS) for _ in range(20)]
    await campaign(tmp_path, seed, partitions=partitions, runs=runs, processes=processes, faults=faults)
