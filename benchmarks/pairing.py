"""Runs engines in processes of their own, in turn, and compares medians: machines drift, ratios stay."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

THREADS = 2


def in_turn(
    module: str, engines: Sequence[str], rounds: int, *args: str
) -> dict[str, dict[str, float]]:
    """Run `python -m module engine *args` for each engine, round after round.

    Each process prints a JSON object of work to milliseconds.

    Returns:
        Per engine and work the median over the rounds, in milliseconds.
    """
    found: dict[str, dict[str, list[float]]] = {engine: {} for engine in engines}
    environment = {
        **os.environ,
        **{f"{name}_NUM_THREADS": str(THREADS) for name in ("OMP", "OPENBLAS", "MKL")},
        "ORT_DISABLE_TELEMETRY": "1",
    }
    for number in range(rounds):
        for engine in engines:
            print(
                f"\rround {number + 1}/{rounds}: {engine}    ", end="", file=sys.stderr, flush=True
            )
            command = [sys.executable, "-m", module, engine, *args]
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
            for work, value in json.loads(done.stdout.splitlines()[-1]).items():
                found[engine].setdefault(work, []).append(value)
    print("\r" + " " * 40 + "\r", end="", file=sys.stderr)
    return {
        engine: {work: statistics.median(values) for work, values in works.items()}
        for engine, works in found.items()
    }


def milliseconds(function: Callable[[], object], seconds: float = 0.3) -> float:
    """The median time of a call, after a warm-up, over about so many seconds."""
    function()
    start = time.perf_counter()
    function()
    once = time.perf_counter() - start
    times = []
    for _ in range(max(5, min(2000, int(seconds / max(once, 1e-6))))):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3
