"""The rows of the table: what is measured, beside what, and what this project asks of itself."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.serving import servers
from benchmarks.serving.load import post
from benchmarks.serving.servers import Peers
from benchmarks.serving.workloads import write_bodies, write_cnn, write_copies, write_mlp

TFS = "/v1/models/{}:predict"
V2 = "/v2/models/{}/infer"
THREADS = 2
BATCHES = (1, 2, 4, 8, 16)
MODELS = 50
SMALL, USUAL = (4, 10, 3), (784, 128, 10)


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        work: What was asked.
        ours: Our figure.
        theirs: The other's.
        ratio: What counts.
        floor: What it must reach, `<=` where less is better.
        aim: What it should reach.
        unit: Of the two figures.
    """

    work: str
    ours: float
    theirs: float
    ratio: float
    floor: str
    aim: str
    unit: str = "requests/s"


def peers(home: Peers, work: Path, rounds: int, seconds: float) -> list[Row]:
    """The MLP beside other servers and beside the bare transport, 16 connections."""
    model = write_mlp(work / "models")
    bodies = write_bodies(work, [784])
    tfs, v2 = TFS.format("mlp"), V2.format("mlp")
    with ExitStack() as stack:
        ours = stack.enter_context(servers.tapeline(work / "models", "mlp"))
        triton = stack.enter_context(servers.triton(home, model, work))
        mlserver = stack.enter_context(servers.mlserver(home, model, work))
        fastapi = stack.enter_context(servers.fastapi(home, model, work))
        bare = stack.enter_context(servers.bare(work))
        targets = {
            "ours, rows": (ours, tfs, bodies.rows),
            "MLServer": (mlserver, v2, bodies.json),
            "FastAPI": (fastapi, "/predict", bodies.rows),
            "Triton, JSON": (triton, v2, bodies.json),
            "ours, V2 JSON": (ours, v2, bodies.json),
            "ours, binary": (ours, v2, bodies.binary),
            "Triton, binary": (triton, v2, bodies.binary),
            "bare uvicorn": (bare, "/", bodies.binary),
        }
        for port, path, body in targets.values():
            servers.ask(port, path, body)
        found = _in_turn(
            {
                name: lambda port=port, path=path, body=body: post(
                    port, [path], body, seconds=seconds
                )
                for name, (port, path, body) in targets.items()
            },
            rounds,
        )
    rate = {name: statistics.median(r.rate for r in results) for name, results in found.items()}

    def row(work: str, ours: str, theirs: str, floor: str, aim: str) -> Row:
        return Row(work, rate[ours], rate[theirs], rate[ours] / rate[theirs], floor, aim)

    return [
        row("TFS rows, beside MLServer", "ours, rows", "MLServer", "3.5", "5"),
        row("TFS rows, beside the obvious FastAPI", "ours, rows", "FastAPI", "3.5", "5"),
        row("TFS rows, beside Triton (Python), JSON", "ours, rows", "Triton, JSON", "2.3", "3.4"),
        row("V2 JSON, beside Triton (Python), JSON", "ours, V2 JSON", "Triton, JSON", "", ""),
        row("V2 binary, beside Triton (Python)", "ours, binary", "Triton, binary", "2.8", "3.8"),
        row("V2 binary, beside bare uvicorn", "ours, binary", "bare uvicorn", "0.28", "0.4"),
    ]


def batching(_home: Peers, work: Path, rounds: int, seconds: float) -> list[Row]:
    """The CNN with batching, 16 clients, beside ONNX Runtime alone at its best batch size."""
    model = write_cnn(work / "models")
    body = write_bodies(work, [3, 64, 64]).binary
    flags = ["--enable-batching", "--max-batch-size", "8"]
    path = V2.format("cnn")
    rates = _rates(_raw(model, THREADS, seconds, *BATCHES))
    best = max(rates, key=lambda batch: rates[batch])
    with servers.tapeline(work / "models", "cnn", *flags) as port:
        servers.ask(port, path, body)
        found = _in_turn(
            {
                "ours": lambda: post(port, [path], body, seconds=seconds).rate,
                "raw": lambda: _rates(_raw(model, THREADS, seconds, best))[best],
            },
            rounds,
        )
    ours, raw = (statistics.median(found[name]) for name in ("ours", "raw"))
    work_name = f"CNN, V2 binary, batching, beside ONNX Runtime alone at batch {best}"
    return [Row(work_name, ours, raw, ours / raw, "0.9", "0.97", "images/s")]


def latency(_home: Peers, work: Path, rounds: int, seconds: float) -> list[Row]:
    """What one client waits for beyond the runtime's own run, at the median."""
    model = write_mlp(work / "models")
    body = write_bodies(work, [784]).binary
    path = V2.format("mlp")
    with servers.tapeline(work / "models", "mlp") as port:
        servers.ask(port, path, body)
        found = _in_turn(
            {
                "ours": lambda: post(port, [path], body, 1, seconds).median / 1e3,
                "raw": lambda: _raw(model, 1, seconds, 1)["1"]["median"] * 1e3,
            },
            rounds,
        )
    ours, raw = (statistics.median(found[name]) for name in ("ours", "raw"))
    return [Row("added at one client, median", ours, raw, ours - raw, "<= 0.35", "<= 0.2", "ms")]


def many(_home: Peers, work: Path, rounds: int, seconds: float) -> list[Row]:
    """Fifty models asked in turn, beside one: of a size that fits any cache, and of one that does not."""
    sizes = SMALL, USUAL
    return [row for s in sizes for row in _many(work / "-".join(map(str, s)), s, rounds, seconds)]


def _many(work: Path, sizes: tuple[int, int, int], rounds: int, seconds: float) -> list[Row]:
    model = write_mlp(work / "one", "mlp", sizes)
    names = write_copies(work / "fifty", model, MODELS)
    body = write_bodies(work, [sizes[0]]).binary
    with (
        servers.tapeline(work / "one", "mlp") as one,
        servers.tapeline(work / "fifty", names[-1]) as fifty,
    ):
        found = _in_turn(
            {
                "fifty": lambda: post(fifty, list(map(V2.format, names)), body, seconds=seconds),
                "one": lambda: post(one, [V2.format("mlp")], body, seconds=seconds),
            },
            rounds,
        )
        in_turn, alone = map(servers.microseconds_of_runs, (fifty, one))
    ours, theirs = (
        statistics.median(result.rate for result in found[name]) for name in ("fifty", "one")
    )
    work_name = f"{MODELS} models {work.name} in turn, beside one"
    inside = f"of that, inside ONNX Runtime: the mean run of {work.name}"
    return [
        Row(work_name, ours, theirs, ours / theirs, "0.9", "0.95"),
        Row(inside, in_turn, alone, in_turn - alone, "", "", "microseconds"),
    ]


ROWS: Mapping[str, Callable[[Peers, Path, int, float], list[Row]]] = {
    "peers": peers,
    "batching": batching,
    "latency": latency,
    "many": many,
}


def _in_turn(work: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, list[Any]]:
    """Do each once a round: machines drift, ratios stay."""
    found: dict[str, list[Any]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, measure in work.items():
            found[name].append(measure())
    return found


def _raw(model: Path, threads: int, seconds: float, *batches: int) -> dict[str, dict[str, float]]:
    command = [sys.executable, servers.PEERS / "raw_runtime.py", model, threads, seconds, *batches]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def _rates(found: Mapping[str, Mapping[str, float]]) -> dict[int, float]:
    """Examples per second by batch size."""
    return {int(batch): entry["examples_per_second"] for batch, entry in found.items()}
