"""`work`: whose desk has which claims, what waits for payment, and what nobody could take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer  # typer reads the annotations of a command when the program runs

from workers.cli.addressing import connected, store_address
from workers.cli.given import given_of
from workers.cli.looping import run_async
from workers.cli.output import answer, table

if TYPE_CHECKING:
    from domain.claim_record import Claim
    from workers.cli.given import Given
    from workers.keys import ClaimKeys

_PRIORITIES = ("urgent", "high", "normal", "low")


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("work")(work)


def work(
    ctx: typer.Context,
    name: Annotated[
        str,
        typer.Argument(metavar="LIST", help="An adjuster, or a list such as overflow; else the size of each."),
    ] = "",
) -> None:
    """Show the work lists: the desks of adjusters, the queues, and the claims on one of them, urgent ones first."""
    given = given_of(ctx)
    if not name:
        lists = run_async(_sizes(given))
        answer(given, {"lists": lists}, lambda: table(("list", "claims"), list(lists.items()), right=("claims",)))
        return
    rows = run_async(_claims_on(given, name))
    columns = ("claim", "state", "priority", "claimed", "submitted", "due")

    def page() -> Any:
        shown = [[row[column] for column in columns] for row in rows]
        return table(columns, shown, right=("claimed",), whole=("claim",)) if rows else f"no claim is on {name}"

    answer(given, {"list": name, "claims": rows}, page)


async def _sizes(given: Given) -> dict[str, int]:
    """Every list with its size over all partitions: queues first, then desks."""
    from runtime.store.reads import Reads

    async with connected(given.settings(), store_address(given.settings())) as client:
        reads = Reads(client)
        sizes: dict[str, int] = {}
        for keys in await _parts(given, reads):
            for family in ("queue:", "adjuster:"):
                names = sorted({raw.decode() async for raw in reads.keys(f"{family}*{keys.name('')}")})
                lengths = await reads.many([("LLEN", key) for key in names])
                for key, length in zip(names, lengths, strict=True):
                    label = _label(key.removesuffix(keys.name("")))
                    sizes[label] = sizes.get(label, 0) + length
    return {name: sizes[name] for name in sorted(sizes, key=lambda one: (one.startswith("ADJ-"), one))}


def _label(key: str) -> str:
    """`queue:overflow` -> overflow; `adjuster:ADJ-001:workload` -> ADJ-001."""
    return key.removeprefix("queue:") if key.startswith("queue:") else key.split(":")[1]


async def _parts(given: Given, reads: Any) -> list[ClaimKeys]:
    """The keys of every partition; none when there is no claim log yet."""
    from runtime.store.keys import Keyspace
    from workers.cli.survey import stored_specs
    from workers.keys import ClaimKeys, claim_log

    specs = await stored_specs(reads, [claim_log(given.settings().log.partitions)])
    if not specs:
        return []
    keyspace = Keyspace(specs[0])
    return [ClaimKeys(keyspace, number) for number in range(keyspace.spec.partitions)]


async def _claims_on(given: Given, name: str) -> list[dict[str, Any]]:
    """The claims of one list, urgent ones first, then those that wait longest."""
    from runtime.store.keys import Keyspace
    from runtime.store.reads import Reads
    from workers.adapters.records import StoredClaims
    from workers.cli.survey import stored_specs
    from workers.keys import claim_log

    settings = given.settings()
    async with connected(settings, store_address(settings)) as client:
        reads = Reads(client)
        parts = await _parts(given, reads)
        keys = [key for part in parts for key in (part.queue(name), part.workload(name))]
        ids = [raw.decode() for row in await reads.many([("LRANGE", key, 0, -1) for key in keys]) for raw in row]
        if not ids:
            return []
        specs = await stored_specs(reads, [claim_log(settings.log.partitions)])
        claims = [one for one in await StoredClaims(reads, Keyspace(specs[0])).read(ids) if one is not None]
    claims.sort(key=lambda claim: (_rank(claim.notice.priority), claim.submitted_at, claim.claim_id))
    return [_row(claim) for claim in claims]


def _rank(priority: str) -> int:
    return _PRIORITIES.index(priority) if priority in _PRIORITIES else len(_PRIORITIES)


def _row(claim: Claim) -> dict[str, Any]:
    from domain.sla import next_deadline

    due = next_deadline(claim)
    return {
        "claim": claim.claim_id,
        "state": claim.state.value,
        "priority": claim.notice.priority,
        "claimed": str(claim.notice.claimed),
        "submitted": f"{claim.submitted_at:%Y-%m-%dT%H:%MZ}",
        "due": f"{due:%Y-%m-%dT%H:%MZ}" if due is not None else "",
    }
