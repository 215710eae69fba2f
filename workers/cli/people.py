"""Who acts in a command: `--as ROLE:ID`. Nobody is asked for a password: the command line trusts its operator.

What it does check is that the house knows the person: people and roles come from the roster. Outsiders (claimants,
brokers ...) are not in it, and their word is taken for who they are; the machines' roles are no person's.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Annotated

import typer

from workers.cli.errors import Problem

if TYPE_CHECKING:
    from domain.bodies.base import Actor
    from workers.adapters.roster_file import Staff
    from workers.cli.given import Given

SOMEBODY = "claims_manager:CLI"
"""Who acts when nobody is named: a person whom the sample roster has for this. A roster without them asks for --as."""

BANK = "bank:CLI"
"""Who brings the bank's answers when nobody is named."""

OUTSIDERS = frozenset(("claimant", "representative", "insured", "broker", "provider", "fnol"))
"""Roles of people outside the house: any id. What they may do on a claim, its rules say."""

BANKS = frozenset(("bank", "payments"))
"""Roles in which a person plays the bank by hand: any id."""

MACHINES = frozenset(("system", "timekeeper", "notifier"))
"""Roles of machines: nobody acts in them."""

As = Annotated[
    str, typer.Option("--as", metavar="ROLE:ID", help="The person who acts; `claimstream adjusters` lists them.")
]


def person(given: Given, text: str) -> Actor:
    """Read `ROLE:ID`. `Problem`: no such role, no id, a person or role that the roster does not have."""
    from domain.bodies.base import Actor
    from domain.roles import ROLES

    role, colon, ident = text.partition(":")
    known = sorted(set().union(*ROLES.values()) - MACHINES)
    if role in MACHINES:
        raise Problem(f"--as {text}: {role} is a machine's role: nobody acts in it; there are: {', '.join(known)}")
    if role not in known:
        close = difflib.get_close_matches(role, known, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(known)}"
        raise Problem(f"--as {text}: there is no role {role!r}; {hint}")
    if not colon or not ident.strip() or not ident.isprintable() or len(ident) > 128:
        raise Problem(f"--as {text}: say who it is, as ROLE:ID, such as {role}:ADJ-001")
    if role not in OUTSIDERS | BANKS:
        _known_here(given, text, role, ident)
    return Actor(id=ident, role=role)


def _known_here(given: Given, text: str, role: str, ident: str) -> None:
    """`Problem`: the roster does not have the person, or not in this role."""
    from workers.bootstrap import staff_of

    staff = staff_of(given.settings())
    roles = staff.people.get(ident)
    if roles is None:
        if text == SOMEBODY:
            raise Problem(f"say who acts: --as ROLE:ID ({staff.path} has nobody {ident!r} for commands without it)")
        raise Problem(f"--as {text}: {_nobody(staff, role, ident)}")
    if role not in roles:
        raise Problem(f"--as {text}: {ident} is {' and '.join(roles)} in {staff.path}, not {role}")


def _nobody(staff: Staff, role: str, ident: str) -> str:
    close = difflib.get_close_matches(ident, staff.people, n=1, cutoff=0.6)
    others = [name for name, roles in staff.people.items() if role in roles]
    hint = f"did you mean {close[0]}?" if close else f"in this role there are: {', '.join(others[:5]) or 'nobody'}"
    return f"{staff.path} has nobody {ident!r}; {hint}"
