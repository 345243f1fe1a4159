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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from tests.serve.models import write_manifest
from tests.serve.process import Client, Server, wait_until

PATH = "/v1/models/mlp:predict"
BODY = json.dumps({"instances": [[0.5] * 784]})


@dataclass
class Soak:
    """What was seen: each answer's due time, its latency, and what else was wrong."""

    latencies: list[tuple[float, float]] = field(default_factory=list)
    failures: list[Any] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    changes: list[tuple[float, float]] = field(default_factory=list)
    versions: set[float] = field(default_factory=set)

    def summary(self) -> dict[str, Any]:
        """The figures that are promised."""
        quiet, changing = [], []
        for due, latency in self.latencies:
            during = any(start <= due <= end for start, end in self.changes)
            (changing if during else quiet).append(latency)
        around, end = statistics.median(self.memory[20:30] or self.memory), self.memory[-10:]
        return {
            "requests": len(self.latencies),
            "failed": len(self.failures),
            "swaps": len(self.memory),
            "p99 quiet ms": _p99(quiet),
            "p99 while versions change ms": _p99(changing),
            "memory around swap 25 MiB": round(around / 2**20, 1),
            "memory at the end MiB": round(statistics.median(end) / 2**20, 1),
        }


def publish(models: Path, version: int, corrupt: bool) -> None:
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
    for name, array in weights.items():
        model.graph.initializer.append(numpy_helper.from_array(array, name))
    incoming = models / "mlp" / f".incoming-{version}"
    incoming.mkdir(parents=True)
    content = model.SerializeToString()
    (incoming / "model.onnx").write_bytes(content[:-1000] if corrupt else content)
    write_manifest(incoming)
    incoming.rename(models / "mlp" / str(version))


def capacity(server: Server, seconds: float, connections: int = 16) -> float:
    """Requests a second that the server takes in a closed loop."""
    end, counts = time.monotonic() + seconds, []

    def ask() -> None:
        client, count = server.client(), 0
        while time.monotonic() < end:
            client.post(PATH, BODY)
            count += 1
        counts.append(count)
        client.close()

    _together([threading.Thread(target=ask) for _ in range(connections)])
    return sum(counts) / seconds


def soak(swaps: int, rate: float = 0.0, pause: float = 0.5, connections: int = 16) -> Soak:
    """Run it against a server of its own.

    Args:
        swaps: How many versions are published after the first.
        rate: Requests a second. Defaults to half of the capacity.
        pause: Quiet seconds between two swaps.
        connections: How many clients share the rate.
    """
    seen = Soak()
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder)) as server:
        models, client, over = Path(folder), server.client(), threading.Event()
        publish(models, 1, corrupt=False)
        wait_until(lambda: client.is_available("mlp"), "the first version")
        rate = rate or capacity(server, 5.0, connections) / 2
        start = time.monotonic() + 0.1

        def ask(number: int) -> None:
            own, turn = server.client(), number
            while not over.is_set():
                due = start + turn / rate
                turn += connections
                time.sleep(max(0.0, due - time.monotonic()))
                _ask_once(own, due, seen)
            own.close()

        threads = [threading.Thread(target=ask, args=[n]) for n in range(connections)]
        for thread in threads:
            thread.start()
        time.sleep(pause)
        for version in range(2, swaps + 2):
            began, corrupt = time.monotonic(), version % 5 == 0
            publish(models, version, corrupt)
            wanted = "END" if corrupt else "AVAILABLE"
            wait_until(lambda v=version, w=wanted: _state(client, v) == w, f"version {version}")
            seen.changes.append((began, time.monotonic() + 0.1))  # the old one's end included
            time.sleep(pause)
            seen.memory.append(_resident(server.process.pid))
        over.set()
        for thread in threads:
            thread.join()
        client.close()
    return seen


def _ask_once(client: Client, due: float, seen: Soak) -> None:
    try:
        status, answer = client.post(PATH, BODY)
    except OSError as error:
        seen.failures.append(repr(error))
        return
    if status != 200:
        seen.failures.append((status, answer))
        return
    seen.latencies.append((due, time.monotonic() - due))  # from when it was due: an open loop
    seen.versions.add(answer["predictions"][0][0])


def _state(client: Client, version: int) -> str:
    entries = client.get("/v1/models/mlp")[1]["model_version_status"]
    return next((e["state"] for e in entries if e["version"] == str(version)), "")


def _resident(pid: int) -> int:
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * 4096


def _p99(latencies: list[float]) -> float:
    return round(1000 * float(np.percentile(latencies, 99)), 2) if latencies else 0.0


def _together(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


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
        "no failed request": not seen.failures,
        "p99 while versions change at most twice the quiet one": (
            figures["p99 while versions change ms"] <= 2 * figures["p99 quiet ms"]
        ),
        "memory within 5 %": (
            figures["memory at the end MiB"] <= 1.05 * figures["memory around swap 25 MiB"]
        ),
    }
    for promise, held in kept.items():
        print("kept  " if held else "BROKEN", promise)
    print(*seen.failures[:5], sep="\n")
    return 0 if all(kept.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
