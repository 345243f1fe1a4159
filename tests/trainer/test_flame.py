"""The flame chart is one file that holds the whole profile and needs nothing else."""

import json
import re

import pytest

from trainer.core.mode import Place
from trainer.flame import page
from trainer.profile import Entry, Profile


def profile() -> Profile:
    places = {
        name: Place("/home/model.py", number, layer, phase)
        for name, number, layer, phase in (
            ("forward", 3, "first </script>", "forward"),
            ("backward", 3, "first </script>", "backward"),
            ("other", 4, "", "forward"),
            ("update", 9, "", "optimizer"),
        )
    }
    entries = (
        Entry("Gemm", places["forward"], 0.003, 1.0),
        Entry("Gemm", places["backward"], 0.002, 2.0),
        Entry("Relu", places["forward"], 0.001, 1.0),
        Entry("Sub", places["other"], 0.001, 1.0),
        Entry("Mul", places["update"], 0.001, 4.0),
        Entry("ReorderInput", None, 0.0005, 1.0),
    )
    return Profile(50, 0.0100, 0.0120, 0.0005, 0.0, 0.0010, 0.0010, entries)


def tree() -> dict:
    text = page(profile(), "digits")
    found = re.search(r"^const root = (\{.*\});$", text, re.MULTILINE)
    assert found is not None
    return json.loads(found[1])


def test_blocks_lie_within_those_above() -> None:
    def check(node: dict) -> None:
        inside = sum(child["seconds"] for child in node["children"])
        assert inside <= node["seconds"] * (1 + 1e-9), node["name"]
        for child in node["children"]:
            check(child)

    root = tree()
    check(root)
    assert root["seconds"] == pytest.approx(0.011)
    assert [part["name"] for part in root["children"]] == [
        "forward", "backward", "optimizer", "added by ONNX Runtime", "between operators", "Python",
        "data and loop",
    ]  # fmt: skip
    (layer, loss) = root["children"][0]["children"]
    assert (layer["name"], layer["line"]) == ("first </script>", "model.py:3")
    assert [(o["name"], o["seconds"]) for o in layer["children"]] == [
        ("Gemm", 0.003),
        ("Relu", 0.001),
    ]
    assert loss["name"] == "loss"


def test_the_file_stands_alone() -> None:
    text = page(profile(), "digits")
    assert not re.search(r"https?://|<link|src=|@import", text)
    assert text.count("</script>") == 1
    assert "light-dark(" in text
