"""What happens to raw inputs, as layers: so it is trained, exported and served as one with the model."""

from __future__ import annotations

import numpy as np

from trainer.core.dtypes import is_float
from trainer.core.errors import DataError
from trainer.core.tensor import Array, Tensor
from trainer.nn.module import Module


class Standardize(Module):
    """Each feature less its mean, over its standard deviation, both measured on the training data.

    Example:
        >>> layer = Standardize(2)
        >>> layer.adapt(np.array([[0.0, 5.0], [2.0, 5.0]], np.float32))
        >>> layer(Tensor([[3.0, 5.0]]))
        Tensor([[2., 0.]])

    Args:
        features: The size of the last axis.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("mean", Tensor(np.zeros(features, np.float32)))
        self.register_buffer("scale", Tensor(np.ones(features, np.float32)))
        self.mean: Tensor
        self.scale: Tensor

    def adapt(self, x: Array) -> None:
        """Measure the training data, [rows, features]; a constant feature keeps its scale."""
        if x.shape[-1:] != self.mean.shape:
            raise DataError(
                f"Standardize({self.mean.shape[0]}): the data has {x.shape[-1]} features, not "
                f"{self.mean.shape[0]}."
            )
        rows = x.reshape(-1, x.shape[-1]).astype(np.float64)
        deviation = rows.std(axis=0)
        self.mean = Tensor(rows.mean(axis=0), np.float32)
        self.scale = Tensor(np.where(deviation > 0, deviation, 1.0), np.float32)

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape."""
        return (_real(x) - self.mean) / self.scale


class Rescale(Module):
    """x scale + offset: pixels to [0, 1], for example.

    Args:
        scale: The factor.
        offset: What is added. Defaults to 0.
    """

    def __init__(self, scale: float, offset: float = 0.0) -> None:
        super().__init__()
        self.scale, self.offset = scale, offset

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape."""
        scaled = _real(x) * self.scale
        return scaled + self.offset if self.offset else scaled

    def extra_repr(self) -> str:
        """The factor."""
        return f"{self.scale}"


class Reshape(Module):
    """Each row in another shape: [batch, ...] to [batch, *shape].

    Example:
        >>> Reshape(1, 8, 8)(Tensor(np.zeros((5, 64), np.float32))).shape
        (5, 1, 8, 8)

    Args:
        *shape: The shape of a row.
    """

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        """Keep the number of rows."""
        return x.reshape(-1, *self.shape)

    def extra_repr(self) -> str:
        """The shape."""
        return ", ".join(map(str, self.shape))


def _real(x: Tensor) -> Tensor:
    """Whole numbers, such as the pixels of an image file, as float32."""
    return x if is_float(x.dtype) else x.cast(np.float32)
