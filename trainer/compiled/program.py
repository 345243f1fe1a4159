"""A captured function bound to memory: what runs for each batch, with as little Python as possible."""

from __future__ import annotations

import numpy as np

from trainer import random
from trainer.compiled.buffers import Buffers
from trainer.compiled.passes import optimize
from trainer.compiled.session import bound, failure, session
from trainer.core.tensor import Array
from trainer.core.trace import Captured


class TrainingProgram:
    """A training step for batches of one shape, or of any number of rows.

    Args:
        captured: The step; its inputs are the state, `lr`, `x`, `y` and random draws.
        buffers: Where the state lies; several programs may share it.
    """

    def __init__(self, captured: Captured, buffers: Buffers) -> None:
        self._graph = optimize(captured.graph)
        self._session = session(self._graph)
        self._buffers, self._draws = buffers, captured.draws
        loss = next(value for value in captured.graph.outputs if value.name == "loss")
        self._rate, self._loss = np.zeros((), np.float64), np.zeros((), loss.dtype)
        self._bindings = []
        for read, write in (buffers.values, buffers.values[::-1]):
            binding = self._session.io_binding()
            for name in read.keys() & {value.name for value in captured.graph.inputs}:
                binding.bind_ortvalue_input(name, read[name])
            binding.bind_ortvalue_input("lr", bound(self._rate))
            for name, output in captured.state.items():
                binding.bind_ortvalue_output(output, write[name])
            binding.bind_ortvalue_output("loss", bound(self._loss))
            self._bindings.append(binding)

    def run(self, x: Array, y: Array, lr: float) -> float:
        """Learn from one batch and return its loss."""
        buffers = self._buffers
        binding = self._bindings[buffers.turn]
        self._rate[()] = lr
        binding.bind_cpu_input("x", x)
        binding.bind_cpu_input("y", y)
        for drawn in self._draws:
            shape = tuple(n if isinstance(n, int) else n.at({"batch": len(x)}) for n in drawn.shape)
            binding.bind_cpu_input(
                drawn.name, random.sample(drawn.distribution, shape, drawn.dtype)
            )
        try:
            self._session.run_with_iobinding(binding)
        except Exception as error:  # what the runtime raises has no base class of its own
            raise failure(self._graph, error) from error
        buffers.turn = 1 - buffers.turn
        return float(self._loss)


class ForwardProgram:
    """A model's forward pass in inference, for any number of rows.

    Args:
        captured: The pass; its inputs are parameters, running statistics and `x`.
        buffers: Where parameters and running statistics lie.
    """

    def __init__(self, captured: Captured, buffers: Buffers) -> None:
        self._graph = optimize(captured.graph)
        self._session = session(self._graph)
        self._buffers = buffers
        self._bindings = []
        for values in buffers.values:
            binding = self._session.io_binding()
            for name in values.keys() & {value.name for value in captured.graph.inputs}:
                binding.bind_ortvalue_input(name, values[name])
            self._bindings.append(binding)

    def run(self, x: Array) -> Array:
        """The model's output for a batch."""
        binding = self._bindings[self._buffers.turn]
        binding.bind_cpu_input("x", x)
        binding.bind_output("output")
        try:
            self._session.run_with_iobinding(binding)
        except Exception as error:  # what the runtime raises has no base class of its own
            raise failure(self._graph, error) from error
        result: Array = binding.copy_outputs_to_cpu()[0]
        return result
