"""Swap versions of a model under an open loop, and see that nobody notices.

A two-layer perceptron is served by a process of its own and asked at half of the rate that it can
take, at times that do not depend on the answers. Meanwhile versions are published one after the
other, every fifth of them corrupt. No request may fail, the 99th percentile while versions change
may be at most twice that of quiet times, and memory may not grow.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
from array import array
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import uvloop
from onnx import numpy_helper

from serve.bench.connection import Connection
from serve.bench.loops import closed_loop, open_loop
from serve.bench.tally import Tally, floats
from serve.bench.target import Target, find
from tests.serve.models import write_manifest
from tests.serve.process import Client, Server, resident, wait_until

BODY = json.dumps({"instances": [[0.5] * 784]}).encode()
CLIENTS = 16  # that find out what the server can take


@dataclass
class Seen(Tally):
    """A tally that remembers when each answer was due."""

    due: array[float] = field(default_factory=floats)

    def add(self, connection: Connection, status: int, now: float) -> None:
        super().add(connection, status, now)
        if status == 200:
            self.due.append(connection.due)


@dataclass
class Soak:
    """What was seen.

    Attributes:
        tally: Every request.
        changes: When each change of versions began and ended.
        memory: The server's memory in bytes after each.
        wrong: Versions that answered when they should not have, with those that should.
    """

    tally: Seen
    changes: list[tuple[float, float]] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    wrong: list[tuple[float, float]] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """The figures that are promised."""
        due, latencies = np.array(self.tally.due), np.array(self.tally.latencies)
        changing = np.zeros(len(due), bool)
        for start, end in self.changes:
            changing |= (start <= due) & (due <= end)
        around, end_ = self.memory[20:30] or self.memory, self.memory[-10:]
        return {
            "swaps": len(self.changes),
            "requests/s": round(self.tally.throughput, 1),
            "requests": self.tally.asked,
            "failed": self.tally.asked - len(latencies),
            "of them while versions change": int(changing.sum()),
            "p99 quiet ms": _p99(latencies[~changing]),
            "p99 while versions change ms": _p99(latencies[changing]),
            "memory around swap 25 MiB": round(statistics.median(around) / 2**20, 1),
            "memory at the end MiB": round(statistics.median(end_) / 2**20, 1),
        }


def soak(swaps: int, rate: float = 0.0, pause: float = 0.5) -> Soak:
    """Run it against a server of its own.

    Args:
        swaps: How many versions are published after the first.
        rate: Requests a second. Defaults to half of the capacity.
        pause: Quiet seconds between two swaps.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        Server(Path(folder), XDG_CACHE_HOME=f"{folder}/.cache") as server,  # each version is probed
    ):
        versions, model = Path(folder, ".versions"), Path(folder, "mlp")
        for version in range(1, swaps + 2):  # before it begins: what is measured is the server
            write(versions / str(version), version, corrupt=version % 5 == 0)
        model.mkdir()
        (versions / "1").rename(model / "1")
        client = server.client()
        wait_until(lambda: client.is_available("mlp"), "the first version")
        target = find(f"http://127.0.0.1:{server.port}/v1/models/mlp", BODY)
        if not rate:
            rate = uvloop.run(closed_loop(target, CLIENTS, 4.0)).throughput / 2
        seen = Soak(Seen("open", rate))
        over = threading.Event()
        asking = threading.Thread(target=_ask, args=(target, rate, seen.tally, over))
        asking.start()
        time.sleep(pause)
        serving = 1
        for version in range(2, swaps + 2):
            began, corrupt = time.perf_counter(), version % 5 == 0
            (versions / str(version)).rename(model / str(version))
            wait_until(lambda v=version, w=corrupt: _settled(client, v, w), f"version {version}")
            serving = serving if corrupt else version
            wait_until(lambda v=serving: _others_gone(client, v), "the one before is unloaded")
            seen.changes.append((began, time.perf_counter()))
            answer = client.predict("mlp", [[0.5] * 784])[0][0]
            if answer != serving:
                seen.wrong.append((answer, serving))
            time.sleep(pause)
            seen.memory.append(resident(server.process.pid))
        over.set()
        asking.join()
    return seen


def write(folder: Path, version: int, corrupt: bool) -> None:
    """Write a version whose every answer is its own number; a corrupt one lacks its tail."""
    graph = """<ir_version: 10, opset_import: ["": 21]> g (float[N,784] x) => (float[N,10] y) {
        h = MatMul(x, w1) r = Relu(h) p = MatMul(r, w2) y = Add(p, b)
    }"""
    model = onnx.parser.parse_model(graph)
    random = np.random.default_rng(version)
    weights = {
        "w1": random.standard_normal((784, 128), np.float32),
        "w2": np.zeros((128, 10), np.float32),
        "b": np.full(10, version, np.float32),
    }
    for name, values in weights.items():
        model.graph.initializer.append(numpy_helper.from_array(values, name))
    folder.mkdir(parents=True)
    content = model.SerializeToString()
    (folder / "model.onnx").write_bytes(content[:-1000] if corrupt else content)
    write_manifest(folder)


def _ask(target: Target, rate: float, tally: Seen, over: threading.Event) -> None:
    uvloop.run(open_loop(target, rate, 1e6, tally=tally, is_over=over.is_set))


def _settled(client: Client, version: int, corrupt: bool) -> bool:
    """Whether it is clear what becomes of a version."""
    time.sleep(0.02)  # asked less often than the server is measured
    status, answer = client.get(f"/v1/models/mlp/versions/{version}")
    state = answer["model_version_status"][0]["state"] if status == 200 else ""
    return bool(state == ("END" if corrupt else "AVAILABLE"))


def _others_gone(client: Client, version: int) -> bool:
    """Whether this is the only version that answers."""
    time.sleep(0.02)
    return bool(client.get("/v2/models/mlp")[1]["versions"] == [str(version)])


def _p99(latencies: Any) -> float:
    return round(1000 * float(np.percentile(latencies, 99)), 2) if len(latencies) else 0.0


def main() -> int:
    """Run the full form and say whether it holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--swaps", type=int, default=200)
    parser.add_argument("--rate", type=float, default=0.0, help="requests a second")
    parser.add_argument("--pause", type=float, default=0.5, help="quiet seconds between swaps")
    options = parser.parse_args()
    seen = soak(options.swaps, options.rate, options.pause)
    figures = seen.summary()
    print(json.dumps(figures, indent=2))
    kept = {
        "no failed request": figures["failed"] == 0,
        "every version answered when it should": not seen.wrong,
        "p99 while versions change at most twice the quiet one": (
            figures["p99 while versions change ms"] <= 2 * figures["p99 quiet ms"]
        ),
        "memory within 5 %": (
            figures["memory at the end MiB"] <= 1.05 * figures["memory around swap 25 MiB"]
        ),
    }
    for promise, held in kept.items():
        print("kept  " if held else "BROKEN", promise)
    print(*seen.wrong[:5], seen.tally.complaint, sep="\n")
    return 0 if all(kept.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
