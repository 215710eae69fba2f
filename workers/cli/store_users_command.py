"""`store`: the users of the store with their rights and passwords."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from workers.cli.errors import Problem
from workers.cli.given import given_of
from workers.cli.output import answer, note

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.cli.given import Given
    from workers.store_users import Logs


_T = TypeVar("_T")


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="The users of the store.")
    group.command("users")(users)
    group.command("matrix")(matrix)
    group.command("passwords")(passwords)
    app.add_typer(group, name="store")


Folder = Annotated[str, typer.Option(help="Directory with one password file per user.")]


def users(
    ctx: typer.Context,
    passwords: Folder = "",
    output: Annotated[str, typer.Option(help="File to write, mode 0600; else it is printed.")] = "",
    simulation: Annotated[bool, typer.Option(help="Also the user that a demonstration needs.")] = False,
) -> None:
    """Write the ACL file of the store: a user per actor with least rights. Without passwords every user is off."""
    from workers.adapters.store_passwords import read_passwords, write_private
    from workers.store_users import acl_lines
    from workers.store_users import users as table

    given = given_of(ctx)
    found = table(_logs(given), simulation=simulation)
    known = _told(lambda: read_passwords(Path(passwords), [one.user for one in found])) if passwords else {}
    text = "\n".join(acl_lines(found, known)) + "\n"
    if not output:
        typer.echo(text, nl=False)
        return
    _told(lambda: write_private(Path(output), text))
    off = len(found) - len(known)
    note(given, f"wrote {len(found)} users to {output}{f', {off} of them off: no password' if off else ''}")


def matrix(ctx: typer.Context) -> None:
    """Print who may do what with which keys, as a table for people."""
    from workers.store_users import matrix as table

    typer.echo(table(_logs(given_of(ctx))), nl=False)


def passwords(
    ctx: typer.Context,
    folder: Annotated[str, typer.Argument(help="Directory of the password files; made when missing.")],
    rotate: Annotated[bool, typer.Option(help="Make the next password of each user; both are valid.")] = False,
    switch: Annotated[bool, typer.Option(help="Use the next passwords from now on; both stay valid.")] = False,
    finish: Annotated[bool, typer.Option(help="Forget the passwords before.")] = False,
    simulation: Annotated[bool, typer.Option(help="Also the user that a demonstration needs.")] = False,
) -> None:
    """Make the passwords that are missing, or change them in three steps without downtime."""
    from workers.adapters.store_passwords import finish_rotation, make_missing, make_next, switch_to_next
    from workers.store_users import users as table

    given = given_of(ctx)
    if rotate + switch + finish > 1:
        raise Problem("one step at a time: --rotate, then --switch, then --finish, each followed by ACL LOAD")
    names = [one.user for one in table(_logs(given), simulation=simulation)]
    step = make_next if rotate else switch_to_next if switch else finish_rotation if finish else make_missing
    changed = _told(lambda: step(Path(folder), names))
    answer(given, {"changed": changed}, lambda: f"{len(changed)} passwords changed in {folder}")


def _logs(given: Given) -> Logs:
    from workers.store_users import Logs

    return Logs.of(given.settings().log.partitions)


def _told(work: Callable[[], _T]) -> _T:
    """Do it; an error of the file system as a line for people."""
    try:
        return work()
    except OSError as problem:
        raise Problem(f"{problem.filename}: {problem.strerror}") from problem
