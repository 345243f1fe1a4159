"""Measuring which formula is fastest for the gradients of a model's convolutions on this machine."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from trainer.compiled import choices
from trainer.compiled.passes import optimize
from trainer.compiled.session import session
from trainer.compiled.step import CompiledStep
from trainer.core.tensor import Array, Tensor, wrap
from trainer.core.trace import capture
from trainer.ops.convolution_gradient import (
    ASKED,
    MEASURED,
    Setting,
    gradient_by_filters,
    gradient_by_image,
)

_SECONDS = 0.05  # per formula and round
_ROUNDS = 5


class Measurement(NamedTuple):
    """How long each formula takes for one gradient.

    Attributes:
        setting: The convolution.
        milliseconds: By formula.
    """

    setting: Setting
    milliseconds: Mapping[str, float]

    @property
    def fastest(self) -> str:
        """The formula to choose."""
        return min(self.milliseconds, key=lambda name: self.milliseconds[name])

    def plain(self) -> dict[str, Any]:
        """The setting and the fastest formula as a table has them."""
        return choices.plain(self.setting, self.fastest)

    def __str__(self) -> str:
        channels, filters, window = self.setting.channels, self.setting.filters, self.setting.window
        kernel, size = "x".join(map(str, window.kernel)), "x".join(map(str, window.size))
        return f"{channels} to {filters} channels, {kernel} on {size}, by {self.setting.gradient}"


def tune(
    step: CompiledStep, x: Array, y: Array, progress: Callable[[int, int], None] | None = None
) -> list[Measurement]:
    """Measure every formula for each convolution of a training step.

    What was found is written into the local table, which later runs follow. Nothing is ever timed
    while training.

    Args:
        step: A step that has not run yet; it learns from the batch once, at a rate of 0.
        x: The inputs of a batch, as large as it will be.
        y: Its targets.
        progress: Called with how many gradients are done and how many there are.

    Returns:
        One measurement for each gradient that several formulas are right for.

    Raises:
        ConfigError: The local table is damaged or cannot be written.
    """
    before = dict(ASKED)
    ASKED.clear()
    try:
        step.train(x, y, 0.0)
        settings = [setting for setting in ASKED if len(setting.formulas) > 1]
    finally:
        ASKED.clear()
        ASKED.update(before)
    found = []
    for setting in settings:
        found.append(measure(setting, len(x)))
        if progress is not None:
            progress(len(found), len(settings))
    fastest = {one.setting: one.fastest for one in found}
    if fastest:
        choices.write(choices.local_table(), fastest)
    MEASURED.update(fastest)
    return found


def measure(setting: Setting, batch: int) -> Measurement:
    """Time each formula of a gradient in turn, with all of ONNX Runtime's threads.

    Args:
        setting: The convolution.
        batch: How many images.
    """
    runs = {name: _run(setting, name, batch) for name in setting.formulas}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(_ROUNDS):
        for name, run in runs.items():
            times[name].append(_median(run))
    return Measurement(setting, {n: statistics.median(t) * 1e3 for n, t in times.items()})


def _run(setting: Setting, formula: str, batch: int) -> Callable[[], object]:
    """The gradient in ONNX Runtime, written with a formula."""
    window, group = setting.window, setting.group
    shapes = {
        "image": (batch, setting.channels, *window.size),
        "filters": (setting.filters, setting.channels // group, *window.kernel),
        "g": (batch, setting.filters, *window.positions),
    }
    del shapes[setting.gradient]
    generator = np.random.default_rng(0)
    arrays: dict[str, Array] = {
        name: generator.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()
    }

    def by_image(filters: Tensor, g: Tensor) -> Tensor:
        return gradient_by_image(g, filters, window, group)

    def by_filters(image: Tensor, g: Tensor) -> Tensor:
        return gradient_by_filters(image, g, window, group)

    before = MEASURED.get(setting)
    MEASURED[setting] = formula
    try:
        function = by_image if setting.gradient == "image" else by_filters
        graph = capture(function, *map(wrap, arrays.values())).graph
    finally:
        del MEASURED[setting]
        if before is not None:
            MEASURED[setting] = before
    made = session(optimize(graph))
    return lambda: made.run(None, arrays)


def _median(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    count = max(3, min(200, int(_SECONDS / (time.perf_counter() - start))))
    times = []
    for _ in range(count):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
