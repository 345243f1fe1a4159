"""Small parameters joined into one vector, so that the optimizer runs once over all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from trainer.core.mode import mode
from trainer.core.tensor import Tensor, apply
from trainer.optim.base import Optimizer
from trainer.step import Loss, loss_and_gradients

GROUP = "grouped"
PARAMETERS = f"{GROUP}.parameters"

# Parameters of at most so many elements are joined. Larger ones keep operators of their own: joining
# their gradients would cost a pass over memory that nothing wins back.
SMALL = 4096


def small(parameters: Mapping[str, Tensor], optimizer: Optimizer) -> list[str]:
    """The names of the parameters that are joined; none if there are not two."""
    names = [n for n, t in parameters.items() if t.size <= SMALL and t.dtype == np.float32]
    return names if len(names) > 1 and optimizer.elementwise else []


def groups(names: list[str], optimizer: Optimizer) -> dict[str, list[str]]:
    """The vectors by name, each with the names of its members: parameters, and the slots of each."""
    if not names:
        return {}
    slots = {f"optimizer.{slot}": slot for slot in optimizer.slots}
    return {PARAMETERS: names} | {
        f"{slot}.{GROUP}": [f"{slot}.{name}" for name in names] for slot in slots
    }


def joined(tensors: Mapping[str, Tensor], names: list[str]) -> dict[str, Tensor]:
    """The same Tensors, those of these names as one vector."""
    if not names:
        return dict(tensors)
    with mode(phase="optimizer"):
        vector = apply("Concat", *[tensors[name].reshape(-1) for name in names], axis=0)
    return {n: t for n, t in tensors.items() if n not in names} | {GROUP: vector}


def grouped_step(
    loss: Loss, optimizer: Optimizer, clip: float | None, names: list[str]
) -> Callable[..., Any]:
    """`trainer.step.training_step` with the parameters of these names given as one vector as well.

    Returns:
        A function of (model, optimizer's state, grouped, lr, x, y), where slots have the vector under
        the name of the group, and `grouped` is {"parameters": the vector of all values}.
    """
    update = optimizer.update

    def step(
        model: Any, optimizer: Any, grouped: Any, lr: Tensor, x: Tensor, y: Tensor
    ) -> dict[str, Any]:
        parameters = model.tree_children()
        value, gradients = loss_and_gradients(model, loss, x, y, clip)
        kept = {n: t for n, t in parameters.items() if n not in names}
        given = {**kept, **({GROUP: grouped["parameters"]} if names else {})}
        new, state = update(given, joined(gradients, names), optimizer, lr)
        vector = {"parameters": new.pop(GROUP)} if names else {}
        model.assign(new)
        return {"loss": value, "optimizer": state, GROUP: vector}

    return step
