"""`lab NAME`: the script names of the lab as thin aliases of our own verbs."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from workers.cli import parked_commands
from workers.cli.dashboard_command import dashboard
from workers.cli.errors import Problem
from workers.cli.lab_scripts import load_sample_data, submit_test_claims
from workers.cli.monitor_command import monitor


class LabScripts(TyperGroup):
    """The group: a name that is not there is answered with those that are."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the script. `Problem`: there is none of this name."""
        if args and args[0] not in self.commands:
            raise Problem(f"there is no lab script {args[0][:60]!r}; there are: {', '.join(self.commands)}")
        return super().resolve_command(ctx, args)


def add_to(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(
        cls=LabScripts, no_args_is_help=True, help="The lab's script names, as aliases of our own commands."
    )
    group.command("load-sample-data")(load_sample_data)
    group.command("submit-test-claims")(submit_test_claims)
    group.command("monitor-claims")(monitor)
    group.command("analytics-dashboard")(dashboard)
    group.command("check-failed-messages")(parked_commands.listed)
    group.command("replay-failed-events")(replay_failed_events)
    app.add_typer(group, name="lab")


def replay_failed_events(ctx: typer.Context) -> None:
    """Have the actors try everything again that is parked."""
    parked_commands.retry(ctx, None, everything=True, reason="lab replay-failed-events")
