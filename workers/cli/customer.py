"""`customer show ID`: what is known of a customer, their claims, and the risk score with its reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer  # typer reads the annotations of a command when the program runs

from workers.cli.addressing import connected, store_address
from workers.cli.errors import Problem
from workers.cli.given import given_of
from workers.cli.looping import run_async
from workers.cli.output import answer, table
from workers.cli.people import SOMEBODY, As, person
from workers.cli.reading_trail import HANDLING, For, leave_trail, purpose_of

if TYPE_CHECKING:
    from rich.console import RenderableType

    from domain.claim_record import Claim
    from workers.cli.given import Given


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    sub = typer.Typer(no_args_is_help=True, help="Ask about customers.")
    sub.command("show")(show)
    app.add_typer(sub, name="customer")


def show(
    ctx: typer.Context,
    customer: Annotated[str, typer.Argument(metavar="ID", help="Such as CUST-521585.")],
    who: As = SOMEBODY,
    purpose: For = HANDLING,
) -> None:
    """Show a customer, their claims, and a risk score from 0 to 100 with its reasons. For people inside only."""
    from workers.claimant_view import is_outside

    given = given_of(ctx)
    actor, why = person(given, who), purpose_of(purpose)
    if is_outside(actor):
        raise Problem(f"--as {who}: what is known of a customer is for people of the house")
    told, claims = run_async(_told(given, customer))
    run_async(leave_trail(given, actor, claims, "customer show", why))  # the reasons of the score tell of SIU files
    answer(given, told, lambda: _page(told))


async def _told(given: Given, customer: str) -> tuple[dict[str, Any], list[Claim]]:
    from datetime import UTC, datetime

    import msgspec

    from domain.customer_risk import risk_score
    from runtime.store.keys import Keyspace
    from runtime.store.reads import Reads
    from workers.adapters.records import StoredClaims
    from workers.claim_log import SNAPSHOT_BODY
    from workers.cli.survey import stored_specs
    from workers.keys import ClaimKeys, claim_log, customer_log

    settings = given.settings()
    async with connected(settings, store_address(settings)) as client:
        reads = Reads(client)
        specs = await stored_specs(reads, [claim_log(settings.log.partitions), customer_log()])
        by_name = {spec.name: Keyspace(spec) for spec in specs}
        claim_space, customer_space = by_name.get("claims:events"), by_name.get("customers:events")
        if claim_space is None or customer_space is None:
            raise Problem(f"customer {customer[:80]!r} not found: there is no log yet")
        parts = [ClaimKeys(claim_space, number) for number in range(claim_space.spec.partitions)]
        rows = await reads.many([("SMEMBERS", keys.insured(customer)) for keys in parts])
        ids = sorted(name.decode() for row in rows for name in row)
        record = await reads.one("HGET", customer_space.snapshot(customer), SNAPSHOT_BODY)
        if record is None and not ids:
            raise Problem(f"customer {customer[:80]!r} not found")
        claims = [claim for claim in await StoredClaims(reads, claim_space).read(ids) if claim is not None]
    known = msgspec.json.decode(record) if record else {}
    known.pop("sealed", None)
    claims.sort(key=lambda claim: (claim.notice.loss_date, claim.claim_id))
    # A portfolio of the past is looked at as of its last loss: today nothing of it would be recent.
    today = max((claim.notice.loss_date for claim in claims), default=datetime.now(UTC).date())
    told = {
        "customerId": customer,
        "customer": known,
        "claims": [
            {
                "claimId": claim.claim_id,
                "policyNumber": claim.notice.policy_number,
                "lossDate": claim.notice.loss_date.isoformat(),
                "state": claim.state.value,
                "claimed": str(claim.notice.claimed),
            }
            for claim in claims
        ],
        "risk": msgspec.to_builtins(risk_score(claims, today)) | {"asOf": today.isoformat()},
    }
    return told, claims


def _page(told: dict[str, Any]) -> RenderableType:
    from rich.console import Group

    risk = told["risk"]
    known = told["customer"]
    head = f"{told['customerId']}, registered {known.get('registered', 'never')}: risk {risk['score']} of 100"
    parts: list[RenderableType] = [f"{head} (claims up to {risk['asOf']})"]
    if risk["reasons"]:
        rows = [(one["code"], one["times"], one["points"], " ".join(one["claims"])) for one in risk["reasons"]]
        parts.append(table(("reason", "times", "points", "claims"), rows, right=("times", "points")))
    else:
        parts.append("no reason to expect more losses than usual")
    columns = ("claimId", "policyNumber", "lossDate", "claimed", "state")
    claims = [tuple(one[column] for column in columns) for one in told["claims"]]
    parts.append(table(("claim", "policy", "loss", "claimed", "state"), claims, right=("claimed",)))
    return Group(*parts)
