"""Elements moved around: blocks to channels and back, sequences reversed."""

from __future__ import annotations

import numpy as np

from trainer.core.define import Int64, T, op, vjp
from trainer.core.tensor import apply


@op("DepthToSpace")
def depth_to_space(input: T, *, blocksize: int, mode: str = "DCR") -> T:
    """Channels become blocks of pixels: `[n, c, h, w]` to `[n, c / b^2, h * b, w * b]`.

    Example:
        >>> depth_to_space([[[[1]], [[2]], [[3]], [[4]]]], blocksize=2)
        Tensor([[[[1, 2],
                  [3, 4]]]])

    Args:
        input: A batch of images.
        blocksize: The side b of a block.
        mode: "DCR" if the channels hold [block, channel], "CRD" if [channel, block], as PyTorch's
            PixelShuffle. Defaults to "DCR".
    """
    n, c, h, w = input.shape
    b, depth = blocksize, c // blocksize**2
    if mode == "DCR":
        apart = input.reshape(n, b, b, depth, h, w).transpose(0, 3, 4, 1, 5, 2)
    else:
        apart = input.reshape(n, depth, b, b, h, w).transpose(0, 1, 4, 2, 5, 3)
    return apart.reshape(n, depth, h * b, w * b)


@vjp("DepthToSpace")
def _depth_to_space_vjp(g, _y, _input, *, blocksize, mode):
    if mode == "DCR":
        return apply("SpaceToDepth", g, blocksize=blocksize)
    # SpaceToDepth knows this order only since opset 28.
    n, c, h, w = _input.shape
    apart = g.reshape(n, c // blocksize**2, h, blocksize, w, blocksize)
    return apart.permute(0, 1, 3, 5, 2, 4).reshape(n, c, h, w)


@op("SpaceToDepth")
def space_to_depth(input: T, *, blocksize: int, mode: str = "DCR") -> T:
    """Blocks of pixels become channels: `[n, c, h, w]` to `[n, c * b^2, h / b, w / b]`.

    Example:
        >>> space_to_depth([[[[1, 2], [3, 4]]]], blocksize=2).shape
        (1, 4, 1, 1)

    Args:
        input: A batch of images.
        blocksize: The side b of a block.
        mode: "DCR" if the channels shall hold [block, channel], "CRD" if [channel, block].
            Defaults to "DCR".
    """
    n, c, h, w = input.shape
    b = blocksize
    apart = input.reshape(n, c, h // b, b, w // b, b)
    order = (0, 3, 5, 1, 2, 4) if mode == "DCR" else (0, 1, 3, 5, 2, 4)
    return apart.transpose(order).reshape(n, c * b * b, h // b, w // b)


@vjp("SpaceToDepth")
def _space_to_depth_vjp(g, _y, _input, *, blocksize, mode):
    return apply("DepthToSpace", g, blocksize=blocksize, mode=mode)


@op("ReverseSequence")
def reverse_sequence(
    input: T, sequence_lens: Int64, *, batch_axis: int = 1, time_axis: int = 0
) -> T:
    """Each sequence of a batch backwards, its padding left where it is.

    Example:
        >>> reverse_sequence([[1, 2, 3], [4, 5, 6]], [2, 3], batch_axis=0, time_axis=1)
        Tensor([[2, 1, 3],
                [6, 5, 4]])

    Args:
        input: Sequences; the first two axes are time and batch.
        sequence_lens: The length of each.
        batch_axis: The axis of the batch, 0 or 1. Defaults to 1.
        time_axis: The axis of time, 1 or 0. Defaults to 0.
    """
    steps, lengths = np.arange(input.shape[time_axis]), sequence_lens
    if time_axis == 0:
        steps = steps[:, None]
    else:
        lengths = lengths[:, None]
    source = np.where(steps < lengths, lengths - 1 - steps, steps)
    return np.take_along_axis(
        input, source.reshape(source.shape + (1,) * (input.ndim - 2)), time_axis
    )


@vjp("ReverseSequence")
def _reverse_sequence_vjp(g, _y, _input, sequence_lens, *, batch_axis, time_axis):
    return apply("ReverseSequence", g, sequence_lens, batch_axis=batch_axis, time_axis=time_axis)
