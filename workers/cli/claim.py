"""`claim`: what people do with one claim, and what they ask about it."""

from __future__ import annotations

import typer

from workers.cli import (
    claim_decisions,
    claim_ending,
    claim_handling,
    claim_money,
    claim_questions,
    claim_submission,
    claim_suspicions,
)

_PARTS = (
    claim_submission,
    claim_questions,
    claim_handling,
    claim_decisions,
    claim_money,
    claim_suspicions,
    claim_ending,
)
"""In the order of the help: from the first notice to the end."""


def add_to(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(no_args_is_help=True, help="Act on one claim, or ask about it.")
    for part in _PARTS:
        part.add_to(group)
    app.add_typer(group, name="claim")
