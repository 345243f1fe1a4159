"""The compatibility table: its counts are right, and every test that it names exists."""

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "compatibility.md").read_text()
ROWS = [
    tuple(cell.strip() for cell in line.strip("|").split(" | "))
    for line in TEXT.splitlines()
    if line.startswith("| ") and not line.startswith("| fact ")
]


def test_every_row_says_what_is_true_here_and_why() -> None:
    for fact, here, *_ in ROWS:
        assert re.fullmatch(r"met|(deliberately different|not met): .+", here), fact


def test_the_counts_hold() -> None:
    counts = Counter(here.partition(":")[0] for _, here, *_ in ROWS)
    met, different, not_met = (
        counts[kind] for kind in ("met", "deliberately different", "not met")
    )
    assert (
        f"{len(ROWS)} facts: {met} met, {different} deliberately different, {not_met} not met."
        in (TEXT)
    )
    assert len(ROWS) >= 150
    assert met + different >= 0.95 * len(ROWS)


def test_every_test_named_exists() -> None:
    tests = {path.name: path.read_text() for path in (ROOT / "tests" / "serve").rglob("test_*.py")}
    for fact, here, *named in ROWS:
        name = named[0].strip("` |") if named else ""
        if here.startswith("not met"):
            assert name == "", fact
            continue
        file, _, function = name.partition("::")
        assert file in tests, f"{fact}: there is no {file}"
        assert f"def {function}(" in tests[file], f"{fact}: {file} has no {function}"
