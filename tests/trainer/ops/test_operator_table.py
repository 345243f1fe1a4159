"""The page of operators says what the registry and the node tests say."""

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_the_page_is_what_the_script_makes() -> None:
    made = runpy.run_path(str(ROOT / "scripts" / "operator-table"))["page"]()
    assert (ROOT / "docs" / "operators.md").read_text() == made, "run scripts/operator-table"
