"""The page of layers names every layer there is."""

import inspect
import re
from pathlib import Path

from trainer import nn

PAGE = Path(__file__).parents[3] / "docs" / "layers.md"


def test_every_layer_is_on_the_page() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")][1:]
    named = {name for row in rows for name in re.findall(r"\w+", row.split("|")[1])}
    layers = {n for n in nn.__all__ if inspect.isclass(getattr(nn, n)) and n != "Module"}
    assert named == layers
