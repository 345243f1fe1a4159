"""Convolution and its transpose, over one, two, three or more spatial axes."""

from __future__ import annotations

from typing import Any

from trainer.core.define import T, op
from trainer.core.errors import OperatorError
from trainer.ops.correlation import correlate, scatter
from trainer.ops.ieee import widened
from trainer.ops.window import Array, slide, slide_back


@op("Conv")
@widened
def conv(
    x: T,
    w: T,
    b: T | None = None,
    *,
    auto_pad="NOTSET",
    dilations=None,
    group=1,
    kernel_shape=None,
    pads=None,
    strides=None,
) -> T:
    """Slide filters over images: y[n, m] = b[m] + the sum over the window of w[m] * x[n].

    Example:
        >>> import numpy as np
        >>> x = np.array([[[1, 2, 3, 4]]], np.float32)
        >>> conv(x, np.ones((1, 1, 3), np.float32), pads=[1, 1])
        Tensor([[[3., 6., 9., 7.]]])

    Args:
        x: Images [N, C, ...].
        w: Filters [M, C / group, ...].
        b: One number per filter [M]. Defaults to none.
        auto_pad: NOTSET (use `pads`), VALID (none), SAME_UPPER or SAME_LOWER.
        dilations: The step between the elements of a filter, per spatial axis. Defaults to 1.
        group: Channels and filters are split into this many groups that do not meet. Defaults to 1.
        kernel_shape: The spatial sizes of a filter. Defaults to what `w` says.
        pads: Zeros before and after each spatial axis, all befores first. Defaults to none.
        strides: The step of the filter, per spatial axis. Defaults to 1.
    """
    _check(x, w, b, kernel_shape, group, w.shape[0])
    if x.shape[1] != w.shape[1] * group:
        raise OperatorError(
            f"images of {x.shape[1]} channels in {group} groups want filters of "
            f"{x.shape[1] / group:g} channels, not {w.shape[1]}"
        )
    window = slide(x.shape[2:], w.shape[2:], strides, dilations, pads, auto_pad)
    return _with_bias(correlate(x, w, window, group), b)


@op("ConvTranspose")
@widened
def conv_transpose(
    x: T,
    w: T,
    b: T | None = None,
    *,
    auto_pad="NOTSET",
    dilations=None,
    group=1,
    kernel_shape=None,
    output_padding=None,
    output_shape=None,
    pads=None,
    strides=None,
) -> T:
    """Write each element of an image as a filter's multiple: the transpose of the linear map Conv.

    Example:
        >>> import numpy as np
        >>> x = np.array([[[1, 2]]], np.float32)
        >>> conv_transpose(x, np.array([[[1, 10]]], np.float32), strides=[2])
        Tensor([[[ 1., 10.,  2., 20.]]])

    Args:
        x: Images [N, C, ...].
        w: Filters [C, M / group, ...].
        b: One number per output channel [M]. Defaults to none.
        auto_pad: NOTSET (use `pads`), VALID (none), SAME_UPPER or SAME_LOWER.
        dilations: The step between the elements of a filter, per spatial axis. Defaults to 1.
        group: Channels and filters are split into this many groups that do not meet. Defaults to 1.
        kernel_shape: The spatial sizes of a filter. Defaults to what `w` says.
        output_padding: What is added to the end of each spatial axis. Defaults to nothing.
        output_shape: The spatial sizes of the output; the pads follow from them. Defaults to none.
        pads: What is cut off before and after each spatial axis, all befores first. Defaults to none.
        strides: The step of the filter, per spatial axis. Defaults to 1.
    """
    _check(x, w, b, kernel_shape, group, w.shape[1] * group)
    if x.shape[1] != w.shape[0]:
        raise OperatorError(
            f"images of {x.shape[1]} channels want as many filters, not {w.shape[0]}"
        )
    window = slide_back(
        x.shape[2:],
        w.shape[2:],
        strides,
        dilations,
        pads,
        auto_pad,
        output_padding,
        output_shape,
    )
    return _with_bias(scatter(x, w, window, group), b)


def _check(
    x: Array, w: Array, b: Array | None, kernel_shape: Any, group: int, outputs: int
) -> None:
    if x.ndim < 3 or w.ndim != x.ndim:
        raise OperatorError("images [N, C, ...] and filters want one and the same number of axes")
    if kernel_shape is not None and tuple(kernel_shape) != w.shape[2:]:
        raise OperatorError(
            f"kernel_shape is {list(kernel_shape)}, the filters are {list(w.shape[2:])}"
        )
    if group < 1 or x.shape[1] % group or w.shape[0] % group:
        raise OperatorError(
            f"{x.shape[1]} channels and {w.shape[0]} filters do not split into {group} groups"
        )
    if b is not None and b.shape != (outputs,):
        raise OperatorError(
            f"the bias of {outputs} output channels is not of shape {list(b.shape)}"
        )


def _with_bias(y: Array, b: Array | None) -> Array:
    if b is not None:
        y += b.reshape(-1, *(1,) * (y.ndim - 2))
    return y
