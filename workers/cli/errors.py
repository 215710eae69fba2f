"""Expected errors as one line: `claimstream: what, where, what to do`. Bugs keep their traceback."""

from __future__ import annotations

import difflib
import json
import re
import sys
from dataclasses import dataclass
from typing import Any

from typer.exceptions import Abort, TyperException

from workers.cli.given import GLOBAL_OPTIONS
from workers.cli.output import printable

EXIT_USAGE = 2
EXIT_FAILED = 1

_EXPECTED = {
    "config.fields": ("SettingsError",),
    "runtime.embedded.errors": ("EmbeddedError",),
    "runtime.errors": ("RuntimeFault",),
    "runtime.store.address": ("BadStoreAddress",),
    "runtime.store.checks": ("StoreUnfit",),
    "runtime.supervision": ("Fatal",),
    "workers.adapters.key_vault_file": ("KeyVaultDamaged",),
    "workers.adapters.master_key": ("MasterKeyError",),
    "workers.adapters.roster_file": ("RosterError",),
    "workers.ports": ("KeyVaultUnavailable",),
}
"""Errors whose text is for people, by module. One that was never imported cannot have been raised."""


class Problem(Exception):
    """A command cannot go on; the text says what, where and what to do."""

    def __init__(self, text: str, exit_code: int = EXIT_USAGE) -> None:
        super().__init__(text)
        self.exit_code = exit_code


@dataclass(frozen=True)
class Told:
    """An error as it is told: one line, the kind for programs, the exit code."""

    line: str
    kind: str
    exit_code: int


def told(problem: Exception) -> Told | None:
    """How to tell an error; None when nobody expected it: a bug, whose traceback is worth more."""
    inner = _only(problem)
    if isinstance(inner, Problem):
        return Told(_one_line(str(inner)), "Problem", inner.exit_code)
    if isinstance(inner, TyperException):
        return Told(_usage(inner), "Usage", EXIT_USAGE)
    if isinstance(inner, Abort):
        return Told("ended before it was done", "Abort", EXIT_FAILED)
    name = type(inner).__name__
    if _is_expected(inner):
        return Told(_one_line(str(inner)), name, EXIT_USAGE)
    if name == "GaveUp":
        cause = _one_line(str(inner.__cause__ or ""))
        return Told(_one_line(f"{inner}{f': {cause}' if cause else ''}"), name, EXIT_FAILED)
    return None


def tell(error: Told, *, as_json: bool) -> None:
    """Write the error to stderr: a line, or one JSON object."""
    if as_json:
        text = json.dumps({"error": error.line, "kind": error.kind, "exit_code": error.exit_code})
    else:
        text = f"claimstream: {error.line}"
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _only(problem: BaseException) -> BaseException:
    """The one error inside groups of one."""
    while isinstance(problem, BaseExceptionGroup) and len(problem.exceptions) == 1:
        problem = problem.exceptions[0]
    return problem


def _is_expected(problem: BaseException) -> bool:
    for module, names in _EXPECTED.items():
        loaded = sys.modules.get(module)
        kinds = tuple(getattr(loaded, name) for name in names) if loaded is not None else ()
        if isinstance(problem, kinds):
            return True
    return False


def _one_line(text: str) -> str:
    return printable(re.sub(r"\s*\n\s*", " ", text.strip()))


def _usage(problem: TyperException) -> str:
    """What was typed wrongly, and what may have been meant."""
    if type(problem).__name__ == "NoArgsIsHelpError":
        return "say which command: claimstream --help lists them"
    text = _one_line(problem.message if hasattr(problem, "option_name") else problem.format_message())
    text = text[:1].lower() + text[1:].rstrip(".")
    ctx = getattr(problem, "ctx", None)
    path = getattr(ctx, "command_path", "claimstream")
    wrong = getattr(problem, "option_name", None)
    close = _close_options(str(wrong), ctx) if type(problem).__name__ == "NoSuchOption" else []
    meant = f"; did you mean {close[0]}?" if close else ""
    help_line = "" if meant or "Did you mean" in text else f"; see {path} --help"
    return f"{text}{meant}{help_line}".replace(". Did you mean", "; did you mean")


def _close_options(wrong: str, ctx: Any) -> list[str]:
    known = [option for param in ctx.command.params for option in param.opts] if ctx is not None else []
    return difflib.get_close_matches(wrong, [*known, *GLOBAL_OPTIONS], n=1, cutoff=0.6)
