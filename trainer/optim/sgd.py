"""Stochastic gradient descent."""

from __future__ import annotations

from trainer.core.tensor import Tensor
from trainer.nn.module import Module
from trainer.optim.base import Optimizer, Scalars


class SGD(Optimizer):
    """w <- w - lr v with v <- momentum v + g, as PyTorch has it.

    Example:
        >>> from trainer.nn import Linear
        >>> model = Linear(2, 1)
        >>> optimizer = SGD(model, lr=0.1, momentum=0.9)
        >>> model(Tensor([[1.0, 2.0]])).sum().backward()
        >>> optimizer.step()

    Args:
        model: The Module that `step` trains. Defaults to none.
        lr: The learning rate. Defaults to 0.01.
        momentum: How much of the last direction is kept, in [0, 1). Defaults to 0.
        nesterov: Whether to look ahead (Sutskever et al. 2013). Defaults to False.
        weight_decay: How much of the parameter is added to its gradient. Defaults to 0.
    """

    def __init__(
        self,
        model: Module | None = None,
        lr: float = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(model, lr)
        self.momentum, self.nesterov, self.weight_decay = momentum, nesterov, weight_decay
        self.slots = ("velocity",) if momentum else ()

    def scalars(self, lr: Tensor, step: Tensor) -> dict[str, Tensor]:
        """The learning rate."""
        return {"lr": lr}

    def change(
        self, w: Tensor, g: Tensor, slots: tuple[Tensor, ...], scalars: Scalars
    ) -> tuple[Tensor, ...]:
        """One parameter's step."""
        if self.weight_decay:
            g = g + w * self.weight_decay
        if not self.momentum:
            return (w - g * scalars.get("lr", w.dtype),)
        velocity = slots[0] * self.momentum + g
        direction = g + velocity * self.momentum if self.nesterov else velocity
        return w - direction * scalars.get("lr", w.dtype), velocity
