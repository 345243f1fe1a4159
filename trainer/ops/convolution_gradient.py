"""The gradients of convolutions: several formulas each, of which the fastest depends on the shape."""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import trainer.ops.convolution  # noqa: F401  (the operators whose rules these are)
from trainer.core.define import vjp
from trainer.core.mode import capturing
from trainer.core.tensor import Tensor, apply
from trainer.ops import convolution  # noqa: F401  (registers what these rules belong to)
from trainer.ops.adjoint import flip
from trainer.ops.window import Window, slide, slide_back


class Setting(NamedTuple):
    """What the choice of a formula depends on. The batch is not part of it: it may be dynamic.

    Attributes:
        gradient: "image" or "filters".
        channels: Of the image.
        filters: How many there are.
        window: How they slide over the image.
        group: The groups of channels.
    """

    gradient: str
    channels: int
    filters: int
    window: Window
    group: int


# Formulas that were measured to be the fastest in compiled steps, by setting.
MEASURED: dict[Setting, str] = {}


def formula(setting: Setting) -> str:
    """Which formula a gradient is written with: as measured, or else as shapes alike suggest.

    Kernels in numpy hardly care (up to 2 times); ONNX Runtime does, up to 7 times either way.

    Returns:
        For the image "transpose" or "flipped", for the filters "exchanged" or "slices".
    """
    if setting in MEASURED:
        return MEASURED[setting]
    window, each = setting.window, setting.channels // setting.group
    depthwise = each == 1 < setting.group
    if setting.gradient == "image":
        fits = all(axis.stride == 1 for axis in window)
        fits = fits and all(axis.begin >= 0 <= axis.end for axis in window.reversed())
        return "flipped" if capturing() and fits and (each >= 16 or depthwise) else "transpose"
    # With many filters and few positions the products, one per image, are larger than the image.
    small = setting.filters // setting.group <= prod(window.positions) and not depthwise
    slices = capturing() and (small or prod(window.kernel) == 1)
    return "slices" if slices else "exchanged"


@vjp("Conv")
def _conv_vjp(g, _y, x, w, _b=None, *, auto_pad, dilations, group, pads, strides):
    window = slide(x.shape[2:], w.shape[2:], strides, dilations, pads, auto_pad)
    return (
        lambda: gradient_by_image(g, w, window, group),
        lambda: gradient_by_filters(x, g, window, group),
        lambda: _gradient_by_bias(g),
    )


@vjp("ConvTranspose")
def _conv_transpose_vjp(
    g, _y, x, w, _b=None, *, auto_pad, dilations, group, output_padding, output_shape, pads, strides
):
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
    return (
        lambda: _read(g, w, window, group),
        lambda: gradient_by_filters(g, x, window, group),
        lambda: _gradient_by_bias(g),
    )


def gradient_by_image(g: Tensor, filters: Tensor, window: Window, group: int) -> Tensor:
    """What a convolution's output gradient `g` [N, M, *positions] says about its image."""
    setting = Setting("image", filters.shape[1] * group, filters.shape[0], window, group)
    if formula(setting) == "flipped":
        return _read(g, _flipped(filters, group), window.reversed(), group)
    image: Tensor = apply(
        "ConvTranspose",
        g,
        filters,
        **window.steps,
        output_padding=[max(-axis.end, 0) for axis in window],
        group=group,
    )
    return image


def gradient_by_filters(image: Tensor, g: Tensor, window: Window, group: int) -> Tensor:
    """What a convolution's output gradient `g` [N, M, *positions] says about its filters."""
    setting = Setting("filters", image.shape[1], g.shape[1], window, group)
    if formula(setting) == "slices":
        return _by_slices(image, g, window, group)
    return _by_exchange(image, g, window, group)


def _gradient_by_bias(g: Tensor) -> Tensor:
    return g.sum(axis=[0, *range(2, g.ndim)])


def _read(image: Tensor, filters: Tensor, window: Window, group: int) -> Tensor:
    """Conv, of an image without the tail that no position reaches."""
    read: Tensor = apply("Conv", _reached(image, window), filters, **window.steps, group=group)
    return read


def _reached(image: Tensor, window: Window) -> Tensor:
    if all(axis.end >= 0 for axis in window):
        return image
    return image[..., *(slice(None, axis.end if axis.end < 0 else None) for axis in window)]


def _flipped(filters: Tensor, group: int) -> Tensor:
    """The filters backwards, with their two kinds of channels exchanged within each group."""
    for axis in range(2, filters.ndim):
        if filters.shape[axis] > 1:
            filters = flip(filters, axis)
    if group == 1:
        return filters.transpose(0, 1)
    inner, spatial = filters.shape[1], filters.shape[2:]
    split = filters.reshape(group, -1, inner, *spatial).transpose(1, 2)
    return split.reshape(group * inner, -1, *spatial)


def _by_exchange(image: Tensor, g: Tensor, window: Window, group: int) -> Tensor:
    """A Conv with batch and channels exchanged, and positions with elements of the window."""
    if group == 1:
        channels_first = image.transpose(0, 1)
    else:
        batch, channels, *spatial = image.shape
        split = image.reshape(batch, group, channels // group, *spatial)
        first = split.transpose(0, 2)
        channels_first = first.reshape(channels // group, group * batch, *spatial)
    return _read(channels_first, g.transpose(0, 1), window.exchanged(), group).transpose(0, 1)


def _by_slices(image: Tensor, g: Tensor, window: Window, group: int) -> Tensor:
    """A product of matrices with what each element of the window meets, one Slice per element."""
    channels, positions = image.shape[1] // group, prod(window.positions)
    padded = _reached(image, window)
    pads = window.steps["pads"]
    if any(pads):
        padded = apply("Pad", padded, [0, 0, *pads[: len(window)], 0, 0, *pads[len(window) :]])
    rows = [
        padded[window.reach(element)].reshape(-1, group, channels, positions)
        for element in window.elements()
    ]
    stacked = rows[0] if len(rows) == 1 else apply("Concat", *rows, axis=2)
    columns = g.reshape(-1, group, g.shape[1] // group, positions).transpose(2, 3)
    made = (stacked @ columns).sum(axis=0).reshape(group, len(rows), channels, -1)
    return made.permute(0, 3, 2, 1).reshape(g.shape[1], channels, *window.kernel)
