"""Step times of tapeline's compiled engine and PyTorch, side by side, as a table.

Each engine has a process of its own; they take turns, and one that waits is stopped, so that no
thread of it spins. Ratios are taken within a turn; the table shows their medians.

Run: python benchmarks/training/compare.py [workload ...] [--rounds 9] [--engines torch,torch.compile]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import signal
import statistics
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.training.workloads import WORKLOADS  # noqa: E402  (after the path is set)

SECONDS_PER_TURN = 0.4


class Engine:
    """A worker process, stopped while it is not asked."""

    def __init__(self, engine: str, workload: str) -> None:
        self.name = engine
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.training.worker", engine, workload],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "2", "ORT_DISABLE_TELEMETRY": "1"},
        )
        self.losses: list[float] = []
        self.mib = 0.0
        warm = self.run(10)
        self.steps = max(5, min(5000, int(SECONDS_PER_TURN / statistics.median(warm))))

    def run(self, steps: int) -> list[float]:
        """Seconds of each step."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended with an error, see above.")
        answer = json.loads(line)
        self.process.send_signal(signal.SIGSTOP)
        self.losses += answer["losses"]
        self.mib = answer["mib"]
        return list(answer["seconds"])

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


def measure(name: str, opponents: list[str], rounds: int) -> dict[str, float]:
    """One row: per engine the median time, per opponent the median of the ratios."""
    engines = [Engine(engine, name) for engine in ["tapeline", *opponents]]
    times: dict[str, list[float]] = {engine.name: [] for engine in engines}
    try:
        for turn in range(rounds):
            order = engines if turn % 2 == 0 else engines[::-1]
            for engine in order:
                times[engine.name].append(statistics.median(engine.run(engine.steps)))
    finally:
        for engine in engines:
            engine.close()
    row = {engine.name: statistics.median(times[engine.name]) * 1e3 for engine in engines}
    for engine in engines[1:]:
        ratios = [b / a for a, b in zip(times["tapeline"], times[engine.name], strict=True)]
        row[f"ratio {engine.name}"] = statistics.median(ratios)
    count = min(100, *(len(engine.losses) for engine in engines))
    ours, torch = engines[0].losses[:count], engines[1].losses[:count]
    row["apart"] = max(abs(a - b) / (1.0 + abs(b)) for a, b in zip(ours, torch, strict=True))
    row["memory"] = engines[0].mib / engines[1].mib
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workloads", nargs="*", help=f"of {', '.join(WORKLOADS)}; default: all")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--engines", default="torch", help="torch, torch.compile or both")
    options = parser.parse_args()
    opponents = options.engines.split(",")
    load = " ".join(f"{value:.2f}" for value in os.getloadavg())
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, load {load}, Python {platform.python_version()}"
    )
    print(", ".join(f"{name} {version(name)}" for name in ("onnxruntime", "torch", "numpy")))
    heads = ["tapeline", *opponents]
    print(
        f"\n| workload | {' ms | '.join(heads)} ms | ratio | floor | aim | losses apart | memory |"
    )
    print("|---" * (len(heads) + 6) + "|")
    ratios = []
    for name in options.workloads or WORKLOADS:
        row, workload = measure(name, opponents, options.rounds), WORKLOADS[name]
        times = " | ".join(f"{row[head]:.3f}" for head in heads)
        against = " / ".join(f"{row[f'ratio {opponent}']:.2f}" for opponent in opponents)
        rest = f"{workload.floor} | {workload.aim} | {row['apart']:.0e} | {row['memory']:.2f}"
        print(f"| {workload.name} | {times} | {against} | {rest} |", flush=True)
        ratios.append(row[f"ratio {opponents[0]}"])
    mean = math.exp(statistics.fmean(map(math.log, ratios)))
    print(f"\nGeometric mean of the ratios to {opponents[0]}: {mean:.2f}")


if __name__ == "__main__":
    main()
