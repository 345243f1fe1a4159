"""Dropout: random zeros while training."""

from __future__ import annotations

import numpy as np

from trainer.core.define import T1, T2, Array, T, op, vjp
from trainer.core.tensor import apply


@op("Dropout")
def dropout(
    data: T,
    ratio: T1 | None = None,
    training_mode: T2 | None = None,
    *,
    seed=None,
    outputs=1,
) -> tuple[Array, ...]:
    """In training mode replace a share of the elements by 0 and divide the others by what remains.

    A layer draws its mask from `trainer.random` instead, where both engines see the same numbers.

    Args:
        data: Any Tensor.
        ratio: The share that becomes 0, a scalar. Defaults to 0.5.
        training_mode: A boolean scalar. Defaults to false, which gives back `data`.
        seed: Of the random numbers. Defaults to another one at each call.

    Returns:
        The result and, if two outputs are asked for, which elements were kept.

    Reference:
        Srivastava et al., Dropout: A Simple Way to Prevent Neural Networks from Overfitting, 2014.
    """
    share = 0.5 if ratio is None else float(ratio)
    if training_mode is None or not training_mode or share == 0:
        return (data, np.ones(data.shape, np.bool_))[:outputs]
    # ONNX's own tests expect numpy's first generator.
    generator = np.random.RandomState(None if seed is None else int(seed))
    kept = np.asarray(generator.uniform(size=data.shape) >= share)
    scale = np.asarray(1 / (1 - share) if share < 1 else 0, data.dtype)
    return (data * kept * scale, kept)[:outputs]


@vjp("Dropout", outputs=2)
def _dropout_vjp(g, y, _data, ratio=None, training_mode=None):
    if training_mode is None:
        return g[0], None, None
    share = 0.5 if ratio is None else ratio.cast(g[0].dtype)
    scaled = g[0] * y[1].cast(g[0].dtype) / (1.0 - share)
    return apply("Where", training_mode, scaled, g[0]), None, None
