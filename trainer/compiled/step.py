"""CompiledStep: the whole training step as one plain ONNX graph, run by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trainer.compiled import choices, grouping
from trainer.compiled.buffers import Buffers, DeviceBuffers
from trainer.compiled.device import find
from trainer.compiled.program import ForwardProgram, TrainingProgram
from trainer.core.allocation import give_back_freed_memory
from trainer.core.tensor import Array, Tensor, wrap
from trainer.core.trace import capture
from trainer.nn.module import Module, as_parameter
from trainer.optim.accumulation import accumulated, carried_over
from trainer.optim.base import Optimizer
from trainer.step import Loss, filled_state, flat_state

_STATE = "optimizer."


class CompiledStep:
    """The training step captured and run as one graph, with the signature of `EagerStep`.

    Parameters, running statistics and the optimizer's state live in memory that this step owns. `sync`
    copies them into the model; what was put into the model after that is taken over by the next step.
    The first shape of batches gets a graph of its own; batches with another number of rows (the last
    one of an epoch) share one more.

    Args:
        model: What is trained.
        loss: From the model's output and the target to a scalar.
        optimizer: How parameters change.
        clip: The largest norm of all gradients together. Defaults to no limit.
        accumulate: How many batches make one step of the optimizer. Defaults to 1.
        device: "cpu", or "cuda" with onnxruntime-gpu. Defaults to "cpu".

    Raises:
        ConfigError: The device cannot be used.
    """

    def __init__(
        self,
        model: Module,
        loss: Loss,
        optimizer: Optimizer,
        clip: float | None = None,
        accumulate: int = 1,
        device: str = "cpu",
    ) -> None:
        self._device = find(device)
        optimizer, clip = accumulated(optimizer, clip, accumulate)
        choices.install()
        self.model, self.loss, self.optimizer = model, loss, optimizer
        parameters = model.tree_children()
        self._state = optimizer.init(parameters)
        # Members of a group are views of its vector, which only numpy's memory can have.
        self._small = [] if self._device.far else grouping.small(parameters, optimizer)
        self._groups = grouping.groups(self._small, optimizer)
        self._step = grouping.grouped_step(loss, optimizer, clip, self._small)
        self._buffers: Buffers | DeviceBuffers | None = None
        self._programs: dict[Any, TrainingProgram] = {}
        self._flexible: dict[Any, TrainingProgram | None] = {}
        self._forwards: dict[Any, ForwardProgram] = {}
        self._seen: dict[str, Tensor] = {}
        self._ahead = False

    def train(self, x: Array, y: Array, lr: float) -> float:
        """Learn from one batch; the first of a shape is captured.

        Args:
            x: The inputs, [batch, ...].
            y: The targets, [batch, ...].
            lr: The learning rate of this step.

        Returns:
            The loss before the step.

        Raises:
            CaptureError: The step cannot become a graph, or ONNX Runtime cannot run it.
        """
        program = self._programs.get((x.shape, x.dtype, y.shape, y.dtype))
        if program is None:
            program = self._captured(x, y)
        self._present()
        loss = program.run(np.asarray(x, order="C"), np.asarray(y, order="C"), lr)
        self._ahead = True
        return loss

    def _captured(self, x: Array, y: Array) -> TrainingProgram:
        row = (x.shape[1:], x.dtype, y.shape[1:], y.dtype)
        program = self._flexible.get(row)
        if program is None:
            first = row not in self._flexible
            batch = {} if first else {"x": {0: "batch"}, "y": {0: "batch"}}
            self.model.train()
            captured = capture(self._step, *self._arguments(x, y), dynamic=batch)
            give_back_freed_memory()
            program = TrainingProgram(captured, self._present())
            self._flexible[row] = None if first else program
        self._programs[x.shape, x.dtype, y.shape, y.dtype] = program
        return program

    def _arguments(self, x: Array, y: Array) -> tuple[Any, ...]:
        state = {
            name: grouping.joined(value, self._small) if isinstance(value, dict) else value
            for name, value in self._state.items()
        }
        parameters = grouping.joined(self.model.tree_children(), self._small)
        vector = {"parameters": parameters[grouping.GROUP]} if self._small else {}
        return self.model, state, vector, wrap(np.zeros((), np.float64) + 1e-3), wrap(x), wrap(y)

    def predict(self, x: Array) -> Array:
        """The model's outputs for a batch, as in inference."""
        buffers = self._present()
        key = (x.shape[1:], x.dtype)
        if key not in self._forwards:
            self.model.eval()
            batch = {"x": {0: "batch"}}
            captured = capture(lambda model, x: model(x), self.model, wrap(x), dynamic=batch)
            self._forwards[key] = ForwardProgram(captured, buffers)
        return self._forwards[key].run(np.asarray(x, order="C"))

    def sync(self) -> None:
        """Copy parameters and running statistics into the model."""
        if not self._ahead:
            return
        arrays = self._present().arrays()
        self.model.assign(
            {
                name: as_parameter(wrap(arrays[name])) if t.requires_grad else wrap(arrays[name])
                for name, t in self.model.named_tensors().items()
            }
        )
        self._seen = self.model.named_tensors()
        self._ahead = False

    def state(self) -> dict[str, Array]:
        """The optimizer's state by dotted name, for a checkpoint; the model is brought up to date."""
        self.sync()
        arrays = self._present().arrays()
        return {n.removeprefix(_STATE): a for n, a in arrays.items() if n.startswith(_STATE)}

    def load(self, state: Mapping[str, Array]) -> None:
        """Continue from such a state and from the model's present parameters."""
        given = carried_over(state, flat_state(self._state), self.optimizer)
        self._state = filled_state(self._state, given)
        self._ahead, self._seen = False, {}
        self._present().write({f"{_STATE}{name}": array for name, array in given.items()})

    def _present(self) -> Buffers | DeviceBuffers:
        """The memory, with what the user has put into the model since the last `sync`."""
        if self._ahead and self._buffers is not None:
            return self._buffers
        model = self.model.named_tensors()
        if self._buffers is None:
            state = {f"{_STATE}{n}": t.numpy() for n, t in flat_state(self._state).items()}
            arrays = {n: t.numpy() for n, t in model.items()} | state
            self._buffers = (
                DeviceBuffers(arrays, self._device)
                if self._device.far
                else Buffers(arrays, self._groups)
            )
        else:
            changed = {n: t.numpy() for n, t in model.items() if t is not self._seen.get(n)}
            self._buffers.write(changed)
        self._seen = model
        return self._buffers
