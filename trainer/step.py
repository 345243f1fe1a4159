"""One training step, written once: run eagerly here, captured and compiled in trainer.compiled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from trainer.core.errors import CheckpointError
from trainer.core.hint import listing
from trainer.core.mode import no_grad
from trainer.core.tape import value_and_grad
from trainer.core.tensor import Array, Tensor, wrap
from trainer.core.tree import named_leaves
from trainer.nn.module import Module, as_parameter
from trainer.optim.accumulation import accumulated, carried_over
from trainer.optim.base import Optimizer
from trainer.optim.clipping import clip_by_global_norm

Loss = Callable[[Any, Tensor], Tensor]


class Step(Protocol):
    """What the training loop talks to: it does not know which engine runs."""

    model: Module
    loss: Loss

    def train(self, x: Array, y: Array, lr: float) -> float:
        """Learn from one batch and return its loss."""
        ...

    def predict(self, x: Array) -> Array:
        """The model's outputs for a batch, as in inference."""
        ...

    def sync(self) -> None:
        """Bring the model's parameters up to date."""
        ...

    def state(self) -> dict[str, Array]:
        """The optimizer's state by dotted name, for a checkpoint."""
        ...

    def load(self, state: Mapping[str, Array]) -> None:
        """Continue from such a state."""
        ...


def training_step(loss: Loss, optimizer: Optimizer, clip: float | None) -> Callable[..., Any]:
    """The whole step as a function of everything that changes: what is captured is this function.

    Args:
        loss: From the model's output and the target to a scalar.
        optimizer: Its pure `update` is used.
        clip: The largest norm of all gradients together, or `None`.

    Returns:
        A function of (model, optimizer's state, lr, x, y) that puts new parameters and running
        statistics into the model and returns the loss and the optimizer's new state.
    """
    update = optimizer.update

    def step(model: Module, optimizer: Any, lr: Tensor, x: Tensor, y: Tensor) -> dict[str, Any]:
        value, gradients = loss_and_gradients(model, loss, x, y, clip)
        new, state = update(model.tree_children(), gradients, optimizer, lr)
        model.assign({name: as_parameter(tensor) for name, tensor in new.items()})
        return {"loss": value, "optimizer": state}

    return step


def loss_and_gradients(
    model: Module, loss: Loss, x: Tensor, y: Tensor, clip: float | None
) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss of a batch, and its gradients by dotted name, clipped to a joint norm."""
    value, gradients = value_and_grad(lambda m: loss(m(x), y))(model)
    return value, gradients if clip is None else clip_by_global_norm(gradients, clip)


class EagerStep:
    """The training step run operator by operator, in numpy.

    Args:
        model: What is trained.
        loss: From the model's output and the target to a scalar.
        optimizer: How parameters change.
        clip: The largest norm of all gradients together. Defaults to no limit.
        accumulate: How many batches make one step of the optimizer. Defaults to 1.
    """

    def __init__(
        self,
        model: Module,
        loss: Loss,
        optimizer: Optimizer,
        clip: float | None = None,
        accumulate: int = 1,
    ) -> None:
        optimizer, clip = accumulated(optimizer, clip, accumulate)
        self.model, self.loss, self.optimizer = model, loss, optimizer
        self._step = training_step(loss, optimizer, clip)
        self._state = optimizer.init(model.tree_children())

    def train(self, x: Array, y: Array, lr: float) -> float:
        """Learn from one batch.

        Args:
            x: The inputs, [batch, ...].
            y: The targets, [batch, ...].
            lr: The learning rate of this step.

        Returns:
            The loss before the step.
        """
        if not self.model.training:
            self.model.train()
        result = self._step(
            self.model, self._state, wrap(np.asarray(lr, np.float64)), wrap(x), wrap(y)
        )
        self._state = result["optimizer"]
        return float(result["loss"])

    def predict(self, x: Array) -> Array:
        """The model's outputs for a batch, as in inference."""
        self.model.eval()
        with no_grad():
            output: Tensor = self.model(wrap(x))
        return output.numpy()

    def sync(self) -> None:
        """Nothing to do: the model's parameters are always up to date."""

    def state(self) -> dict[str, Array]:
        """The optimizer's state by dotted name, for a checkpoint."""
        return {name: np.array(t.numpy()) for name, t in flat_state(self._state).items()}

    def load(self, state: Mapping[str, Array]) -> None:
        """Continue from such a state."""
        given = carried_over(state, flat_state(self._state), self.optimizer)
        self._state = filled_state(self._state, given)


def flat_state(state: Any) -> dict[str, Tensor]:
    """An optimizer's state by dotted name: `step`, `velocity.layers.0.weight`."""
    return dict(named_leaves(state))


def filled_state(form: Any, arrays: Mapping[str, Array]) -> Any:
    """A state of the same form with values from a checkpoint.

    Raises:
        CheckpointError: Names or shapes differ: the checkpoint is of another model or optimizer.
    """
    expected = flat_state(form)
    differences = {
        "lacks": expected.keys() - arrays.keys(),
        "has besides": arrays.keys() - expected.keys(),
        "has in another shape": {
            name
            for name in expected.keys() & arrays.keys()
            if arrays[name].shape != expected[name].shape
        },
    }
    if found := [
        f"{what} {listing(sorted(names))}" for what, names in differences.items() if names
    ]:
        raise CheckpointError(
            f"The optimizer's state does not fit: the checkpoint {'; it '.join(found)}. Was it saved "
            "with another optimizer or another model, or with another `accumulate`?"
        )
    return {
        key: Tensor(arrays[key])
        if isinstance(value, Tensor)
        else {name: Tensor(arrays[f"{key}.{name}"]) for name in value}
        for key, value in form.items()
    }
