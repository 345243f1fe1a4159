"""CompiledStep: the whole training step as one plain ONNX graph, run by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnxruntime

from trainer import random
from trainer.core.proto import to_model
from trainer.core.tensor import Array, Tensor, wrap
from trainer.core.trace import Captured, capture
from trainer.nn.module import Module, Parameter
from trainer.optim.base import Optimizer
from trainer.step import Loss, filled_state, flat_state, training_step

onnxruntime.disable_telemetry_events()


class CompiledStep:
    """The training step captured once and run as one graph, with the signature of `EagerStep`.

    Parameters, running statistics and the optimizer's state live in two sets of buffers that this step
    owns: what one run writes, the next one reads. `sync` copies them into the model.

    Args:
        model: What is trained.
        loss: From the model's output and the target to a scalar.
        optimizer: How parameters change.
        clip: The largest norm of all gradients together. Defaults to no limit.
    """

    def __init__(
        self, model: Module, loss: Loss, optimizer: Optimizer, clip: float | None = None
    ) -> None:
        self.model, self.loss, self.optimizer = model, loss, optimizer
        self._step = training_step(loss, optimizer, clip)
        self._state = optimizer.init(model.tree_children())
        self._runner: _Runner | None = None
        self._forward: _Forward | None = None
        self._ahead = False

    def train(self, x: Array, y: Array, lr: float) -> float:
        """Learn from one batch; the first call captures the step."""
        rate = np.asarray(lr, np.float64)
        if self._runner is None:
            self._runner = self._compiled(x, y, rate)
        self._ahead = True
        return self._runner.run({"lr": rate, "x": x, "y": y})

    def _compiled(self, x: Array, y: Array, rate: Array) -> _Runner:
        self.model.train()
        arguments = (self.model, self._state, wrap(rate), wrap(x), wrap(y))
        batch = {"x": {0: "batch"}, "y": {0: "batch"}}
        captured = capture(self._step, *arguments, dynamic=batch)
        state = {f"optimizer.{name}": t for name, t in flat_state(self._state).items()}
        return _Runner(captured, {**self.model.named_tensors(), **state})

    def predict(self, x: Array) -> Array:
        """The model's outputs for a batch, as in inference."""
        self.sync()
        self.model.eval()
        if self._forward is None:
            self._forward = _Forward(self.model, x)
        return self._forward.run(self.model, x)

    def sync(self) -> None:
        """Copy parameters and running statistics from the step's buffers into the model."""
        if self._runner is None or not self._ahead:
            return
        mine = self.model.named_tensors()
        arrays = self._runner.arrays()
        self.model.assign(
            {
                n: Parameter(arrays[n]) if t.requires_grad else Tensor(arrays[n])
                for n, t in mine.items()
            }
        )
        prefix = "optimizer."
        optimizer = {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}
        self._state = filled_state(self._state, optimizer)
        self._ahead = False

    def state(self) -> dict[str, Array]:
        """The optimizer's state by dotted name, for a checkpoint."""
        self.sync()
        return {name: np.array(t.numpy()) for name, t in flat_state(self._state).items()}

    def load(self, state: Mapping[str, Array]) -> None:
        """Continue from such a state and from the model's present parameters."""
        self._state = filled_state(self._state, state)
        self._runner, self._ahead = None, False


class _Runner:
    """The session, and two sets of state buffers bound to it: each run reads one and writes the other."""

    def __init__(self, captured: Captured, state: Mapping[str, Tensor]) -> None:
        self.draws = captured.draws
        self.session = _session(to_model(captured.graph).SerializeToString())
        used = {value.name for value in captured.graph.inputs}
        sets = [{n: _owned(t) for n, t in state.items()} for _ in range(2)]
        loss = onnxruntime.OrtValue.ortvalue_from_shape_and_type((), np.float32)
        self.loss = loss
        self.bindings = []
        for read, write in (sets, sets[::-1]):
            binding = self.session.io_binding()
            for name, value in read.items():
                if name in used:
                    binding.bind_ortvalue_input(name, value)
            for name, output in captured.state.items():
                binding.bind_ortvalue_output(output, write[name])
            binding.bind_ortvalue_output("loss", loss)
            self.bindings.append(binding)
        self.sets, self.turn = sets, 0

    def run(self, batch: Mapping[str, Array]) -> float:
        binding = self.bindings[self.turn]
        for name, array in batch.items():
            binding.bind_cpu_input(name, np.ascontiguousarray(array) if array.ndim else array)
        sizes = {"batch": len(batch["x"])}
        for drawn in self.draws:
            shape = tuple(n if isinstance(n, int) else n.at(sizes) for n in drawn.shape)
            binding.bind_cpu_input(
                drawn.name, random.sample(drawn.distribution, shape, drawn.dtype)
            )
        self.session.run_with_iobinding(binding)
        self.turn = 1 - self.turn
        return float(self.loss.numpy())

    def arrays(self) -> dict[str, Array]:
        return {name: np.array(value.numpy()) for name, value in self.sets[self.turn].items()}


class _Forward:
    """The model's forward pass in inference, with the parameters given for each run."""

    def __init__(self, model: Module, x: Array) -> None:
        captured = capture(lambda model, x: model(x), model, wrap(x), dynamic={"x": {0: "batch"}})
        self.session = _session(to_model(captured.graph).SerializeToString())
        self.names = {value.name for value in captured.graph.inputs}

    def run(self, model: Module, x: Array) -> Array:
        feeds = {n: t.numpy() for n, t in model.named_tensors().items() if n in self.names}
        result: Array = self.session.run(None, {**feeds, "x": np.ascontiguousarray(x)})[0]
        return result


def _session(model: bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _owned(tensor: Tensor) -> Any:
    """A buffer of the step's own: `ortvalue_from_numpy` would alias the user's array."""
    value = onnxruntime.OrtValue.ortvalue_from_shape_and_type(tensor.shape, tensor.dtype.type)
    value.update_inplace(np.ascontiguousarray(tensor.numpy()).reshape(tensor.shape))
    return value
