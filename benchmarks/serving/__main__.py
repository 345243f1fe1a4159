"""Serving beside its peers, as a table: `python -m benchmarks.serving [peers batching latency many]`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from benchmarks.serving.rows import ROWS, Row
from benchmarks.serving.servers import Peers


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("rows", nargs="*", help=f"of {', '.join(ROWS)}; all by default")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2, help="of load a round")
    parser.add_argument(
        "--peers-home", type=Path, default=Path.home() / ".cache" / "tapeline-peers"
    )
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if unknown := set(given.rows) - ROWS.keys():
        parser.error(f"there is no row {', '.join(unknown)}; there are: {', '.join(ROWS)}")
    found: list[Row] = []
    for name in given.rows or ROWS:
        print(f"{name} ...", file=sys.stderr)
        with tempfile.TemporaryDirectory(prefix="tapeline-serving-") as work:
            found += ROWS[name](Peers(given.peers_home), Path(work), given.rounds, given.seconds)
    if given.json:
        print(json.dumps({"machine": machine(), "rows": [asdict(row) for row in found]}))
    else:
        show(found)


def show(rows: list[Row]) -> None:
    print("| work | tapeline | the other | unit | ratio or difference | at least | aim |")
    print("|---|---|---|---|---|---|---|")
    for row in rows:
        figures = f"{_figure(row.ours)} | {_figure(row.theirs)} | {row.unit} | {row.ratio:.2f}"
        print(f"| {row.work} | {figures} | {row.floor} | {row.aim} |")
    print(f"\n{machine()}")


def machine() -> str:
    packages = ("onnxruntime", "uvicorn", "uvloop", "httptools", "orjson", "numpy")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores, {platform.machine()}, Python {platform.python_version()}, {versions}"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3f}"


if __name__ == "__main__":
    main()
