"""Who acts in a command: `--as ROLE:ID`. Nobody is asked for a password here: `local` and `lab` only."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Annotated

import typer

from workers.cli.errors import Problem

if TYPE_CHECKING:
    from domain.bodies.base import Actor

SOMEBODY = "claims_manager:CLI"
"""Who acts when nobody is named: a role that may decide whatever people decide up to its limit."""

BANK = "bank:CLI"
"""Who brings the bank's answers when nobody is named."""

As = Annotated[str, typer.Option("--as", metavar="ROLE:ID", help="The person who acts.")]


def person(text: str) -> Actor:
    """Read `ROLE:ID`. `Problem`: no such role, or no id."""
    from domain.bodies.base import Actor
    from domain.roles import ROLES

    role, colon, ident = text.partition(":")
    known = sorted(set().union(*ROLES.values()))
    if role not in known:
        close = difflib.get_close_matches(role, known, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(known)}"
        raise Problem(f"--as {text}: there is no role {role!r}; {hint}")
    if not colon or not ident.strip() or not ident.isprintable() or len(ident) > 128:
        raise Problem(f"--as {text}: say who it is, as ROLE:ID, such as {role}:ADJ-001")
    return Actor(id=ident, role=role)
