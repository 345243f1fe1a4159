"""Ask for ten times of what a model can do, and see that those who are answered do not notice.

A CNN that takes about 20 ms is served with the default settings and asked in an open loop, first at
half of its capacity, then at ten times of it. The answers' 99th percentile may grow to three times that
at half capacity; all other requests are refused with 429 and Retry-After, and memory does not grow.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.serving.workloads import write_cnn
from serve.bench.loops import closed_loop, open_loop
from serve.bench.tally import Tally
from serve.bench.target import find
from tests.serve.process import Server, resident, wait_until

FACTOR = 10


def overload(seconds: float, api: str, flags: list[str]) -> dict[str, Any]:
    """Run it against a server of its own, with the load generator on the same machine.

    Args:
        seconds: How long each of the two rates is kept up.
        api: "v1" asks in JSON, "v2" in bytes.
        flags: For the server.
    """
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder), *flags) as server:
        write_cnn(Path(folder))
        client = server.client()
        wait_until(lambda: client.is_available("cnn"), "the model is there")
        target = find(f"http://127.0.0.1:{server.port}/{api}/models/cnn")
        # Two clients keep it at work without a queue to speak of.
        capacity = uvloop.run(closed_loop(target, 2, seconds / 2)).throughput
        half = uvloop.run(open_loop(target, capacity / 2, seconds))
        before = resident(server.process.pid)
        ten = uvloop.run(open_loop(target, capacity * FACTOR, seconds))
        after = resident(server.process.pid)
        assert client.is_available("cnn")
    return {
        "capacity, requests/s": round(capacity, 1),
        "half": _figures(half),
        "ten times": _figures(ten),
        "p99 of the admitted, relative": round(ten.percentile(99) / half.percentile(99), 2),
        "memory MiB": [round(size / 2**20, 1) for size in (before, after)],
    }


def _figures(tally: Tally) -> dict[str, Any]:
    return {
        "asked": tally.asked,
        "answered": len(tally.latencies),
        "429": tally.statuses[429],
        "429 with Retry-After": tally.retry_after,
        "failed": tally.failed + tally.statuses[503],
        "answers/s": round(tally.throughput, 1),
        **{f"p{p:g} ms": round(tally.percentile(p), 1) for p in (50, 99, 99.9)},
    }


def main() -> int:
    """Run it and say whether it holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--api", choices=("v1", "v2"), default="v2", help="JSON or bytes")
    options, flags = parser.parse_known_args()
    figures = overload(options.seconds, options.api, flags)
    print(json.dumps(figures, indent=2))
    half, ten, memory = figures["half"], figures["ten times"], figures["memory MiB"]
    kept = {
        "nobody refused and none failed at half capacity": half["429"] + half["failed"] == 0,
        "p99 at most three times that at half capacity": (
            figures["p99 of the admitted, relative"] <= 3
        ),
        "all others 429 with Retry-After": (
            ten["answered"] + ten["429 with Retry-After"] == ten["asked"]
        ),
        "memory grows by less than 5 %": memory[1] <= 1.05 * memory[0],
    }
    for promise, held in kept.items():
        print("kept  " if held else "BROKEN", promise)
    return 0 if all(kept.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
