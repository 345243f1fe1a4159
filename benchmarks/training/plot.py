"""How many times as long each opponent takes, as an SVG of bars; no library is needed for that."""

from __future__ import annotations

import math
from html import escape

COLORS = ("#d1495b", "#edae49", "#00798c")
LEFT, RIGHT, BAR, GAP, TOP = 300, 60, 14, 12, 56
WIDTH, MOST = 860, 16.0


def drawn(ratios: dict[str, dict[str, float]]) -> str:
    """A figure of horizontal bars on a logarithmic axis.

    Args:
        ratios: Per opponent and workload its time divided by tapeline's.
    """
    engines, workloads = list(ratios), list(next(iter(ratios.values())))
    row = BAR * len(engines) + GAP
    height = TOP + row * len(workloads) + 30

    def across(value: float) -> float:
        low, high = math.log(0.5), math.log(MOST)
        share = (math.log(min(max(value, 0.5), MOST)) - low) / (high - low)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        '<text x="10" y="20" font-size="15">Time of a training step divided by tapeline\'s: '
        "longer bars are slower opponents</text>",
    ]
    for value in (0.5, 1, 2, 4, 8, 16):
        x, wide = across(value), 1.6 if value == 1 else 0.4
        parts.append(
            f'<path d="M{x:.1f} {TOP - 4}V{height - 24}" stroke="#555" stroke-width="{wide}"/>'
            f'<text x="{x:.1f}" y="{height - 8}" text-anchor="middle">{value:g}</text>'
        )
    for i, engine in enumerate(engines):
        parts.append(
            f'<rect x="{LEFT + 150 * i}" y="30" width="12" height="12" fill="{COLORS[i]}"/>'
            f'<text x="{LEFT + 150 * i + 18}" y="41">{escape(engine)}</text>'
        )
    for number, workload in enumerate(workloads):
        y = TOP + row * number
        parts.append(
            f'<text x="{LEFT - 10}" y="{y + row / 2}" text-anchor="end">{escape(workload)}</text>'
        )
        for i, engine in enumerate(engines):
            value, start = ratios[engine][workload], across(1.0)
            x, width = min(start, across(value)), abs(across(value) - start)
            top = y + BAR * i
            parts.append(
                f'<rect x="{x:.1f}" y="{top}" width="{width:.1f}" height="{BAR - 2}" '
                f'fill="{COLORS[i]}"/>'
                f'<text x="{max(start, across(value)) + 4:.1f}" y="{top + BAR - 4}">{value:.2f}</text>'
            )
    return "\n".join([*parts, "</svg>", ""])
