"""Adam and AdamW."""

from __future__ import annotations

import math

from trainer.core.tensor import Tensor
from trainer.nn.module import Module
from trainer.optim.base import Optimizer, Scalars


class Adam(Optimizer):
    """Kingma and Ba 2014, Algorithm 1.

    The moments are kept scaled, M = m / (1 - beta1) and V = v / (1 - beta2), which saves two passes
    over each parameter: M' = beta1 M + g, V' = beta2 V + g g, w' = w - r M' / (sqrt(V') + e), with the
    two numbers r and e computed once per step in float64.

    Args:
        model: The Module that `step` trains. Defaults to none.
        lr: The learning rate. Defaults to 0.001.
        betas: How much of the first and second moment is kept. Defaults to (0.9, 0.999).
        eps: Added to the root of the second moment. Defaults to 1e-8.
        weight_decay: How much of the parameter is added to its gradient. Defaults to 0.
    """

    slots = ("moment", "square")

    def __init__(
        self,
        model: Module | None = None,
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(model, lr)
        self.betas, self.eps, self.weight_decay = (betas[0], betas[1]), eps, weight_decay

    def scalars(self, lr: Tensor, step: Tensor) -> dict[str, Tensor]:
        """The numbers r and e such that w' = w - r M' / (sqrt(V') + e)."""
        beta1, beta2 = self.betas
        unit = math.sqrt(1.0 - beta2)
        second = (1.0 - beta2**step).sqrt()
        rate = lr * ((1.0 - beta1) / unit) * second / (1.0 - beta1**step)
        return {"lr": lr, "r": rate, "e": second * (self.eps / unit)}

    def change(
        self, w: Tensor, g: Tensor, slots: tuple[Tensor, ...], scalars: Scalars
    ) -> tuple[Tensor, ...]:
        """One parameter's step."""
        if self.weight_decay:
            w, g = self._decayed(w, g, scalars)
        moment = slots[0] * self.betas[0] + g
        square = slots[1] * self.betas[1] + g * g
        direction = moment / (square.sqrt() + scalars.get("e", w.dtype))
        return w - direction * scalars.get("r", w.dtype), moment, square

    def _decayed(self, w: Tensor, g: Tensor, scalars: Scalars) -> tuple[Tensor, Tensor]:
        return w, g + w * self.weight_decay


class AdamW(Adam):
    """Adam with decoupled weight decay, w <- w - lr weight_decay w (Loshchilov and Hutter 2017).

    Args:
        model: The Module that `step` trains. Defaults to none.
        lr: The learning rate. Defaults to 0.001.
        betas: How much of the first and second moment is kept. Defaults to (0.9, 0.999).
        eps: Added to the root of the second moment. Defaults to 1e-8.
        weight_decay: The share of the parameter taken away per unit of learning rate. Defaults to 0.01.
    """

    def __init__(
        self,
        model: Module | None = None,
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(model, lr, betas, eps, weight_decay)

    def _decayed(self, w: Tensor, g: Tensor, scalars: Scalars) -> tuple[Tensor, Tensor]:
        return w * (1.0 - scalars.get("lr", w.dtype) * self.weight_decay), g
