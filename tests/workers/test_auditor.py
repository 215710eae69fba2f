"""The auditor: every entry is a link, raw and broken ones included; checkpoints stand at fixed counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from domain.audit_chain import head
from runtime.effects import HashSet, StreamAdd
from runtime.entry import Batch
from tests.support.claim_entries import NothingForged, claim_actor, entries_of
from tests.support.claims import Story
from tests.support.store import command
from workers.auditor import Auditor, AuditorOptions
from workers.keys import CLAIM_LOG

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from runtime.entry import Entry
    from runtime.store.address import StoreAddress
    from runtime.store.reads import Reads

EVERY_TWO = AuditorOptions(checkpoint_every=2)


def auditor(keys: Any, reads: Reads) -> Auditor:
    return Auditor(keys, reads, NothingForged(), EVERY_TWO)


def chained(entries: list[Entry]) -> str:
    return head((entry.id.encode(), list(entry.fields)) for entry in entries).hex()


async def test_the_chain_covers_raw_and_broken_entries_byte_by_byte(
    store_address: StoreAddress, commands: Redis
) -> None:
    async with claim_actor(store_address, auditor, "auditors") as one:
        await one.append(Story().submit().facts)
        await command(commands, "XADD", CLAIM_LOG, "*", "eventType", "claim.submitted", "claimId", "CLM-1")
        await command(commands, "XADD", CLAIM_LOG, "*", b"\xff\xfe", b"\x00")
        await one.at_rest()
        raw = [(entry_id, fields) async for entry_id, fields in one.store.reads.stream(CLAIM_LOG)]
        chain = await one.hash("audit:chain")
        assert chain == {"head": head(raw).hex(), "count": str(len(raw)), "last": raw[-1][0].decode()}
        letters = await command(commands, "EXISTS", "claims:events:parked:auditors")
        assert letters == 0


async def test_every_cut_into_batches_gives_the_same_chain_and_checkpoints(
    store_address: StoreAddress, commands: Redis
) -> None:
    entries = entries_of(Story().submit().facts)
    assert len(entries) == 5
    async with claim_actor(store_address, auditor, "auditors") as one:
        seen = []
        for cut in (1, 3, 5):
            actor = auditor(one.keys, one.store.reads)
            batches = [Batch(CLAIM_LOG, 0, entries[at : at + cut]) for at in range(0, 5, cut)]
            effects = [effect for batch in batches for effect in await actor.handle(batch)]
            checkpoints = [effect.fields for effect in effects if isinstance(effect, StreamAdd)]
            last = [effect.fields for effect in effects if isinstance(effect, HashSet)][-1]
            seen.append((checkpoints, last))
    assert seen[0] == seen[1] == seen[2]
    checkpoints, last = seen[0]
    assert [dict(zip(one[::2], one[1::2], strict=True)) for one in checkpoints] == [
        {"count": "2", "id": entries[1].id, "head": chained(entries[:2]), "time": "2023-11-14T22:13:20.001Z"},
        {"count": "4", "id": entries[3].id, "head": chained(entries[:4]), "time": "2023-11-14T22:13:20.003Z"},
    ]
    assert last == {"head": chained(entries), "count": "5", "last": entries[4].id}


async def test_what_was_never_settled_is_forgotten_and_the_stored_head_is_read_again(
    store_address: StoreAddress,
) -> None:
    entries = entries_of(Story().submit().facts)
    async with claim_actor(store_address, auditor, "auditors") as one:
        actor = auditor(one.keys, one.store.reads)
        await actor.handle(Batch(CLAIM_LOG, 0, entries[:3]))
        actor.forget()
        effects = await actor.handle(Batch(CLAIM_LOG, 0, entries[:3]))
    assert isinstance(effects[-1], HashSet)
    assert effects[-1].fields["count"] == "3", "it went on from a head that the store never got"
