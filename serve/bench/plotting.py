"""Draws latency over answers a second as an SVG file that needs nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from pathlib import Path

from serve.bench.report import PERCENTILES
from serve.bench.tally import Tally

_WIDTH, _HEIGHT = 760, 440
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 130, 56, 56
# Distinguishable for those who see few colors, and on white and on dark.
_COLORS = dict(zip(PERCENTILES, ("#0072b2", "#e69f00", "#d55e00"), strict=True))


def draw(rounds: Sequence[Tally], title: str) -> str:
    """An SVG image: a line for each percentile over the closed loops, circles for the open ones.

    Args:
        rounds: What was measured; those without an answer are left out.
        title: Stands above it.
    """
    rounds = [tally for tally in rounds if tally.latencies]
    scale = _Scale(rounds)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'width="{_WIDTH}" height="{_HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        _text(_LEFT, 24, title, "font-size='14' font-weight='bold'"),
        _text(_LEFT, 42, "lines: clients that wait for their answers; circles: fixed rates"),
        *scale.grid(),
    ]
    closed = [tally for tally in rounds if tally.loop == "closed"]
    for percent, color in _COLORS.items():
        points = [scale.place(tally, percent) for tally in closed]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        for tally in rounds:
            x, y = scale.place(tally, percent)
            fill = color if tally.loop == "closed" else "white"
            tip = f"{_load(tally)}: p{percent:g} {tally.percentile(percent):.2f} ms"
            parts.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{fill}" stroke="{color}" '
                f'stroke-width="2"><title>{escape(tip)}</title></circle>'
            )
    parts += _legend()
    parts += [_clients(tally, *scale.place(tally, PERCENTILES[0])) for tally in closed]
    return "\n".join([*parts, "</svg>", ""])


def save(rounds: Sequence[Tally], title: str, file: Path) -> None:
    """Write the drawing as `.svg`, or as a page around it."""
    image = draw(rounds, title)
    if file.suffix.lower() in (".html", ".htm"):
        image = f"<!doctype html>\n<meta charset='utf-8'>\n<title>{escape(title)}</title>\n{image}"
    file.write_text(image, encoding="utf-8")


class _Scale:
    """Where a number lies: answers a second from 0, latencies by powers of ten."""

    def __init__(self, rounds: Sequence[Tally]) -> None:
        latencies = [t.percentile(p) for t in rounds for p in PERCENTILES] or [1.0]
        self.step = _step(max((t.throughput for t in rounds), default=1.0))
        self.most = self.step * math.ceil(
            max((t.throughput for t in rounds), default=1.0) / self.step
        )
        self.low = math.floor(math.log10(min(latencies)))
        self.high = max(math.ceil(math.log10(max(latencies))), self.low + 1)

    def x(self, throughput: float) -> float:
        return _LEFT + throughput / self.most * (_WIDTH - _LEFT - _RIGHT)

    def y(self, latency: float) -> float:
        share = (math.log10(latency) - self.low) / (self.high - self.low)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)

    def place(self, tally: Tally, percent: float) -> tuple[float, float]:
        return self.x(tally.throughput), self.y(tally.percentile(percent))

    def grid(self) -> list[str]:
        """Lines with their numbers."""
        right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
        parts = []
        for power in range(self.low, self.high + 1):
            y = self.y(10.0**power)
            parts.append(_line(_LEFT, y, right, y))
            parts.append(_text(_LEFT - 8, y + 4, f"{10.0**power:g}", "text-anchor='end'"))
        for number in range(round(self.most / self.step) + 1):
            x = self.x(number * self.step)
            parts.append(_line(x, _TOP, x, bottom))
            label = f"{number * self.step:,g}"
            parts.append(_text(x, bottom + 18, label, "text-anchor='middle'"))
        middle = (_LEFT + right) / 2
        parts.append(_text(middle, _HEIGHT - 14, "answers a second", "text-anchor='middle'"))
        turned = f"text-anchor='middle' transform='rotate(-90 18 {(_TOP + bottom) / 2})'"
        parts.append(_text(18, (_TOP + bottom) / 2, "latency, ms", turned))
        return parts


def _step(most: float) -> float:
    """A round distance of some five grid lines up to a number.

    Example:
        >>> _step(870), _step(12_000)
        (200, 5000)
    """
    rough = max(most, 1.0) / 4
    power = 10 ** math.floor(math.log10(rough))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.9)


def _legend() -> list[str]:
    x = _WIDTH - _RIGHT + 20
    parts = []
    for number, (percent, color) in enumerate(reversed(_COLORS.items())):
        y = _TOP + 12 + 20 * number
        parts.append(
            f'<line x1="{x}" y1="{y}" x2="{x + 22}" y2="{y}" stroke="{color}" stroke-width="2"/>'
        )
        parts.append(_text(x + 30, y + 4, f"p{percent:g}"))
    return parts


def _clients(tally: Tally, x: float, y: float) -> str:
    return _text(x, y + 18, f"{tally.load:g}", "text-anchor='middle' fill='#555' font-size='10'")


def _load(tally: Tally) -> str:
    return f"{tally.load:g} clients" if tally.loop == "closed" else f"{tally.load:.0f} a second"


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#ddd"/>'


def _text(x: float, y: float, text: str, attributes: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {attributes}>{escape(text)}</text>'
