"""Dropout."""

from __future__ import annotations

from trainer import random
from trainer.core.errors import ConfigError
from trainer.core.tensor import Tensor
from trainer.nn.module import Module


class Dropout(Module):
    """In training, zero a share of the values and scale up the rest (Srivastava et al. 2014).

    Args:
        p: The probability of a zero, in [0, 1). Defaults to 0.5.
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        if not 0.0 <= p < 1.0:
            raise ConfigError(f"Dropout(p={p}): the probability of a zero lies in [0, 1).")
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape."""
        if not self.training or self.p == 0.0:
            return x
        kept = (random.uniform(x.shape) >= self.p).cast(x.dtype)
        return x * (kept * (1.0 / (1.0 - self.p)))

    def extra_repr(self) -> str:
        """The probability."""
        return f"{self.p}"
