"""The gradients of convolutions: several formulas each, of which the fastest depends on the shape."""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import numpy as np

from trainer.core.define import vjp
from trainer.core.mode import capturing
from trainer.core.tensor import Tensor, apply
from trainer.ops import convolution  # noqa: F401  (registers what these rules belong to)
from trainer.ops.adjoint import flip, length
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

    @property
    def formulas(self) -> tuple[str, ...]:
        """The formulas that are right for it."""
        if self.gradient == "filters":
            return "exchanged", "rows"
        fits = all(axis.stride == 1 for axis in self.window)
        fits = fits and all(axis.begin >= 0 <= axis.end for axis in self.window.reversed())
        return ("transpose", "flipped") if fits else ("transpose",)


# Formulas that were measured to be the fastest in compiled steps, by setting: see trainer.compiled.choices.
MEASURED: dict[Setting, str] = {}
# What was chosen in captured functions so far.
ASKED: dict[Setting, str] = {}


def formula(setting: Setting) -> str:
    """Which formula a gradient is written with: as measured, or else as shapes alike suggest.

    Kernels in numpy hardly care (up to 2 times); ONNX Runtime does, up to 7 times either way.

    Returns:
        For the image "transpose" or "flipped", for the filters "exchanged" or "rows".
    """
    if not capturing():
        return "transpose" if setting.gradient == "image" else "exchanged"
    ASKED[setting] = MEASURED.get(setting) or _expected(setting)
    return ASKED[setting]


def _expected(setting: Setting) -> str:
    window, each = setting.window, setting.channels // setting.group
    depthwise = each == 1 < setting.group
    if setting.gradient == "image":
        flipped = "flipped" in setting.formulas and (each >= 16 or depthwise)
        return "flipped" if flipped else "transpose"
    # With many filters and few positions the products, one per image, are larger than the image.
    small = setting.filters // setting.group <= 4 * prod(window.positions) and not depthwise
    return "rows" if small or prod(window.kernel) == 1 else "exchanged"


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
    if formula(setting) == "rows":
        return _by_rows(image, g, window, group)
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


def _by_rows(image: Tensor, g: Tensor, window: Window, group: int) -> Tensor:
    """A product of matrices with what each element of the window meets.

    Along the last axis there is a copy per element of the window; along the others their rows are
    gathered, which ONNX Runtime does with all threads and a row at a time.
    """
    *earlier, last = window
    met = [column.unsqueeze(2) for column in _columns(image, window)]
    columns = met[0] if len(met) == 1 else apply("Concat", *met, axis=2)
    for number, axis in reversed([*enumerate(earlier, 3)]):
        if axis.kernel == axis.stride == 1 and axis.end >= 0:
            columns = columns.unsqueeze(number)
            continue
        starts = apply("Range", 0, length(g, number - 1) * axis.stride, axis.stride)
        elements = np.arange(axis.kernel)[:, None] * axis.dilation
        columns = apply("Gather", columns, starts + elements, axis=number)
    if len(earlier) > 1:  # elements and positions of these axes alternate
        pairs = range(3, 3 + 2 * len(earlier))
        columns = columns.permute(0, 1, 2, *pairs[::2], *pairs[1::2], columns.ndim - 1)
    channels, positions = image.shape[1] // group, prod(window.positions)
    rows = columns.reshape(-1, group, channels * prod(window.kernel), positions)
    weights = g.reshape(-1, group, g.shape[1] // group, positions).transpose(2, 3)
    made = (rows @ weights).sum(axis=0)
    made = made.reshape(group, channels, last.kernel, prod(window.kernel) // last.kernel, -1)
    return made.permute(0, 4, 1, 3, 2).reshape(g.shape[1], channels, *window.kernel)


def _columns(image: Tensor, window: Window) -> list[Tensor]:
    """Per element of the last axis what it meets there, [N, C, *padded, positions]."""
    *earlier, last = window
    before = [axis.begin for axis in earlier]
    after = [max(axis.end, 0) for axis in earlier]  # a tail that is not reached may stay
    aheads = [last.begin - element * last.dilation for element in range(last.kernel)]
    behinds = [last.positions - last.size - ahead for ahead in aheads]
    inside = -last.size < min(*aheads, *behinds)
    if last.stride > 1 or not inside or not window.padded:
        before, after = [*before, last.begin], [*after, max(last.end, 0)]
        padded = image
        if any(before) or any(after):
            padded = apply("Pad", image, [0, 0, *before, 0, 0, *after])
        return [padded[..., last.reach(element)] for element in range(last.kernel)]
    return [
        apply("Pad", image, [0, 0, *before, ahead, 0, 0, *after, behind])
        for ahead, behind in zip(aheads, behinds, strict=True)
    ]
