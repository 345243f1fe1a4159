"""Peak memory of training beside PyTorch: how far a process grows above its size after the imports.

Capture, the ONNX Runtime session and 20 steps are in it. Run: python -m benchmarks.training.memory
"""

from __future__ import annotations

import itertools
import json
import statistics
import subprocess
import sys

from benchmarks.memory import peak_above_start
from benchmarks.training.workloads import WORKLOADS

STEPS, ROUNDS = 20, 3


def peak(engine: str, name: str) -> float:
    """MiB above the start, in this process."""
    if engine == "tapeline":
        from benchmarks.training.tapeline_engine import step
    else:
        from benchmarks.training.torch_engine import step
    batches = list(WORKLOADS[name].batches())

    def run() -> None:
        train = step(name)
        for x, y in itertools.islice(itertools.cycle(batches), STEPS):
            train(x, y)

    return peak_above_start(run)


def measured(engine: str, name: str) -> float:
    """The median over processes of their own."""
    command = [sys.executable, "-m", "benchmarks.training.memory", "--one", engine, name]
    return statistics.median(
        json.loads(subprocess.check_output(command, text=True)) for _ in range(ROUNDS)
    )


def main() -> None:
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(peak(*sys.argv[2:])))
        return
    print("| workload | tapeline MiB | PyTorch MiB | ratio |")
    print("|---|---|---|---|")
    for name in sys.argv[1:] or WORKLOADS:
        ours, theirs = measured("tapeline", name), measured("torch", name)
        row = f"{ours:.0f} | {theirs:.0f} | {ours / theirs:.2f}"
        print(f"| {WORKLOADS[name].name} | {row} |", flush=True)


if __name__ == "__main__":
    main()
