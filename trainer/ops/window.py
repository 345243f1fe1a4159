"""Window: where a sliding window stands on an image, as Conv, ConvTranspose and the pools say it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from trainer.core.errors import OperatorError

Array = np.ndarray[Any, np.dtype[Any]]
Sizes = tuple[int, ...]


class Axis(NamedTuple):
    """How a window slides along one spatial axis.

    Attributes:
        size: The length of the image.
        kernel: How many elements the window has.
        stride: The step from one position to the next.
        dilation: The step from one element of the window to the next.
        begin: The padding before the image; negative where the image is cropped.
        positions: How many positions there are.
    """

    size: int
    kernel: int
    stride: int
    dilation: int
    begin: int
    positions: int

    @property
    def end(self) -> int:
        """The padding after the image; negative where it has a tail that no position reaches."""
        reached = (self.positions - 1) * self.stride + (self.kernel - 1) * self.dilation + 1
        return reached - self.begin - self.size

    def exchanged(self) -> Axis:
        """The window whose elements are this one's positions, and the other way round."""
        return Axis(self.size, self.positions, self.dilation, self.stride, self.begin, self.kernel)

    def reversed(self) -> Axis:
        """For a stride of 1, the window that reads what this one writes and writes what it reads."""
        begin = (self.kernel - 1) * self.dilation - self.begin
        return Axis(self.positions, self.kernel, 1, self.dilation, begin, self.size)

    def reach(self, element: int) -> slice:
        """What one element of the window meets in the padded image."""
        first = element * self.dilation
        return slice(first, first + (self.positions - 1) * self.stride + 1, self.stride)


class Window(tuple[Axis, ...]):
    """A window that slides over an image, axis by axis.

    Conv reads an image of `size` into one of `positions`, ConvTranspose writes one of `positions` into
    one of `size`: the same window describes both, and each is the other's gradient.
    """

    __slots__ = ()

    @property
    def size(self) -> Sizes:
        """The sizes of the image."""
        return tuple(axis.size for axis in self)

    @property
    def kernel(self) -> Sizes:
        """The sizes of the window."""
        return tuple(axis.kernel for axis in self)

    @property
    def positions(self) -> Sizes:
        """How many positions there are along each axis."""
        return tuple(axis.positions for axis in self)

    @property
    def padded(self) -> bool:
        """Whether the image is padded or cropped."""
        return any(axis.begin or axis.end for axis in self)

    @property
    def steps(self) -> dict[str, Any]:
        """The strides, dilations and pads as attributes; a negative end counts as no padding."""
        return {
            "strides": [axis.stride for axis in self],
            "dilations": [axis.dilation for axis in self],
            "pads": [axis.begin for axis in self] + [max(axis.end, 0) for axis in self],
        }

    def exchanged(self) -> Window:
        """The window whose elements are this one's positions, and the other way round."""
        return Window(axis.exchanged() for axis in self)

    def reversed(self) -> Window:
        """For strides of 1, the window that reads what this one writes and writes what it reads."""
        return Window(axis.reversed() for axis in self)

    def pad(self, x: Array, fill: Any = 0) -> Array:
        """The image with its padding, C-contiguous, so that every position lies inside it."""
        if not self.padded:
            return np.ascontiguousarray(x)
        sizes = [axis.begin + axis.size + axis.end for axis in self]
        padded = np.full((*x.shape[:2], *sizes), fill, x.dtype)
        inside: list[Any] = [...]
        kept: list[Any] = [...]
        for axis in self:
            inside.append(slice(max(axis.begin, 0), axis.begin + axis.size + min(axis.end, 0)))
            kept.append(slice(max(-axis.begin, 0), axis.size + min(axis.end, 0)))
        padded[tuple(inside)] = x[tuple(kept)]
        return padded

    def crop(self, padded: Array) -> Array:
        """The image without its padding, C-contiguous."""
        inside: list[Any] = [..., *(slice(axis.begin, axis.begin + axis.size) for axis in self)]
        return np.ascontiguousarray(padded[tuple(inside)])

    def elements(self) -> Iterator[Sizes]:
        """The elements of the window in order."""
        return product(*map(range, self.kernel))

    def reach(self, element: Sizes) -> tuple[Any, ...]:
        """The index of what one element of the window meets in the padded image."""
        return (..., *(axis.reach(i) for axis, i in zip(self, element, strict=True)))

    def unfolded(self, padded: Array) -> Array:
        """What the elements of the window meet, side by side along all spatial axes but the first.

        The first axis needs no copies: what its elements meet are stretches of one and the same memory,
        which `met` names. For a stride other than 1 there is a phase for each remainder of the row.

        Args:
            padded: Padded images [..., C, *spatial].

        Returns:
            [..., C * elements of the later axes, phases, rows of a phase * positions of the later axes].
        """
        first, *later = self
        short = -padded.shape[-len(self)] % first.stride
        if short:
            ends = [(0, 0)] * (padded.ndim - len(self)) + [(0, short)] + [(0, 0)] * len(later)
            padded = np.pad(padded, ends)
        before, sizes = padded.shape[: -len(self)], padded.shape[-len(self) :]
        step, *steps = padded.strides[-len(self) :]
        rows = sizes[0] // first.stride
        view = as_strided(
            padded,
            (*before, *self.kernel[1:], first.stride, rows, *self.positions[1:]),
            (
                *padded.strides[: -len(self)],
                *(each * axis.dilation for each, axis in zip(steps, later, strict=True)),
                step,
                step * first.stride,
                *(each * axis.stride for each, axis in zip(steps, later, strict=True)),
            ),
            writeable=False,
        )
        elements, positions = prod(self.kernel[1:]), prod(self.positions[1:])
        return view.reshape(*before[:-1], before[-1] * elements, first.stride, rows * positions)

    def met(self, unfolded: Array, element: int) -> Array:
        """A view [..., positions]: what one element of the first axis meets in an unfolded image."""
        first, length = self[0], prod(self.positions[1:])
        row, phase = divmod(element * first.dilation, first.stride)
        return unfolded[..., phase, row * length : (row + first.positions) * length]

    def combine(self, padded: Array, ufunc: np.ufunc) -> Array:
        """Sums or maxima over the window, one spatial axis after the other."""
        y = padded
        for number, axis in enumerate(self, 2):
            before = (slice(None),) * number
            parts = [y[(*before, axis.reach(element))] for element in range(axis.kernel)]
            y = np.array(parts[0]) if len(parts) == 1 else ufunc(parts[0], parts[1])
            for part in parts[2:]:
                ufunc(y, part, out=y)
        return y


def slide(
    size: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int] | None,
    dilations: Sequence[int] | None,
    pads: Sequence[int] | None,
    auto_pad: str,
    ceil_mode: int = 0,
) -> Window:
    """The window that slides over an image of `size`, from the attributes of Conv and the pools.

    Example:
        >>> slide((5, 5), (3, 3), (2, 2), None, (1, 1, 1, 1), "NOTSET").positions
        (3, 3)

    Raises:
        OperatorError: The attributes do not fit the image, or the window is larger than it.
    """
    if auto_pad not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"):
        raise OperatorError(
            f"auto_pad={auto_pad!r} is none of NOTSET, VALID, SAME_UPPER and SAME_LOWER"
        )
    axes = []
    for n, k, s, d, before, after in _per_axis(size, kernel, strides, dilations, pads):
        extent = (k - 1) * d + 1
        if auto_pad.startswith("SAME"):
            positions = -(-n // s)
            total = max((positions - 1) * s + extent - n, 0)
            begin = (total + (auto_pad == "SAME_LOWER")) // 2
        else:
            begin, end = (0, 0) if auto_pad == "VALID" else (before, after)
            room = begin + n + end - extent
            if room < 0:
                raise OperatorError(
                    f"a window of {extent} does not fit an image of {n} padded by {begin} and {end}"
                )
            positions = room // s + 1
            if ceil_mode and room % s and positions * s < begin + n:
                positions += 1  # unless it would start in the padding after the image
        axes.append(Axis(n, k, s, d, begin, positions))
    return Window(axes)


def slide_back(
    positions: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int] | None,
    dilations: Sequence[int] | None,
    pads: Sequence[int] | None,
    auto_pad: str,
    output_padding: Sequence[int] | None,
    output_shape: Sequence[int] | None,
) -> Window:
    """The window with which ConvTranspose writes an image, from the size it reads and its attributes.

    Example:
        >>> slide_back((3,), (3,), (2,), None, None, "NOTSET", (1,), None).size
        (8,)

    Raises:
        OperatorError: The attributes do not fit the image.
    """
    axes = []
    extra = output_padding or (0,) * len(positions)
    shape = [None] * len(positions) if not output_shape else output_shape[-len(positions) :]
    for (count, k, s, d, before, after), more, wanted in zip(
        _per_axis(positions, kernel, strides, dilations, pads), extra, shape, strict=True
    ):
        full = (count - 1) * s + (k - 1) * d + 1 + more
        size, begin = full - before - after, before
        if wanted is not None or auto_pad.startswith("SAME"):
            size = count * s if wanted is None else wanted
            begin = (max(full - size, 0) + (auto_pad != "SAME_UPPER")) // 2
        if size < 0:
            raise OperatorError(
                f"padding of {before} and {after} is larger than the image of {full}"
            )
        axes.append(Axis(size, k, s, d, begin, count))
    return Window(axes)


def _per_axis(
    size: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int] | None,
    dilations: Sequence[int] | None,
    pads: Sequence[int] | None,
) -> Iterator[tuple[int, int, int, int, int, int]]:
    """Size, kernel, stride, dilation and the pads before and after, with the defaults filled in."""
    axes = len(size)
    strides, dilations = strides or (1,) * axes, dilations or (1,) * axes
    pads = pads or (0,) * (2 * axes)
    for name, values, wanted in (
        ("kernel_shape", kernel, axes),
        ("strides", strides, axes),
        ("dilations", dilations, axes),
        ("pads", pads, 2 * axes),
    ):
        if len(values) != wanted:
            raise OperatorError(
                f"{axes} spatial axes want {wanted} numbers in {name}, not {list(values)}"
            )
    return zip(size, kernel, strides, dilations, pads[:axes], pads[axes:], strict=True)
