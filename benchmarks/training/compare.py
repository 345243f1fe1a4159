"""Step times of tapeline's compiled engine, PyTorch and JAX, side by side, as a table and a plot.

Each engine has a process of its own; they take turns, and one that waits is stopped, so that no
thread of it spins. Ratios are taken within a turn; the table shows their medians.

Run: python benchmarks/training/compare.py [workload ...] [--rounds 9]
         [--engines torch,torch.compile,jax] [--jax-python PATH]
         [--results FILE] [--plot docs/training.svg]

JAX may live in an environment of its own (jax, optax and numpy), whose python `--jax-python` names.
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

from benchmarks.training import plot  # noqa: E402
from benchmarks.training.workloads import WORKLOADS  # noqa: E402  (after the path is set)

SECONDS_PER_TURN = 0.4


class Engine:
    """A worker process, stopped while it is not asked."""

    def __init__(self, engine: str, workload: str, python: str = sys.executable) -> None:
        self.name = engine
        self.process = subprocess.Popen(
            [python, "-m", "benchmarks.training.worker", engine, workload],
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


def measure(name: str, opponents: dict[str, str], rounds: int) -> dict[str, float]:
    """One row: per engine the median time, per opponent the median of the ratios.

    Args:
        name: The workload.
        opponents: The python of each engine by its name; the first one is what losses and memory are
            compared with.
        rounds: How often each engine has its turn.
    """
    engines = [Engine("tapeline", name)]
    engines += [Engine(engine, name, python) for engine, python in opponents.items()]
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
    for engine in engines[1:]:
        pairs = list(zip(engines[0].losses, engine.losses, strict=False))[:100]
        apart = max(abs(a - b) / (1.0 + abs(b)) for a, b in pairs)
        row["apart"] = max(apart, row.get("apart", 0.0))
    row["memory"] = engines[0].mib / engines[1].mib
    return row


def geometric_mean(ratios: list[float]) -> str:
    return f"{math.exp(statistics.fmean(map(math.log, ratios))):.2f}" if ratios else "-"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workloads", nargs="*", help=f"of {', '.join(WORKLOADS)}; default: all")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--engines", default="torch", help="of torch, torch.compile, jax")
    parser.add_argument("--jax-python", default=sys.executable, help="the python that has JAX")
    parser.add_argument("--plot", type=Path, help="write the ratios as SVG")
    parser.add_argument("--results", type=Path, help="JSON to add rows to: measure in pieces")
    options = parser.parse_args()
    names = options.engines.split(",")
    opponents = {n: options.jax_python if n == "jax" else sys.executable for n in names}
    load = " ".join(f"{value:.2f}" for value in os.getloadavg())
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, load {load}, Python {platform.python_version()}"
    )
    print(", ".join(f"{name} {version(name)}" for name in ("onnxruntime", "torch", "numpy")))
    heads = [*(f"{n} ms" for n in ("tapeline", *names)), *(f"{n} / tapeline" for n in names)]
    print(f"\n| workload | {' | '.join(heads)} | floor | aim | losses apart | memory |")
    print("|---" * (len(heads) + 5) + "|")
    kept = options.results is not None and options.results.is_file()
    rows = json.loads(options.results.read_text()) if kept else {}
    for name in options.workloads or WORKLOADS:
        rows[name] = measure(name, opponents, options.rounds)
        if options.results:
            options.results.write_text(json.dumps(rows))
    rows = {name: rows[name] for name in WORKLOADS if name in rows}
    for name, row in rows.items():
        workload = WORKLOADS[name]
        times = " | ".join(f"{row[head]:.3f}" for head in ("tapeline", *names))
        against = " | ".join(f"{row[f'ratio {opponent}']:.2f}" for opponent in names)
        rest = f"{workload.floor} | {workload.aim} | {row['apart']:.0e} | {row['memory']:.2f}"
        print(f"| {workload.name} | {times} | {against} | {rest} |")
    for label, left_out in (("all rows", ()), ("without the smallest", ("tiny",))):
        means = [
            geometric_mean([row[f"ratio {n}"] for key, row in rows.items() if key not in left_out])
            for n in names
        ]
        blank = " |" * (1 + len(names))
        print(f"| geometric mean, {label}{blank} {' | '.join(means)} | | | | |")
    if options.plot:
        ratios = {n: {WORKLOADS[k].name: r[f"ratio {n}"] for k, r in rows.items()} for n in names}
        options.plot.write_text(plot.drawn(ratios))


if __name__ == "__main__":
    main()
