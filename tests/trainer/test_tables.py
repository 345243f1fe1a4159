"""Profiles in a terminal: what they say, within its width."""

import io

from rich.console import Console

from tests.trainer.test_flame import profile
from trainer.tables import show_profile


def shown(width: int, encoding: str = "utf-8") -> list[str]:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    show_profile(Console(file=stream, width=width), profile())
    stream.seek(0)
    return stream.read().splitlines()


def test_parts_layers_and_operators_with_their_shares() -> None:
    lines = shown(100)
    rows = {tuple(line.split()[:3]) for line in lines}
    assert ("forward", "5.000", "45.5%") in rows
    assert ("data", "and", "loop") in rows
    assert ("Gemm", "3", "5.000") in rows
    assert any(line.startswith("first </script>") and line.endswith("model.py:3") for line in lines)
    assert lines[1] == "11.000 ms per step   50 steps timed; a step took 12.000 ms meanwhile"


def test_it_fits_the_terminal_and_its_alphabet() -> None:
    assert max(map(len, shown(100))) <= 100
    assert max(map(len, shown(70))) <= 70
    assert any("#" in line for line in shown(100, "ascii"))
