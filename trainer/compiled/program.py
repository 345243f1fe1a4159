"""A captured function bound to memory: what runs for each batch, with as little Python as possible."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from trainer import random
from trainer.compiled.buffers import Buffers, DeviceBuffers
from trainer.compiled.passes import optimize
from trainer.compiled.session import aligned, bound, failure, session
from trainer.core.graph import Value
from trainer.core.tensor import Array
from trainer.core.trace import Captured

_COPIED = 1 << 14  # bytes: up to here a batch is copied faster than it is bound


class TrainingProgram:
    """A training step for batches of one shape, or of any number of rows.

    Args:
        captured: The step; its inputs are the state, `lr`, `x`, `y` and random draws.
        buffers: Where the state lies; several programs may share it.
    """

    def __init__(self, captured: Captured, buffers: Buffers | DeviceBuffers) -> None:
        self._graph = optimize(captured.graph)
        self._session = session(self._graph, timed=True, device=buffers.device)
        self._buffers = buffers
        values = {value.name: value for value in captured.graph.inputs + captured.graph.outputs}
        self._rate, self._loss = np.zeros((), np.float64), np.zeros((), values["loss"].dtype)
        self._held = {name: _memory(values[name]) for name in ("x", "y") if _is_small(values[name])}
        # With sizes that are known, numbers are drawn straight into memory that stays bound.
        fixed = [d for d in captured.draws if values[d.name].sizes is not None]
        drawn = {d.name: _memory(values[d.name]) for d in fixed}
        self._draws = [(d, drawn.get(d.name)) for d in captured.draws]
        memory = {"lr": self._rate, **self._held, **drawn}
        shared = {name: bound(array) for name, array in memory.items()}
        self._bindings, self._inputs = [], []
        for read, write in (buffers.values, buffers.values[::-1]):
            binding = self._session.io_binding()
            inputs = {name: read[name] for name in read.keys() & values.keys()} | shared
            _bind(binding, inputs)
            self._inputs.append(inputs)
            for name, output in captured.state.items():
                binding.bind_ortvalue_output(output, write[name])
            binding.bind_ortvalue_output("loss", bound(self._loss))
            self._bindings.append(binding)

    def run(self, x: Array, y: Array, lr: float) -> float:
        """Learn from one batch and return its loss."""
        buffers = self._buffers
        binding = self._bindings[buffers.turn]
        self._rate[()] = lr
        for name, given in (("x", x), ("y", y)):
            if name in self._held:
                self._held[name][...] = given
            else:
                binding.bind_cpu_input(name, given)
        for draw, memory in self._draws:
            if memory is None:
                sizes = {"batch": len(x)}
                shape = tuple(n if isinstance(n, int) else n.at(sizes) for n in draw.shape)
                array = random.sample(draw.distribution, shape, draw.dtype)
                binding.bind_cpu_input(draw.name, array)
            else:
                random.fill(draw.distribution, memory)
        if buffers.device.far:
            _bind(binding, self._inputs[buffers.turn])
        try:
            self._session.run_with_iobinding(binding)
        except Exception as error:  # what the runtime raises has no base class of its own
            raise failure(self._graph, error) from error
        buffers.turn = 1 - buffers.turn
        return float(self._loss)


def _bind(binding: Any, inputs: Mapping[str, Any]) -> None:
    """Bind inputs. What lies on another device is copied now: such inputs are bound for each run."""
    for name, value in inputs.items():
        binding.bind_ortvalue_input(name, value)


def _is_small(value: Value) -> bool:
    """Whether a batch is copied faster than bound."""
    return value.sizes is not None and prod(value.sizes) * value.dtype.itemsize <= _COPIED


def _memory(value: Value) -> Array:
    return aligned(np.zeros(value.sizes or (), value.dtype))


class ForwardProgram:
    """A model's forward pass in inference, for any number of rows.

    Args:
        captured: The pass; its inputs are parameters, running statistics and `x`.
        buffers: Where parameters and running statistics lie.
    """

    def __init__(self, captured: Captured, buffers: Buffers | DeviceBuffers) -> None:
        self._graph = optimize(captured.graph)
        self._session = session(self._graph, device=buffers.device)
        self._buffers = buffers
        names = {value.name for value in captured.graph.inputs}
        self._inputs = [
            {name: values[name] for name in values.keys() & names} for values in buffers.values
        ]
        self._bindings = [self._session.io_binding() for _ in self._inputs]
        for binding, inputs in zip(self._bindings, self._inputs, strict=True):
            _bind(binding, inputs)

    def run(self, x: Array) -> Array:
        """The model's output for a batch."""
        binding = self._bindings[self._buffers.turn]
        if self._buffers.device.far:
            _bind(binding, self._inputs[self._buffers.turn])
        binding.bind_cpu_input("x", x)
        binding.bind_output("output")
        try:
            self._session.run_with_iobinding(binding)
        except Exception as error:  # what the runtime raises has no base class of its own
            raise failure(self._graph, error) from error
        result: Array = binding.copy_outputs_to_cpu()[0]
        return result
