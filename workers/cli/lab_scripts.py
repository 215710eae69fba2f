"""What the lab's scripts did that no verb of ours does: sample data, and test claims one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from workers.cli.given import given_of
from workers.cli.looping import run_async
from workers.cli.opening import opened_application
from workers.cli.output import answer

if TYPE_CHECKING:
    from workers.application import Application
    from workers.cli.given import Given

SMALLEST_CENTS = {"auto": 160_000, "home": 510_000, "life": 500_000}
"""Test claims ask for at least so much, above what goes straight through: an adjuster gets each of them."""

STEP_CENTS = 1_337


def load_sample_data(ctx: typer.Context) -> None:
    """Load customers and policies of the samples; again changes nothing."""
    given = given_of(ctx)
    customers, policies = run_async(_load(given))
    told = {"customers": customers, "policies": policies}
    answer(given, told, lambda: f"Loaded {customers:,} customers and {policies:,} policies")


async def _load(given: Given) -> tuple[int, int]:
    from workers.adapters.auto_portfolio import portfolio
    from workers.importing import Importer, Record, batches
    from workers.lab_sample import lab_records

    async with opened_application(given) as app:
        importer = Importer(app)
        records: list[Record] = [*lab_records(), *portfolio()]
        for batch in batches(records):
            await importer.records(batch)
        return await _there(app, records)


async def _there(app: Application, records: list[Any]) -> tuple[int, int]:
    """How many of these customers and policies are in the store."""
    from workers.keys import CUSTOMER_LOG

    customers = app.keyspace(CUSTOMER_LOG)
    heads = await app.store.reads.many(
        [("EXISTS", customers.head(record.registered.customer_id)) for record in records]
    )
    policies = await app.policies.find([record.issued.number for record in records])
    return sum(map(bool, heads)), len(policies)


def submit_test_claims(
    ctx: typer.Context,
    count: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many.")] = 10,
    gap: Annotated[float, typer.Option(min=0, max=60, help="Seconds between two claims.")] = 0.0,
) -> None:
    """Submit invented claims one after the other and print their ids."""
    given = given_of(ctx)
    ids = run_async(_submit(given, count, gap))
    answer(given, {"submitted": len(ids), "claims": ids}, lambda: "\n".join(ids))


async def _submit(given: Given, count: int, gap: float) -> list[str]:
    import asyncio
    from uuid import uuid4

    from domain.outcome import Refused
    from domain.requests import Rejected
    from workers.cli.errors import Problem
    from workers.commanding import Commander
    from workers.importing import Importer
    from workers.lab_sample import lab_records
    from workers.lab_submission import read_lab_body

    ids: list[str] = []
    async with opened_application(given) as app:
        await Importer(app).records(lab_records())
        commander = Commander(app)
        for number in range(count):
            body = invented_body(number)
            wish = await read_lab_body(app, body, uuid4().hex, app.clock.now())
            if isinstance(wish, Rejected):
                raise Problem(wish.message)
            claim_id: str = wish.command.claim_id  # type: ignore[attr-defined]  # a submission has one
            outcome = await commander.issue(claim_id, wish.command, wish.actor)
            if isinstance(outcome, Refused):
                raise Problem(f"{claim_id}: {outcome}")
            ids.append(claim_id)
            if gap and number + 1 < count:
                await asyncio.sleep(gap)
    return ids


def invented_body(number: int) -> bytes:
    """An invented claim on one of the lab's policies, in the lab's words."""
    import json

    from workers.lab_sample import LAB_POLICIES

    which = number % LAB_POLICIES + 1
    kind = ("auto", "home", "life")[(which - 1) % 3]
    cents = SMALLEST_CENTS[kind] + number * STEP_CENTS % 300_000
    body = {
        "policyId": f"POL-{which:03d}",
        "customerId": f"CUST-{which:03d}",
        "amount": cents / 100,
        "description": f"invented test claim {number + 1}",
        "type": kind,
        "priority": ("low", "normal", "high", "urgent")[number % 4],
    }
    return json.dumps(body).encode()
