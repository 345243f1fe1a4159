"""Pictures in a terminal."""

import numpy as np
import pytest

from exporter.picture import bar, beside, drawn

IMAGE = np.linspace(0.0, 16.0, 4).reshape(2, 2)


def test_shades_run_from_black_to_white() -> None:
    assert drawn(IMAGE)[1:-1] == ["│  ░░│", "│▓▓██│"]
    assert drawn(IMAGE, ascii_only=True) == ["+----+", "|  ..|", "|**##|", "+----+"]


def test_a_black_image_is_black() -> None:
    assert drawn(np.zeros((1, 2)))[1] == "│    │"


@pytest.mark.parametrize("ascii_only", [False, True])
def test_bars_grow_with_the_share(ascii_only: bool) -> None:
    lengths = [len(bar(share / 20, 10, ascii_only)) for share in range(21)]
    assert lengths == sorted(lengths)
    assert (lengths[0], lengths[-1]) == (0, 10)


def test_the_most_probable_class_is_emphasized() -> None:
    text = beside(IMAGE, ["no", "yes"], [0.25, 0.75])
    lines = text.plain.splitlines()
    assert lines[0] == "  ╭────╮    no  25.0% ██████"
    assert lines[1] == "  │  ░░│   yes  75.0% ██████████████████"
    assert lines[2] == "  │▓▓██│"
    bold = [text.plain[span.start : span.end] for span in text.spans if span.style == "bold green"]
    assert "".join(bold).split()[0] == "yes"


def test_in_ascii_there_is_nothing_else() -> None:
    assert beside(IMAGE, ["no", "yes"], [0.25, 0.75], ascii_only=True).plain.isascii()
