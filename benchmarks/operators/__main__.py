"""Eager operators, forward and backward, beside PyTorch: `python -m benchmarks.operators [work ...]`."""

import math
import sys

from benchmarks.operators.worker import BINARY, ELEMENTWISE, REDUCTIONS
from benchmarks.pairing import THREADS, in_turn

ROUNDS = 3
LIMITS = {
    "Conv 3x3": 4,
    "MatMul 512": 4,
    "LSTM": 4,
    "Softmax": 8,
    "LayerNorm": 8,
    "LeNet-5 step": 3,
}


def main() -> None:
    found = in_turn("benchmarks.operators.worker", ["tapeline", "torch"], ROUNDS, *sys.argv[1:])
    ours, theirs = found["tapeline"], found["torch"]
    print(
        f"| work (forward and backward, {THREADS} threads) | tapeline ms | torch ms | ratio | limit |"
    )
    print("|---|---|---|---|---|")
    ratios = {work: ours[work] / theirs[work] for work in ours}
    for work, ratio in ratios.items():
        print(
            f"| {work} | {ours[work]:.2f} | {theirs[work]:.2f} | {ratio:.2f} | {LIMITS.get(work, 10)} |"
        )
    million = [r for work, r in ratios.items() if work in ELEMENTWISE | BINARY | REDUCTIONS]
    if million:
        mean = math.exp(sum(map(math.log, million)) / len(million))
        print(
            f"| geometric mean at 1M elements ({len(million)} operators) | | | {mean:.2f} | 2.5 |"
        )


if __name__ == "__main__":
    main()
