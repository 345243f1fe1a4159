"""Initial values of parameters, drawn from trainer.random."""

from __future__ import annotations

import math

import numpy as np

from trainer import random
from trainer.core.tensor import Array, Tensor
from trainer.nn.module import Parameter


def fan_in_uniform(shape: tuple[int, ...], fan_in: int) -> Tensor:
    """A parameter uniform on plus or minus 1/sqrt(fan_in), as PyTorch's Linear and Conv begin.

    He et al. 2015, "Delving Deep into Rectifiers", with the gain that PyTorch chose.

    Args:
        shape: The parameter's shape.
        fan_in: How many values feed one output.
    """
    bound = 1.0 / math.sqrt(fan_in) if fan_in else 0.0
    return _parameter((random.sample("uniform", shape) * 2.0 - 1.0) * bound)


def xavier_uniform(shape: tuple[int, int]) -> Tensor:
    """A parameter uniform on plus or minus sqrt(6 / (inputs + outputs)) (Glorot and Bengio 2010).

    Args:
        shape: Outputs and inputs.
    """
    bound = math.sqrt(6.0 / sum(shape))
    return _parameter((random.sample("uniform", shape) * 2.0 - 1.0) * bound)


def normal(shape: tuple[int, ...], zero_row: int | None = None) -> Tensor:
    """A parameter drawn from the normal distribution with variance 1.

    Args:
        shape: The parameter's shape.
        zero_row: A row that is 0 instead. Defaults to none.
    """
    array = random.sample("normal", shape)
    if zero_row is not None:
        array[zero_row] = 0.0
    return _parameter(array)


def constant(shape: tuple[int, ...], value: float) -> Tensor:
    """A parameter whose entries are all `value`."""
    return _parameter(np.full(shape, value))


def _parameter(array: Array) -> Tensor:
    return Parameter(array.astype(np.float32))
