"""Optimizer: pure functions over trees, and the shell of a few lines that PyTorch users know."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from trainer.core import tree
from trainer.core.errors import GradientError
from trainer.core.mode import mode
from trainer.core.tensor import Tensor, as_tensor, wrap
from trainer.nn.module import Module, as_parameter

State = dict[str, Any]


class Optimizer(ABC):
    """Base of the optimizers: what a step does to one parameter, lifted over trees.

    A subclass names its `slots` (a Tensor per parameter and slot, beginning at zero), and defines
    `scalars`, computed once per step, and `change`, applied to each parameter.

    Args:
        model: The Module that `step` trains. Defaults to none: use `init` and `update`.
        lr: The learning rate of `step`.
    """

    slots: tuple[str, ...] = ()
    # Whether `change` treats each element by itself, so that parameters may be joined into one vector.
    elementwise = True

    def __init__(self, model: Module | None = None, lr: float = 0.01) -> None:
        self.model, self.lr = model, lr
        self.state: State | None = None

    def init(self, parameters: Any) -> State:
        """The state before the first step: a counter, and the slots as trees like the parameters."""
        zeros = {slot: tree.map_tree(_zeros_like, parameters) for slot in self.slots}
        return {"step": wrap(np.zeros((), np.int64)), **zeros}

    def update(
        self, parameters: Any, gradients: Any, state: State, lr: Tensor | float
    ) -> tuple[Any, State]:
        """One step, as a pure function.

        Args:
            parameters: A tree of Tensors.
            gradients: A tree of the same form.
            state: What `init` or the last `update` returned.
            lr: The learning rate, a float64 scalar.

        Returns:
            The new parameters and the new state.
        """
        with mode(grad=False, phase="optimizer"):
            step = state["step"] + 1
            rate = as_tensor(lr, np.dtype(np.float64))
            scalars = Scalars(self.scalars(rate, step.cast(np.float64)))
            slots = [state[slot] for slot in self.slots]
            made = tree.map_tree(
                lambda w, g, *old: _Result(self.change(w, g, old, scalars)),
                parameters,
                gradients,
                *slots,
            )
            parts = [
                tree.map_tree(lambda result, i=i: result.parts[i], made)
                for i in range(1 + len(self.slots))
            ]
        return parts[0], {"step": step, **dict(zip(self.slots, parts[1:], strict=True))}

    @abstractmethod
    def scalars(self, lr: Tensor, step: Tensor) -> dict[str, Tensor]:
        """What is computed once per step in float64, from the learning rate and the step's number."""

    @abstractmethod
    def change(
        self, w: Tensor, g: Tensor, slots: tuple[Tensor, ...], scalars: Scalars
    ) -> tuple[Tensor, ...]:
        """The new value of one parameter, then of its slots."""

    # The shell.

    def zero_grad(self) -> None:
        """Forget the gradients of the model."""
        for tensor in self._model().parameters().values():
            tensor.grad = None

    def step(self) -> None:
        """Change the model's parameters by their `.grad`."""
        model = self._model()
        parameters = {n: t for n, t in model.parameters().items() if t.grad is not None}
        if not parameters:
            raise GradientError("step(): no parameter has a gradient; call loss.backward() first.")
        gradients = {name: tensor.grad for name, tensor in parameters.items()}
        if self.state is None:
            self.state = self.init(model.tree_children())
        mine = {
            k: v if k == "step" else {n: v[n] for n in parameters} for k, v in self.state.items()
        }
        new, state = self.update(parameters, gradients, mine, self.lr)
        for key, value in state.items():
            self.state[key] = value if key == "step" else {**self.state[key], **value}
        model.assign({name: as_parameter(tensor) for name, tensor in new.items()})

    def _model(self) -> Module:
        if self.model is None:
            raise GradientError(f"{type(self).__name__} was made without a model; use update().")
        return self.model


class Scalars:
    """The scalars of a step, each cast once to the dtype of the parameters that use it."""

    def __init__(self, values: dict[str, Tensor]) -> None:
        self._values = values
        self._cast: dict[tuple[str, Any], Tensor] = {}

    def get(self, name: str, dtype: Any) -> Tensor:
        """A scalar as that dtype."""
        if (name, dtype) not in self._cast:
            self._cast[name, dtype] = self._values[name].cast(dtype)
        return self._cast[name, dtype]


class _Result:
    """A leaf that carries several Tensors through a tree."""

    def __init__(self, parts: tuple[Tensor, ...]) -> None:
        self.parts = parts


def _zeros_like(x: Tensor) -> Tensor:
    return wrap(np.zeros(x.shape, x.dtype))
