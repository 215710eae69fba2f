"""Is it the same claim, is it honest: duplicates, and referral to the special investigation unit (restricted)."""

from __future__ import annotations

from typing import Annotated

import typer

from workers.cli.errors import Problem
from workers.cli.following import Wait  # noqa: TC001  # typer reads the annotations when the program runs
from workers.cli.issuing import Ident, issue, needed
from workers.cli.opening import checked_claim_id
from workers.cli.people import SOMEBODY, As


def add_to(group: typer.Typer) -> None:
    """Add the commands to their group."""
    group.command("clear")(clear)
    group.command("duplicate")(duplicate)
    group.command("refer")(refer)
    group.command("conclude")(conclude)


def clear(
    ctx: typer.Context,
    ident: Ident,
    reason: Annotated[str, typer.Option(help="Why it is no duplicate. Needed.")] = "",
    who: As = SOMEBODY,
    wait: Wait = False,
) -> None:
    """Clear the suspicion that the claim is a duplicate of another one."""
    from domain.commands import ClearDuplicate

    command = ClearDuplicate(reason=needed(reason, "to clear a duplicate needs a reason"))
    issue(ctx, ident, command, who, wait=wait)


def duplicate(
    ctx: typer.Context,
    ident: Ident,
    of: Annotated[str, typer.Option("--of", metavar="CLAIM", help="The other claim, which stays. Needed.")] = "",
    reason: Annotated[str, typer.Option(help="Why it is the same loss. Needed.")] = "",
    who: As = SOMEBODY,
    wait: Wait = False,
) -> None:
    """Close the claim as a duplicate of another one, which stays."""
    from domain.commands import MarkDuplicate

    if not of:
        raise Problem("name the claim that stays: --of CLM-...")
    said = needed(reason, "to call it a duplicate needs a reason")
    issue(ctx, ident, MarkDuplicate(surviving_claim_id=checked_claim_id(of), reason=said), who, wait=wait)


def refer(
    ctx: typer.Context,
    ident: Ident,
    reason: Annotated[str, typer.Option(help="What is suspected. Needed; the claimant is never told.")] = "",
    who: As = SOMEBODY,
    wait: Wait = False,
) -> None:
    """Refer the claim to the special investigation unit."""
    from domain.commands import ReferToSIU

    issue(ctx, ident, ReferToSIU(reason=needed(reason, "a referral needs a reason")), who, wait=wait)


def conclude(
    ctx: typer.Context,
    ident: Ident,
    outcome: Annotated[str, typer.Argument(metavar="cleared|confirmed")],
    finding: Annotated[str, typer.Option(help="What was found. Needed; the claimant is never told.")] = "",
    who: Annotated[str, typer.Option("--as", metavar="siu:ID", help="Somebody of the unit. Needed.")] = "",
    wait: Wait = False,
) -> None:
    """Conclude the file of the special investigation unit."""
    from domain.commands import CloseSIU

    if outcome not in ("cleared", "confirmed"):
        raise Problem(f"the unit's file is cleared or confirmed, not {outcome[:40]!r}")
    said = needed(finding, "a conclusion needs a finding", "--finding TEXT")
    if not who:
        raise Problem("only the special investigation unit concludes its file: --as siu:ID")
    issue(ctx, ident, CloseSIU(outcome=outcome, finding=said), who, wait=wait)  # type: ignore[arg-type]  # checked
