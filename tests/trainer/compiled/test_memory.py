"""Capture takes the memory of an eager step, not of all that forward and backward compute."""

import tracemalloc
from collections.abc import Callable

import numpy as np

from trainer import nn, optim
from trainer.core.tensor import wrap
from trainer.core.trace import capture
from trainer.step import training_step


def peak(run: Callable[[], object]) -> int:
    """The most bytes of arrays at one time, above those at the start."""
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_capture_peaks_where_an_eager_step_does() -> None:
    layers = [part for _ in range(12) for part in (nn.Linear(32, 32), nn.GELU())]
    model, optimizer = nn.Sequential(*layers), optim.SGD()
    x, y = np.ones((4096, 32), np.float32), np.zeros(4096, np.int64)
    step = training_step(nn.cross_entropy, optimizer, 1.0)
    state = optimizer.init(model.tree_children())
    arguments = (model, state, wrap(np.float64(0.1)), wrap(x), wrap(y))
    eager = peak(lambda: step(*arguments))
    assert eager > 10 * x.nbytes
    assert peak(lambda: capture(step, *arguments)) < 1.5 * eager
