"""The chart of row B1 as SVG: bars on a logarithmic scale, each with its median, least and greatest. Pure."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.figures import Spread

FONT = 'font-family="system-ui, sans-serif" font-size="14"'
WIDTH, LEFT, RIGHT, LINE, TOP = 880, 300, 150, 34, 64


def chart(title: str, under: str, bars: Sequence[tuple[str, Spread, bool]]) -> str:
    """Bars (label, figure, is it ours), longest first; `under` stands below the title."""
    ordered = sorted(bars, key=lambda bar: -bar[1].median)
    height = TOP + LINE * len(ordered) + 40
    low, high = _decades(ordered)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" {FONT}>',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="16" y="26" font-size="17" font-weight="600" fill="#1c2430">{escape(title)}</text>',
        f'<text x="16" y="46" font-size="12" fill="#5a6675">{escape(under)}</text>',
    ]
    for decade in range(low, high + 1):
        x = _place(10**decade, low, high)
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{height - 30}" stroke="#e3e8ee"/>'
            f'<text x="{x:.1f}" y="{height - 12}" font-size="11" fill="#5a6675" text-anchor="middle">'
            f"{10**decade:,}</text>"
        )
    for place, bar in enumerate(ordered):
        parts.append(_bar(place, bar, low, high))
    return "\n".join([*parts, "</svg>", ""])


def _bar(place: int, bar: tuple[str, Spread, bool], low: int, high: int) -> str:
    label, value, mine = bar
    y = TOP + place * LINE
    begin, end = _place(10**low, low, high), _place(value.median, low, high)
    least, most = _place(value.low, low, high), _place(value.high, low, high)
    middle = y + LINE / 2
    colour = "#0b6e4f" if mine else "#8795a6"
    return (
        f'<text x="{LEFT - 10}" y="{middle + 5:.1f}" text-anchor="end" fill="#1c2430"'
        f"{' font-weight=' + chr(34) + '600' + chr(34) if mine else ''}>{escape(label)}</text>"
        f'<rect x="{begin:.1f}" y="{y + 6}" width="{max(end - begin, 1):.1f}" height="{LINE - 12}" fill="{colour}"/>'
        f'<line x1="{least:.1f}" x2="{most:.1f}" y1="{middle:.1f}" y2="{middle:.1f}" stroke="#1c2430" '
        f'stroke-width="1.5"/>'
        f'<text x="{max(end, most) + 8:.1f}" y="{middle + 5:.1f}" fill="#1c2430">{value.median:,.0f}</text>'
    )


def _decades(bars: Sequence[tuple[str, Spread, bool]]) -> tuple[int, int]:
    low = math.floor(math.log10(min(max(bar[1].low, 1) for bar in bars)))
    high = math.ceil(math.log10(max(bar[1].high for bar in bars)))
    return low, max(high, low + 1)


def _place(value: float, low: int, high: int) -> float:
    """The x of a value."""
    share = (math.log10(max(value, 10**low)) - low) / (high - low)
    return LEFT + share * (WIDTH - LEFT - RIGHT)
