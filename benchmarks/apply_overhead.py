"""What `apply` costs over the numpy kernel: Add of two 4x4 float32 Tensors without a tape.

Prints the median of 5 x 50,000 calls, in microseconds. Run: python benchmarks/apply_overhead.py
"""

import statistics
import timeit

import numpy as np

from trainer import Tensor
from trainer.core.op import find

CALLS, REPEATS = 50_000, 5


def microseconds(function) -> float:
    times = timeit.repeat(function, number=CALLS, repeat=REPEATS)
    return statistics.median(times) / CALLS * 1e6


def main() -> None:
    a, b = np.ones((4, 4), np.float32), np.ones((4, 4), np.float32)
    x, y = Tensor(a), Tensor(b)
    tracked = Tensor(a, requires_grad=True)
    kernel = find("Add").kernel
    base = microseconds(lambda: kernel(a, b))
    plain = microseconds(lambda: x + y)
    taped = microseconds(lambda: tracked + y)
    print(f"kernel alone       {base:.2f} us")
    print(f"without a tape     {plain:.2f} us   {plain - base:.2f} over the kernel")
    print(f"with a tape        {taped:.2f} us   {taped - base:.2f} over the kernel")


if __name__ == "__main__":
    main()
