"""A run as a table for people, as JSON for programs, and as the chart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tests.benchmarks.chart import chart
from tests.benchmarks.conditions import Conditions, lines
from tests.benchmarks.contestants import OURS, PEERS
from tests.benchmarks.rows.consume import rate_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.board import Board, Verdict
    from tests.benchmarks.figures import Spread

_MARKS = {"aim": "reaches the aim", "floor": "reaches the floor", "below": "BELOW THE FLOOR"}


def table(board: Board, conditions: Conditions) -> str:
    """The whole run as Markdown, which also reads well on a terminal."""
    parts = ["## Conditions", "", *(f"- {line}" for line in lines(conditions)), ""]
    parts += ["## Judged", "", "| row | what | median | least .. greatest | floor | aim | outcome |"]
    parts += ["|---|---|---|---|---|---|---|", *(_judged(one, board) for one in board.verdicts())]
    parts += ["", "## Measured (absolute: context, the machine is shared)", ""]
    parts += ["| row | what | median | least .. greatest | rounds |", "|---|---|---|---|---|"]
    for figure in sorted(board.figures.values(), key=lambda one: _order(one.row)):
        value = board.spread(figure.id)
        if value is not None:
            middle = f"{_number(value.median)} {figure.unit}"
            parts.append(f"| {figure.row} | {figure.label} | {middle} | {_range(value)} | {value.rounds} |")
    if board.errors:
        parts += ["", "## Could not run", ""]
        parts += [f"- {name}: {error}" for name, error in board.errors.items()]
    if board.notes:
        parts += ["", "## Notes", "", *(f"- {note}" for note in board.notes)]
    return "\n".join([*parts, ""])


def as_json(board: Board, conditions: Conditions) -> bytes:
    """The same with every value of every round."""
    content: dict[str, Any] = {
        "conditions": conditions,
        "verdicts": board.verdicts(),
        "figures": {
            name: {"row": one.row, "label": one.label, "unit": one.unit, "better": one.better, "values": board.of(name)}
            for name, one in board.figures.items()
        },
        "errors": board.errors,
        "notes": board.notes,
    }
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"


def write(board: Board, conditions: Conditions, folder: Path) -> list[Path]:
    """Write table, JSON and, when B1 was measured, the chart; their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / "latest.md", folder / "latest.json"]
    written[0].write_text(f"# Benchmark of {conditions.started[:10]}\n\n{table(board, conditions)}")
    written[1].write_bytes(as_json(board, conditions))
    bars = [
        (one.label, value, one is OURS)
        for one in (OURS, *PEERS)
        if rate_of(one) in board.figures and (value := board.spread(rate_of(one))) is not None
    ]
    if len(bars) > 1:
        under = f"events per second, one process, logarithmic; line: least to greatest of {conditions.rounds} rounds"
        title = "Consume, decode, settle; a handler that does nothing"
        written.append(folder / "consume.svg")
        written[-1].write_text(chart(title, under, bars))
    return written


def _judged(one: Verdict, board: Board) -> str:
    against = f" ({board.figures[one.against].label})" if one.against in board.figures else ""
    return (
        f"| {one.row} | {one.text}{against} | {_number(one.value.median)} {one.unit} | {_range(one.value)} "
        f"| {_number(one.floor)} | {_number(one.aim)} | {_MARKS[one.outcome]} |"
    )


def _range(value: Spread) -> str:
    return f"{_number(value.low)} .. {_number(value.high)}"


def _number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _order(row: str) -> tuple[int, str]:
    head = row.split(" ", 1)[0]
    return int(head.removeprefix("B")), row
