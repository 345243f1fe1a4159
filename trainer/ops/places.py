"""Indices as places in flat memory, checked, so that kernels can take and put without loops."""

from __future__ import annotations

from math import prod

import numpy as np

from trainer.core.define import Array


def within(indices: Array, size: int) -> Array:
    """Indices into an axis counted from its front.

    Raises:
        IndexError: One is not from -size to size - 1.
    """
    if not indices.size:
        return indices.astype(np.int64)
    low, high = indices.min(), indices.max()
    if low < -size or high >= size:
        raise IndexError(f"index {low if low < -size else high} is out of bounds for size {size}")
    if low < 0:
        return np.where(indices < 0, indices + size, indices).astype(np.int64, copy=False)
    return indices.astype(np.int64, copy=False)


def element_places(shape: tuple[int, ...], indices: Array, axis: int) -> Array:
    """The flat places of elements whose coordinate along `axis` is the index, the others their own."""
    if indices.ndim != len(shape):
        raise ValueError(f"indices of {indices.ndim} dimensions for data of {len(shape)}")
    axis %= len(shape)
    places = within(indices, shape[axis]) * prod(shape[axis + 1 :])
    for other, size in enumerate(indices.shape):
        if other != axis:
            steps = np.arange(size) * prod(shape[other + 1 :])
            places += steps.reshape([-1 if a == other else 1 for a in range(len(shape))])
    return places


def row_places(shape: tuple[int, ...], indices: Array) -> Array:
    """The flat places of slices whose first coordinates are the last axis of `indices`."""
    places = np.zeros(indices.shape[:-1], np.int64)
    for axis in range(indices.shape[-1]):
        places *= shape[axis]
        places += within(indices[..., axis], shape[axis])
    return places
