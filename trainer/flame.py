"""A profile as a flame chart: one HTML file that needs nothing else, for a light or a dark screen."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trainer.profile import Entry, Profile

_PAGE = Path(__file__).with_name("flame.html")


def page(profile: Profile, name: str) -> str:
    """The text of the file: a block per part of the step, per layer and line, and per operator.

    Args:
        profile: What is shown.
        name: What was trained.
    """
    tree = {
        "title": f"{name}: {profile.title()}",
        "note": profile.note(),
        **_node("step", profile.total, _parts(profile)),
    }
    # A name with "</script>" in it must not end the script.
    data = json.dumps(tree).replace("<", "\\u003c")
    return _PAGE.read_text().replace('"DATA"', data)


def _parts(profile: Profile) -> list[dict[str, Any]]:
    parts = []
    for part, seconds in profile.parts().items():
        entries = [entry for entry in profile.entries if entry.part == part]
        if seconds:
            parts.append(_node(part, seconds, _layers(entries, profile.lines())))
    return parts


def _layers(entries: Sequence[Entry], lines: dict[Entry, str]) -> list[dict[str, Any]]:
    """The longest first, and in each its operators."""
    layers: defaultdict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        layers[entry.layer, lines[entry]].append(entry)
    nodes = [
        _node(
            layer,
            sum(entry.seconds for entry in of_layer),
            [_node(e.operator, e.seconds, [], calls=e.calls, line=line) for e in of_layer],
            line=line,
        )
        for (layer, line), of_layer in layers.items()
    ]
    return sorted(nodes, key=lambda node: -node["seconds"])


def _node(name: str, seconds: float, children: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"name": name, "seconds": seconds, "children": children, **more}
