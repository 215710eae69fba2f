"""What was measured: a value per figure and round, why some could not run, and the judgements over them."""

from __future__ import annotations

from statistics import median
from typing import Literal

import msgspec

from tests.benchmarks.figures import Spread, spread

Better = Literal["more", "less"]


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table. `context` figures are shown beside the judged ones: absolute, and so not comparable."""

    id: str
    row: str
    label: str
    unit: str
    better: Better = "more"


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """A figure divided by another (or by the best of several), round by round, against a floor and an aim.

    Without `under` the figure itself is judged. `better` less: floor and aim are ceilings.
    """

    row: str
    text: str
    over: str
    under: tuple[str, ...] = ()
    floor: float
    aim: float
    better: Better = "more"
    unit: str = "x"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """How a judgement came out. `against`: the figure that it was divided by."""

    row: str
    text: str
    against: str
    value: Spread
    floor: float
    aim: float
    unit: str
    outcome: Literal["aim", "floor", "below"]


class Board:
    """Collects the values of a run."""

    def __init__(self) -> None:
        """Nothing is measured yet."""
        self.figures: dict[str, Figure] = {}
        self.judgements: list[Judgement] = []
        self.errors: dict[str, str] = {}
        self.notes: list[str] = []
        self._values: dict[str, dict[int, float]] = {}
        self.round = 0

    def declare(self, *figures: Figure) -> None:
        """Name figures before they are measured: one that never is then shows as missing, not as forgotten."""
        for one in figures:
            self.figures[one.id] = one
            self._values.setdefault(one.id, {})

    def judge(self, *judgements: Judgement) -> None:
        """Say what will be judged."""
        self.judgements += judgements

    def put(self, figure: str, value: float) -> None:
        """Note the value of the round that is on."""
        self._values[figure][self.round] = value

    def fail(self, figure: str, error: str) -> None:
        """Note why a figure has no value in the round that is on; the first reason stays."""
        self.errors.setdefault(figure, error)

    def note(self, text: str) -> None:
        """Say something beside the figures, once."""
        if text not in self.notes:
            self.notes.append(text)

    def of(self, figure: str) -> list[float]:
        """The values of a figure, in the order of the rounds."""
        return [value for _, value in sorted(self._values[figure].items())]

    def now(self, figure: str) -> float | None:
        """The value of the round that is on."""
        return self._values[figure].get(self.round)

    def spread(self, figure: str) -> Spread | None:
        """Median and range; None when it was never measured."""
        values = self.of(figure)
        return spread(values) if values else None

    def verdicts(self) -> list[Verdict]:
        """Every judgement that has values."""
        return [found for one in self.judgements if (found := self._verdict(one)) is not None]

    def _verdict(self, one: Judgement) -> Verdict | None:
        values, against = self._judged(one)
        if not values:
            return None
        value = spread(values)
        return Verdict(
            row=one.row, text=one.text, against=against, value=value, floor=one.floor, aim=one.aim,
            unit=one.unit, outcome=outcome(value.median, one),
        )  # fmt: skip

    def _judged(self, one: Judgement) -> tuple[list[float], str]:
        mine = self._values[one.over]
        if not one.under:
            return self.of(one.over), ""
        measured = [name for name in one.under if self._values[name]]
        if not measured:
            return [], ""
        choose = max if one.better == "more" else min
        best = choose(measured, key=lambda name: median(self._values[name].values()))
        theirs = self._values[best]
        shared = sorted(set(mine) & set(theirs))
        return [mine[at] / theirs[at] for at in shared if theirs[at]], best


def outcome(value: float, judgement: Judgement) -> Literal["aim", "floor", "below"]:
    """Which mark a value reaches."""
    sign = 1 if judgement.better == "more" else -1
    if value * sign >= judgement.aim * sign:
        return "aim"
    return "floor" if value * sign >= judgement.floor * sign else "below"
