"""The daily work on a claim: who has it, documents, questions, investigation, letters, notes, holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from workers.cli.errors import Problem
from workers.cli.following import Wait  # noqa: TC001  # typer reads the annotations when the program runs
from workers.cli.issuing import Ident, issue, needed
from workers.cli.people import SOMEBODY, As

if TYPE_CHECKING:
    from datetime import datetime

    from domain.commands import Command

Reason = Annotated[str, typer.Option(help="Why. Needed.")]
To = Annotated[str, typer.Option("--to", metavar="ADJUSTER", help="To whom; else by the rules.")]
MOST_NAME = 128
"""Characters of the id of somebody, as in `--as`."""
OWING = ("claimant", "provider", "third_party")


def add_to(group: typer.Typer) -> None:
    """Add the commands to their group."""
    group.command("acknowledge")(acknowledge)
    group.command("assign")(assign)
    group.command("reassign")(reassign)
    group.command("document")(document)
    group.command("waive")(waive)
    group.command("request")(request)
    group.command("complete")(complete)
    group.command("investigate")(investigate)
    group.command("note")(note)
    group.command("letter")(letter)
    group.command("mandate")(mandate)
    group.command("hold")(hold)
    group.command("release")(release)


def acknowledge(
    ctx: typer.Context,
    ident: Ident,
    channel: Annotated[str, typer.Option(help="How the claimant was told: phone, mail ...")] = "",
    who: As = SOMEBODY,
    wait: Wait = False,
) -> None:
    """Record that the claimant was told that the notice is registered."""
    from domain.commands import AcknowledgeClaim

    issue(ctx, ident, AcknowledgeClaim(channel=channel), who, wait=wait)


def assign(ctx: typer.Context, ident: Ident, to: To = "", who: As = SOMEBODY, wait: Wait = False) -> None:
    """Give a claim that nobody has to an adjuster, who has to pass the filter."""
    from domain.commands import AssignClaim

    issue(ctx, ident, AssignClaim(adjuster_id=to), who, wait=wait)


def reassign(
    ctx: typer.Context, ident: Ident, to: To = "", reason: Reason = "", who: As = SOMEBODY, wait: Wait = False
) -> None:
    """Give the claim to another adjuster, and say why."""
    from domain.commands import ReassignClaim

    command = ReassignClaim(reason=needed(reason, "to reassign needs a reason"), adjuster_id=to)
    issue(ctx, ident, command, who, wait=wait)


def document(
    ctx: typer.Context,
    ident: Ident,
    kind: Annotated[str, typer.Argument(help="What it is: invoice, police_report, photos ...")],
    document_id: Annotated[str, typer.Option("--id", help="Its id; made up when not given.")] = "",
    name: Annotated[str, typer.Option(help="The name of the file.")] = "",
    digest: Annotated[
        str, typer.Option("--hash", help="Its hash, such as a SHA-256: one that another claim has is looked into.")
    ] = "",
    who: As = SOMEBODY,
    wait: Wait = False,
) -> None:
    """Record a document that came in; what the checklist asks for is ticked off."""
    from uuid import uuid4

    from domain.commands import UploadDocument

    if not kind.strip() or len(kind) > 128 or not kind.isprintable():
        raise Problem("the kind of a document is a word such as invoice")
    given = document_id or f"DOC-{uuid4().hex[:12].upper()}"
    issue(ctx, ident, UploadDocument(document_id=given, kind=kind, name=name, hash=digest), who, wait=wait)


def waive(
    ctx: typer.Context,
    ident: Ident,
    item: Annotated[str, typer.Argument(help="The item of the checklist that is not needed.")],
    reason: Reason = "",
    who: As = SOMEBODY,
    wait: Wait = False,
) -> None:
    """Go without an item of the checklist, and say why."""
    from domain.commands import WaiveDocument

    command = WaiveDocument(checklist_item=item, reason=needed(reason, "a waiver needs a reason"))
    issue(ctx, ident, command, who, wait=wait)


def request(
    ctx: typer.Context,
    ident: Ident,
    items: Annotated[list[str], typer.Argument(help="What is needed: invoice, police_report ...")],
    owed_by: Annotated[str, typer.Option("--from", help="claimant, provider or third_party.")] = "claimant",
    message: Annotated[str, typer.Option(help="A few words to them; kept sealed.")] = "",
    who: As = SOMEBODY,
    wait: Wait = False,
) -> None:
    """Ask for information. Only a request to the claimant pauses the time to decide."""
    from domain.commands import RequestInformation

    if owed_by not in OWING:
        raise Problem(f"--from {owed_by[:40]}: choose one of {', '.join(OWING)}")
    command = RequestInformation(items=tuple(items), owed_by=owed_by, message=message)  # type: ignore[arg-type]  # one of OWING
    issue(ctx, ident, command, who, wait=wait)


def complete(ctx: typer.Context, ident: Ident, who: As = SOMEBODY, wait: Wait = False) -> None:
    """Say that everything that was asked for is there; the claim goes on where it was."""
    from domain.commands import CompleteInformation

    issue(ctx, ident, CompleteInformation(), who, wait=wait)


def investigate(
    ctx: typer.Context,
    ident: Ident,
    scope: Annotated[str, typer.Option(help="What is looked into.")] = "circumstances of the loss",
    finding: Annotated[str, typer.Option(help="Ends the investigation: consistent, inconsistent ...")] = "",
    evidence: Annotated[
        list[str] | None, typer.Option(metavar="DOCUMENT", help="With --finding: a document id.")
    ] = None,
    visible: Annotated[
        bool, typer.Option("--visible", help="The claimant may be told, in the same neutral words as always.")
    ] = False,
    who: As = SOMEBODY,
    wait: Wait = False,
) -> None:
    """Start an investigation, or end it with its finding."""
    from domain.commands import CompleteInvestigation, StartInvestigation

    command: Command
    if finding:
        command = CompleteInvestigation(finding=finding, document_ids=tuple(evidence or ()), visible=visible)
    else:
        command = StartInvestigation(scope=scope, visible=visible)
    issue(ctx, ident, command, who, wait=wait)


def note(
    ctx: typer.Context,
    ident: Ident,
    text: Annotated[str, typer.Argument(help="The note; kept sealed.")],
    kind: Annotated[str, typer.Option(help="`contact` when the claimant was spoken to; else any word.")] = "file",
    who: As = SOMEBODY,
    wait: Wait = False,
) -> None:
    """Add a note to the file."""
    from domain.commands import AddNote

    command = AddNote(kind=needed(kind, "a note has a kind", "--kind WORD"), note=needed(text, "the note", "TEXT"))
    issue(ctx, ident, command, who, wait=wait)


def letter(
    ctx: typer.Context,
    ident: Ident,
    name: Annotated[str, typer.Argument(metavar="LETTER", help="Which letter was sent: status ...")],
    reason: Annotated[str, typer.Option(help="What it says, in neutral words. Needed.")] = "",
    until: Annotated[
        str, typer.Option(metavar="DAY", help="The new day to decide by, where the law lets a letter move it.")
    ] = "",
    who: As = SOMEBODY,
    wait: Wait = False,
) -> None:
    """Record a status letter to the claimant."""
    from domain.commands import SendStatusLetter

    said = needed(reason, "a letter says something")
    moved = _moment(until) if until else None
    issue(ctx, ident, SendStatusLetter(letter=name, reason=said, extends_until=moved), who, wait=wait)


def _moment(text: str) -> datetime:
    from workers.claim_reading import moment_of

    try:
        return moment_of(text)
    except ValueError as problem:
        raise Problem(f"--until {text[:40]}: give a day (2025-01-20) or an ISO 8601 time") from problem


def mandate(
    ctx: typer.Context,
    ident: Ident,
    representative: Annotated[str, typer.Argument(metavar="PERSON", help="Who speaks for the claimant: an id.")],
    end: Annotated[bool, typer.Option("--end", help="The person speaks for the claimant no more.")] = False,
    who: Annotated[str, typer.Option("--as", metavar="ROLE:ID", help="Who says so; else the claimant.")] = "",
    wait: Wait = False,
) -> None:
    """Name somebody who may act and look for the claimant: a lawyer, a broker, one of the family."""
    from domain.commands import EndMandate, GiveMandate

    if not representative.isprintable() or not 0 < len(representative.strip()) <= MOST_NAME:
        raise Problem(f"the person is named by an id, one line of at most {MOST_NAME} characters")
    command = EndMandate(representative_id=representative) if end else GiveMandate(representative_id=representative)
    issue(ctx, ident, command, who, wait=wait, claimant=True)


def hold(
    ctx: typer.Context,
    ident: Ident,
    name: Annotated[str, typer.Argument(metavar="HOLD", help="Its id.")],
    reason: Reason = "",
    who: As = SOMEBODY,
    wait: Wait = False,
) -> None:
    """Place a legal hold: nothing of this claim may be erased."""
    from domain.commands import PlaceLegalHold

    issue(ctx, ident, PlaceLegalHold(hold_id=name, reason=needed(reason, "a hold needs a reason")), who, wait=wait)


def release(
    ctx: typer.Context,
    ident: Ident,
    name: Annotated[str, typer.Argument(metavar="HOLD", help="Its id.")],
    reason: Reason = "",
    who: As = SOMEBODY,
    wait: Wait = False,
) -> None:
    """Release a legal hold."""
    from domain.commands import ReleaseLegalHold

    command = ReleaseLegalHold(hold_id=name, reason=needed(reason, "to release a hold needs a reason"))
    issue(ctx, ident, command, who, wait=wait)
