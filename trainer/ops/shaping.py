"""The same elements in another form: reshaped, transposed, expanded, joined and split."""

from __future__ import annotations

from itertools import accumulate
from math import prod

import numpy as np

from trainer.core.define import Int64, T, V, op, vjp
from trainer.core.tensor import apply
from trainer.ops.adjoint import restore, zeros


@op("Identity")
def identity(input: V) -> V:
    """The Tensor itself."""
    return input


@vjp("Identity")
def _identity_vjp(g, _y, _input):
    return g


@op("Reshape")
def reshape(data: T, shape: Int64, *, allowzero: int = 0) -> T:
    """The same elements in another shape.

    Example:
        >>> reshape([[1, 2], [3, 4], [5, 6]], [2, -1])
        Tensor([[1, 2, 3],
                [4, 5, 6]])

    Args:
        data: Any Tensor.
        shape: The new sizes. One may be -1 and follows from the others; 0 keeps the size of `data`.
        allowzero: Whether 0 means a size of 0 instead. Defaults to 0.
    """
    sizes = np.asarray(shape).tolist()
    if not allowzero and 0 in sizes:
        sizes = [size or data.shape[axis] for axis, size in enumerate(sizes)]
    if -1 in sizes and not data.size:  # numpy does not divide 0 elements
        known = prod(size for size in sizes if size != -1)
        sizes[sizes.index(-1)] = 0 if known else 1
    return data.reshape(sizes)


@vjp("Reshape")
def _reshape_vjp(g, _y, _data, _shape):
    return restore(g, _data.shape)


@op("Flatten")
def flatten(input: T, *, axis: int = 1) -> T:
    """A matrix: the axes before `axis` become the rows, the others the columns.

    Example:
        >>> flatten([[[1, 2], [3, 4]]])
        Tensor([[1, 2, 3, 4]])

    Args:
        input: Any Tensor.
        axis: The first axis of the columns. Defaults to 1.
    """
    rows = prod(input.shape[:axis])
    return input.reshape(rows, prod(input.shape[axis:]))


@vjp("Flatten")
def _flatten_vjp(g, _y, _input):
    return restore(g, _input.shape)


@op("Transpose")
def transpose(data: T, *, perm: list[int] | None = None) -> T:
    """The axes in another order.

    Example:
        >>> transpose([[1, 2, 3]], perm=[1, 0])
        Tensor([[1],
                [2],
                [3]])

    Args:
        data: Any Tensor.
        perm: For each axis of the result the axis of `data`. Defaults to the reverse order.
    """
    return data.transpose(perm)


@vjp("Transpose")
def _transpose_vjp(g, _y, _data, *, perm):
    return g.T if perm is None else g.permute(*sorted(range(g.ndim), key=perm.__getitem__))


@op("Squeeze")
def squeeze(data: T, axes: Int64 | None = None) -> T:
    """Without axes of size 1.

    Example:
        >>> squeeze([[[1, 2]]], [0])
        Tensor([[1, 2]])

    Args:
        data: Any Tensor.
        axes: Which axes to drop. Defaults to every one of size 1.
    """
    return data.squeeze(None if axes is None else tuple(np.asarray(axes).ravel().tolist()))


@vjp("Squeeze")
def _squeeze_vjp(g, _y, _data, axes=None):
    if axes is None:
        axes = [axis for axis, size in enumerate(_data.shape) if size == 1]
        if not axes:
            return g
    return apply("Unsqueeze", g, axes)


@op("Unsqueeze")
def unsqueeze(data: T, axes: Int64) -> T:
    """With more axes of size 1.

    Example:
        >>> unsqueeze([1, 2], [0])
        Tensor([[1, 2]])

    Args:
        data: Any Tensor.
        axes: Where they stand in the result.
    """
    places = np.asarray(axes).ravel().tolist()  # one may come alone
    rank = data.ndim + len(places)
    added = {axis + rank if axis < 0 else axis for axis in places}
    if len(added) < len(places) or not added <= set(range(rank)):
        raise ValueError(f"the axes {places} are not {len(places)} different ones of {rank}")
    sizes = iter(data.shape)
    return data.reshape([1 if axis in added else next(sizes) for axis in range(rank)])


@vjp("Unsqueeze")
def _unsqueeze_vjp(g, _y, _data, axes):
    return apply("Squeeze", g, axes)


@op("Expand")
def expand(input: T, shape: Int64) -> T:
    """Repeated along axes of size 1 (and new ones in front) so that it broadcasts with `shape`.

    Example:
        >>> expand([[1], [2]], [2, 3])
        Tensor([[1, 1, 1],
                [2, 2, 2]])

    Args:
        input: Any Tensor.
        shape: The sizes to broadcast with; 1 keeps the size of the input.
    """
    sizes = np.asarray(shape).tolist()
    return np.broadcast_to(input, np.broadcast_shapes(input.shape, sizes))


@vjp("Expand")
def _expand_vjp(g, _y, _input, _shape):
    return g


@op("Tile")
def tile(input: T, repeats: Int64) -> T:
    """The whole Tensor repeated along each axis.

    Example:
        >>> tile([[1, 2]], [2, 2])
        Tensor([[1, 2, 1, 2],
                [1, 2, 1, 2]])

    Args:
        input: Any Tensor.
        repeats: How often, per axis.
    """
    pairs = list(zip(np.asarray(repeats).tolist(), input.shape, strict=True))
    one = input.reshape([n for size in input.shape for n in (1, size)])
    repeated = np.broadcast_to(one, [n for pair in pairs for n in pair])
    return repeated.reshape([times * size for times, size in pairs])


@vjp("Tile")
def _tile_vjp(g, _y, _input, repeats):
    if not g.ndim:
        return g
    pairs = zip(repeats.tolist(), _input.shape, strict=True)
    apart = restore(g, tuple(n for pair in pairs for n in pair))
    return apart.sum(axis=list(range(0, apart.ndim, 2)))


@op("Concat")
def concat(*inputs: T, axis: int) -> T:
    """Tensors joined along an axis.

    Example:
        >>> concat([[1], [2]], [[3], [4]], axis=1)
        Tensor([[1, 3],
                [2, 4]])

    Args:
        *inputs: Tensors whose other sizes agree.
        axis: The axis they are joined along.
    """
    return np.concatenate(inputs, axis)


@vjp("Concat")
def _concat_vjp(g, _y, *_inputs, axis):
    return apply("Split", g, [x.shape[axis] for x in _inputs], axis=axis)


@op("Split")
def split(
    input: T, split: Int64 | None = None, *, axis: int = 0, num_outputs: int | None = None
) -> tuple[T, ...]:
    """Parts of a Tensor along an axis.

    Example:
        >>> split([1, 2, 3], [1, 2])
        (Tensor([1]), Tensor([2, 3]))

    Args:
        input: Any Tensor.
        split: The sizes of the parts.
        axis: The axis that is split. Defaults to 0.
        num_outputs: The number of parts, equal but for a smaller last one, where `split` is absent.
    """
    size = input.shape[axis]
    if split is not None:
        parts = np.asarray(split).tolist()
    elif num_outputs:
        each = -(-size // num_outputs)
        parts = [max(0, min(each, size - each * k)) for k in range(num_outputs)]
    else:
        raise ValueError("give the sizes of the parts, split, or their number, num_outputs")
    if sum(parts) != size:
        raise ValueError(f"the parts {parts} do not add up to {size}")
    before = (slice(None),) * (axis % input.ndim)
    ends = list(accumulate(parts))
    return tuple(
        input[(*before, slice(end - part, end))] for part, end in zip(parts, ends, strict=True)
    )


@vjp("Split")
def _split_vjp(g, _y, _input, _split=None, *, axis):
    present = next(part for part in g if part is not None)
    parts = [
        zeros(part.shape, present) if given is None else given
        for given, part in zip(g, _y, strict=True)
    ]
    return apply("Concat", *parts, axis=axis)
