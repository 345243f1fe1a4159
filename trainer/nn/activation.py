"""Activation functions as layers."""

from __future__ import annotations

from typing import ClassVar

from trainer.core.tensor import Tensor, apply
from trainer.nn.initializer import constant
from trainer.nn.module import Module


class _Elementwise(Module):
    """One ONNX operator, with its attributes as they are unless told otherwise."""

    operator: ClassVar[str]

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape."""
        return apply(self.operator, x)


class ReLU(Module):
    """max(x, 0)."""

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape."""
        return x.relu()


class LeakyReLU(Module):
    """x where positive, else slope x.

    Args:
        negative_slope: The slope below 0. Defaults to 0.01.
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__()
        self.negative_slope = negative_slope

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape."""
        return apply("LeakyRelu", x, alpha=self.negative_slope)


class PReLU(Module):
    """x where positive, else slope x, where the slope is learned (He et al. 2015).

    Args:
        features: 1 for one slope, or the size of axis 1 for one slope per channel. Defaults to 1.
        init: The slope to begin with. Defaults to 0.25.

    Attributes:
        weight: [features].
    """

    def __init__(self, features: int = 1, init: float = 0.25) -> None:
        super().__init__()
        self.weight = constant((features,), init)

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape."""
        per_channel = self.weight.shape[0] > 1
        slope = self.weight.reshape(-1, *[1] * (x.ndim - 2)) if per_channel else self.weight
        return apply("PRelu", x, slope)


class ELU(Module):
    """x where positive, else alpha (exp(x) - 1) (Clevert et al. 2015).

    Args:
        alpha: Minus the limit for x far below 0. Defaults to 1.
    """

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape."""
        return apply("Elu", x, alpha=self.alpha)


class SELU(_Elementwise):
    """ELU scaled so that values keep mean 0 and variance 1 (Klambauer et al. 2017)."""

    operator = "Selu"


class SiLU(Module):
    """x sigmoid(x), also known as Swish (Elfwing et al. 2017)."""

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape."""
        return x * x.sigmoid()


class Mish(_Elementwise):
    """x tanh(softplus(x)) (Misra 2019)."""

    operator = "Mish"


class Softplus(_Elementwise):
    """log(1 + exp(x))."""

    operator = "Softplus"


class Softsign(_Elementwise):
    """x / (1 + |x|)."""

    operator = "Softsign"


class Hardswish(_Elementwise):
    """x times a sigmoid made of three lines (Howard et al. 2019)."""

    operator = "HardSwish"


class Hardsigmoid(Module):
    """x / 6 + 1/2 within [0, 1]."""

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape."""
        return apply("HardSigmoid", x, alpha=1.0 / 6.0, beta=0.5)


class Sigmoid(Module):
    """1 / (1 + exp(-x))."""

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape."""
        return x.sigmoid()


class Tanh(Module):
    """The hyperbolic tangent."""

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape."""
        return x.tanh()


class GELU(Module):
    """x times the normal distribution function of x (Hendrycks and Gimpel 2016).

    Args:
        approximate: "none" for the exact form, "tanh" for the approximation. Defaults to "none".
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape."""
        return apply("Gelu", x, approximate=self.approximate)


class Softmax(Module):
    """exp(x) over its sum along an axis.

    Args:
        axis: The axis that sums to 1. Defaults to -1.
    """

    def __init__(self, axis: int = -1) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape."""
        return apply("Softmax", x, axis=self.axis)


class LogSoftmax(Module):
    """The logarithm of `Softmax`, exact where that is nearly 0.

    Args:
        axis: The axis along which exp of the result sums to 1. Defaults to -1.
    """

    def __init__(self, axis: int = -1) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape."""
        return apply("LogSoftmax", x, axis=self.axis)
