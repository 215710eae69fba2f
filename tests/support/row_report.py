"""The table `docs/seed-rows.md` and the line of counts, from the states of the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.row_states import RowState, State
from tests.support.rows import load_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_HEAD = """\
# What the systems before this one did, and whether it works here

Every row is one thing that the four systems which claimstream grew from did or promised; each failure of
section C is one that their code showed when it was run, and that must not happen here. The check is the row's
own; how to read it stands at the head of `tests/seeds/rows.toml`. *works* means that the tests in the last
column ran and passed.

This file is written by `make seed-rows` from what the tests showed, and a test keeps it current.
"""


def counts_line(states: Iterable[RowState]) -> str:
    """One line: `seed rows: 57 of 242 work, 15 of 36 failures excluded`."""
    states = tuple(states)
    rows = [state for state in states if not state.row.is_failure]
    failures = [state for state in states if state.row.is_failure]
    working, excluded = (sum(s.state is State.WORKS for s in group) for group in (rows, failures))
    return f"seed rows: {working} of {len(rows)} work, {excluded} of {len(failures)} failures excluded"


def missing_lines(states: Mapping[str, RowState]) -> list[str]:
    """What is not as promised: rows whose tests fail, promised rows without a test; a line each."""
    failing = [id_ for id_, state in states.items() if state.state is State.FAILS]
    missing = [id_ for id_ in load_rows().promised if states[id_].state is State.NOT_YET]
    lines = []
    if failing:
        lines.append(f"rows whose tests fail: {', '.join(failing)}")
    if missing:
        lines.append(f"promised rows that nothing shows yet ({len(missing)}): {', '.join(missing)}")
    return lines


def render(states: Mapping[str, RowState]) -> str:
    """The whole table as Markdown, a section for each letter."""
    parts = [_HEAD, f"**{counts_line(states.values())}**\n"]
    for letter, title in load_rows().seeds.items():
        parts.append(f"## {letter}. {title}\n\n| id | what | check | state | shown by |\n|---|---|---|---|---|")
        parts.extend(_line(state) for id_, state in states.items() if id_.startswith(letter))
        parts.append("")
    return "\n".join(parts)


def _line(state: RowState) -> str:
    shown = "<br>".join(f"`{label}`" if "::" in label else label for label in state.shown_by)
    cells = [state.row.id, state.row.title, state.row.check, state.state.value]
    cells.append(shown if state.state is State.WORKS else "")
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
