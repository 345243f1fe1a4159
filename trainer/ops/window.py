"""Window: where a sliding window stands, as Conv, ConvTranspose and the pools spell it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from trainer.core.errors import OperatorError

Array = np.ndarray[Any, np.dtype[Any]]
Sizes = tuple[int, ...]


class Window(NamedTuple):
    """A window that slides over an image, in numbers per spatial axis.

    Conv reads an image of `size` into one of `positions`, ConvTranspose writes one of `positions` into
    one of `size`: the same window describes both, and each is the other's gradient.

    Attributes:
        size: The image.
        kernel: How many elements the window has.
        strides: The step from one position to the next.
        dilations: The step from one element of the window to the next.
        begin: The padding before the image.
        end: The padding after it that the last position needs; negative where the image has a tail
            that no position reaches.
        positions: How many positions there are.
    """

    size: Sizes
    kernel: Sizes
    strides: Sizes
    dilations: Sizes
    begin: Sizes
    end: Sizes
    positions: Sizes

    @property
    def padded(self) -> bool:
        """Whether the image is padded or cropped."""
        return any(self.begin) or any(self.end)

    @property
    def pads(self) -> list[int]:
        """The padding as ONNX spells it; a negative end counts as none."""
        return [*self.begin, *(max(end, 0) for end in self.end)]

    @property
    def output_padding(self) -> list[int]:
        """The unreached tail of the image, which ConvTranspose calls its output padding."""
        return [max(-end, 0) for end in self.end]

    def exchanged(self) -> Window:
        """The window whose elements are this one's positions, and the other way round."""
        return self._replace(
            kernel=self.positions,
            positions=self.kernel,
            strides=self.dilations,
            dilations=self.strides,
        )

    def reversed(self) -> Window:
        """Of a window of step 1, the one that reads the image of `positions` and writes that of `size`."""
        begin = tuple(
            (k - 1) * d - b for k, d, b in zip(self.kernel, self.dilations, self.begin, strict=True)
        )
        end = tuple(
            (k - 1) * d - e for k, d, e in zip(self.kernel, self.dilations, self.end, strict=True)
        )
        return self._replace(size=self.positions, positions=self.size, begin=begin, end=end)

    def pad(self, x: Array, fill: Any = 0) -> Array:
        """The image with its padding, C-contiguous, so that every position lies inside it."""
        if not self.padded:
            return np.ascontiguousarray(x)
        sizes = [b + n + e for b, n, e in zip(self.begin, self.size, self.end, strict=True)]
        padded = np.full((*x.shape[:2], *sizes), fill, x.dtype)
        inside: list[Any] = [...]
        kept: list[Any] = [...]
        for b, n, e in zip(self.begin, self.size, self.end, strict=True):
            inside.append(slice(max(b, 0), b + n + min(e, 0)))
            kept.append(slice(max(-b, 0), n + min(e, 0)))
        padded[tuple(inside)] = x[tuple(kept)]
        return padded

    def crop(self, padded: Array) -> Array:
        """The image without its padding, C-contiguous."""
        inside: list[Any] = [...]
        for b, n in zip(self.begin, self.size, strict=True):
            inside.append(slice(b, b + n))
        return np.ascontiguousarray(padded[tuple(inside)])

    def elements(self) -> Iterator[Sizes]:
        """The elements of the window in order."""
        return product(*map(range, self.kernel))

    def reach(self, element: Sizes) -> tuple[Any, ...]:
        """The index of what one element of the window meets in the padded image."""
        return (
            ...,
            *(
                slice(i * d, i * d + (n - 1) * s + 1, s)
                for i, d, s, n in zip(
                    element, self.dilations, self.strides, self.positions, strict=True
                )
            ),
        )

    def spread(self, padded: Array) -> Array:
        """A view of a padded image [N, C, ...] as [N, C, *kernel, *positions]."""
        steps = padded.strides[2:]
        return as_strided(
            padded,
            (*padded.shape[:2], *self.kernel, *self.positions),
            (
                *padded.strides[:2],
                *(step * d for step, d in zip(steps, self.dilations, strict=True)),
                *(step * s for step, s in zip(steps, self.strides, strict=True)),
            ),
            writeable=False,
        )


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
    axes = len(size)
    strides, dilations, pads = _complete(axes, kernel, strides, dilations, pads)
    begin, positions = [], []
    for axis, (n, k, s, d) in enumerate(zip(size, kernel, strides, dilations, strict=True)):
        extent = (k - 1) * d + 1
        if auto_pad in ("SAME_UPPER", "SAME_LOWER"):
            positions.append(-(-n // s))
            total = max((positions[-1] - 1) * s + extent - n, 0)
            begin.append((total + (auto_pad == "SAME_LOWER")) // 2)
            continue
        if auto_pad not in ("NOTSET", "VALID"):
            raise OperatorError(
                f"auto_pad={auto_pad!r} is none of NOTSET, VALID, SAME_UPPER and SAME_LOWER"
            )
        before, after = (0, 0) if auto_pad == "VALID" else (pads[axis], pads[axis + axes])
        room = before + n + after - extent
        if room < 0:
            raise OperatorError(
                f"a window of {extent} does not fit an image of {n} with padding {before} and {after}"
            )
        positions.append(room // s + 1)
        if ceil_mode and room % s and positions[-1] * s < n + before:
            positions[-1] += 1  # one that starts in the padding after the image does not count
        begin.append(before)
    return _window(size, kernel, strides, dilations, begin, positions)


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
    """The window with which ConvTranspose writes an image from its input, from its attributes.

    Example:
        >>> slide_back((3,), (3,), (2,), None, None, "NOTSET", (1,), None).size
        (8,)

    Raises:
        OperatorError: The attributes do not fit the image.
    """
    axes = len(positions)
    strides, dilations, pads = _complete(axes, kernel, strides, dilations, pads)
    extra = tuple(output_padding or (0,) * axes)
    size, begin = [], []
    for axis, (n, k, s, d) in enumerate(zip(positions, kernel, strides, dilations, strict=True)):
        full = (n - 1) * s + (k - 1) * d + 1 + extra[axis]
        before = pads[axis]
        if output_shape or auto_pad.startswith("SAME"):
            size.append(tuple(output_shape)[axis - axes] if output_shape else n * s)
            total = max(full - size[-1], 0)
            before = (total + (auto_pad != "SAME_UPPER")) // 2
        else:
            size.append(full - before - pads[axis + axes])
        if size[-1] < 0:
            raise OperatorError(f"the padding is larger than the image of {full}")
        begin.append(before)
    return _window(size, kernel, strides, dilations, begin, positions)


def _complete(
    axes: int,
    kernel: Sequence[int],
    strides: Sequence[int] | None,
    dilations: Sequence[int] | None,
    pads: Sequence[int] | None,
) -> tuple[Sequence[int], Sequence[int], Sequence[int]]:
    """Fill in the defaults and check that every attribute has a number per axis."""
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
    return strides, dilations, pads


def _window(
    size: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    begin: Sequence[int],
    positions: Sequence[int],
) -> Window:
    end = [
        (p - 1) * s + (k - 1) * d + 1 - b - n
        for n, k, s, d, b, p in zip(size, kernel, strides, dilations, begin, positions, strict=True)
    ]
    given = (size, kernel, strides, dilations, begin, end, positions)
    return Window(*(tuple(int(n) for n in numbers) for numbers in given))
