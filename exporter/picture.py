"""Draws a small gray image beside the probabilities of its classes, in characters."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from trainer.core.tensor import Array

# From black to white; the second of each pair is for terminals that know no more than ASCII.
SHADES = (" ░▒▓█", " .:*#")
FRAMES = ("╭─╮│╰╯", "+-+|++")
BARS = (" ▏▎▍▌▋▊▉█", " #")
WIDTH = 24


def drawn(image: Array, ascii_only: bool = False) -> list[str]:
    """An image as lines of text in a frame, two characters per pixel.

    Example:
        >>> import numpy as np
        >>> print(*drawn(np.array([[0.0, 1.0], [1.0, 0.0]])), sep="\\n")
        ╭────╮
        │  ██│
        │██  │
        ╰────╯

    Args:
        image: Brightness, [height, width]; the largest value is white.
        ascii_only: Whether to use no other characters. Defaults to False.
    """
    shades = SHADES[ascii_only]
    a, line, b, side, c, d = list(FRAMES[ascii_only])
    scale = (len(shades) - 1) / max(float(image.max()), 1e-9)
    rows = ["".join(2 * shades[round(float(v) * scale)] for v in row) for row in image]
    edge = line * 2 * image.shape[1]
    return [f"{a}{edge}{b}", *(f"{side}{row}{side}" for row in rows), f"{c}{edge}{d}"]


def bar(share: float, width: int = WIDTH, ascii_only: bool = False) -> str:
    """A share of 1 as a bar, exact to an eighth of a character.

    Example:
        >>> bar(0.5, width=4), bar(0.03, width=4)
        ('██', '▏')
    """
    steps = BARS[ascii_only]
    whole, rest = divmod(round(share * width * (len(steps) - 1)), len(steps) - 1)
    return steps[-1] * whole + (steps[rest] if rest else "")


def beside(
    image: Array, labels: Sequence[str], probabilities: Sequence[float], ascii_only: bool = False
) -> Text:
    """The image, and to its right a bar for each class; the most probable one is emphasized."""
    left = drawn(image, ascii_only)
    best = max(range(len(labels)), key=lambda i: probabilities[i])
    longest = max(map(len, labels))
    text = Text()
    for i in range(max(len(left), len(labels))):
        text.append(f"  {left[i] if i < len(left) else '':{len(left[0])}}")
        if i < len(labels):
            style = "bold green" if i == best else ""
            text.append(f"   {labels[i]:>{longest}} {probabilities[i]:6.1%}", style)
            length = bar(probabilities[i], ascii_only=ascii_only)
            text.append(f" {length}" if length else "", style or "dim")
        text.append("\n")
    return text
