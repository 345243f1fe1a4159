"""Sampling images at any coordinates: what a spatial transformer does."""

from __future__ import annotations

import operator
from functools import reduce
from itertools import product

import numpy as np

from trainer.core.define import T1, T2, Int64, op, vjp
from trainer.core.tensor import apply, wrap
from trainer.ops.adjoint import length, pull_back
from trainer.ops.interpolation import cubic_far, cubic_near

_CUBIC = -0.75  # the coefficient that ONNX and PyTorch fix
_OLD_NAMES = {"bilinear": "linear", "bicubic": "cubic"}  # before opset 20


@op("GridSample")
def grid_sample(
    X: T1, grid: T2, *, align_corners: int = 0, mode: str = "linear", padding_mode: str = "zeros"
) -> T1:
    """The values of images at the coordinates of a grid.

    Args:
        X: Images `[n, c, h, w]` or volumes `[n, c, d, h, w]`.
        grid: Coordinates `[n, ..., 2]` as x, y (for volumes 3: x, y, z) from -1 to 1.
        align_corners: Whether -1 and 1 are the centers of the outermost pixels rather than their
            outer edges. Defaults to 0.
        mode: "linear", "nearest" or "cubic". Defaults to "linear".
        padding_mode: What lies outside: "zeros", "border" or "reflection". Defaults to "zeros".
    """
    return _sampled(wrap(X), wrap(grid), align_corners, mode, padding_mode)._data


@vjp("GridSample")
def _grid_sample_vjp(g, _y, X, grid, *, align_corners, mode, padding_mode):
    def sampled(X, grid):
        return _sampled(X, grid, align_corners, mode, padding_mode)

    return pull_back(sampled, g, X, grid)


def _sampled(X, grid, align_corners, mode, padding_mode):
    """GridSample in other operators: what is computed and, differentiated, the gradient."""
    sizes = X.shape[2:]
    pixels = X.permute(0, *range(2, X.ndim), 1).reshape(-1, X.shape[1])
    image = apply("Range", 0, length(grid, 0), 1).reshape(-1, *[1] * len(sizes))
    taps = [
        _taps(coordinate, size, align_corners, _OLD_NAMES.get(mode, mode), padding_mode)
        for coordinate, size in zip(_coordinates(grid), sizes, strict=True)
    ]
    terms = []
    for chosen in product(*taps):
        place = image
        for size, (along, _) in zip(sizes, chosen, strict=True):
            place = place * size + along
        weight = reduce(operator.mul, [weight for _, weight in chosen])
        terms.append(apply("Gather", pixels, place) * weight.cast(X.dtype).unsqueeze(-1))
    total = reduce(operator.add, terms)
    return total.permute(0, total.ndim - 1, *range(1, total.ndim - 1))


def _coordinates(grid):
    """The coordinates in the order of the axes: y, x."""
    return [grid[..., k] for k in reversed(range(grid.shape[-1]))]


def _taps(coordinate, size, align_corners, mode, padding_mode):
    """Which pixels along an axis a coordinate takes from, and with which weights."""
    low, high = (0.0, size - 1.0) if align_corners else (-0.5, size - 0.5)
    x = low + (coordinate + 1.0) * (0.5 * (high - low))
    if mode != "cubic":
        x = _padded(x, size, low, high, padding_mode)
    first = apply("Round" if mode == "nearest" else "Floor", x)
    t = x - first
    if mode == "nearest":
        places, weights = [first], [t * 0.0 + 1.0]
    elif mode == "linear":
        places, weights = [first, first + 1.0], [1.0 - t, t]
    else:
        places = [first - 1.0, first, first + 1.0, first + 2.0]
        places = [_padded(place, size, low, high, padding_mode) for place in places]
        near = [cubic_near(distance, _CUBIC) for distance in (t, 1.0 - t)]
        far = [cubic_far(distance, _CUBIC) for distance in (t + 1.0, 2.0 - t)]
        weights = [far[0], *near, far[1]]
    if padding_mode == "zeros":
        weights = [
            weight * ((place >= 0.0) & (place <= size - 1.0)).cast(weight.dtype)
            for place, weight in zip(places, weights, strict=True)
        ]
    return [
        (apply("Clip", place, 0.0, size - 1.0).cast(np.int64), weight)
        for place, weight in zip(places, weights, strict=True)
    ]


def _padded(x, size, low, high, padding_mode):
    """Where outside coordinates take their values from."""
    if padding_mode == "zeros":
        return x
    if padding_mode == "reflection":
        span = max(high - low, 1e-9)  # a single pixel reflects onto itself
        distance = abs(x - low)
        times = apply("Floor", distance / span)
        odd = times - 2.0 * apply("Floor", times * 0.5)
        rest = distance - times * span
        x = low + rest + odd * (span - 2.0 * rest)
    return apply("Clip", x, 0.0, size - 1.0)


@op("AffineGrid")
def affine_grid(theta: T1, size: Int64, *, align_corners: int = 0) -> T1:
    """The coordinates that affine maps send the pixels of an image to, for `grid_sample`.

    Example:
        >>> affine_grid([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]], [1, 1, 1, 2])
        Tensor([[[[-0.5,  0. ],
                  [ 0.5,  0. ]]]])

    Args:
        theta: One map per image, `[n, 2, 3]`, or `[n, 3, 4]` for volumes.
        size: The shape `[n, c, h, w]` or `[n, c, d, h, w]` of the images.
        align_corners: As in `grid_sample`. Defaults to 0.
    """
    n, _, *sizes = size.tolist()
    lines = [_centers(pixels, align_corners) for pixels in reversed(sizes)]
    pixels = np.meshgrid(*reversed(lines), indexing="ij")
    homogeneous = np.stack([*reversed(pixels), np.ones(sizes)], -1).reshape(-1, len(sizes) + 1)
    moved = theta @ homogeneous.T.astype(theta.dtype)
    return np.moveaxis(moved, 1, -1).reshape(n, *sizes, len(sizes))


def _centers(pixels, align_corners):
    """The centers of pixels on a line from -1 to 1."""
    if not align_corners:
        return (2 * np.arange(pixels) + 1) / pixels - 1
    return np.linspace(-1, 1, pixels) if pixels > 1 else np.zeros(1)


@vjp("AffineGrid")
def _affine_grid_vjp(g, _y, _theta, size, *, align_corners):
    # The map is linear in theta; where the identity leaves each pixel is what it is multiplied with.
    identity = np.eye(*_theta.shape[1:], dtype=g.dtype)[None]
    one = apply("Concat", [1, 1], size[2:], axis=0)
    rank = g.shape[-1]
    pixels = apply("AffineGrid", identity, one, align_corners=align_corners).reshape(-1, rank)
    moved = g.reshape(-1, pixels.shape[0], rank).permute(0, 2, 1)
    return apply("Concat", moved @ pixels, moved.sum(axis=-1, keepdims=True), axis=-1)
