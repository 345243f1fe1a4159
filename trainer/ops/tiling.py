"""Windows that lie side by side: what each element of the window has, laid out as the image."""

from __future__ import annotations

from math import prod

from trainer.core.tensor import Tensor, apply
from trainer.ops.window import Window

_FEW = 9  # elements of a window, up to which they are worth telling apart one by one


def side_by_side(window: Window) -> bool:
    """Whether each element of the image is met once at most, with nothing in between."""
    return prod(window.kernel) <= _FEW and all(
        axis.stride == axis.kernel
        and axis.begin == 0 >= axis.end
        and (axis.dilation == 1 or axis.kernel == 1)
        for axis in window
    )


def laid_out(parts: list[Tensor], window: Window) -> Tensor:
    """The image [N, C, *size] of windows that lie side by side.

    ONNX Runtime concatenates 10 times faster than it expands or scatters.

    Args:
        parts: What each element of the window has at each position [N, C, *positions].
        window: How it lies on the image.
    """
    for number, axis in reversed([*enumerate(window, 2)]):
        shape = list(parts[0].shape)
        shape[0], shape[number] = -1, axis.positions * axis.kernel
        columns = [part.unsqueeze(number + 1) for part in parts]
        parts = [
            apply("Concat", *columns[i : i + axis.kernel], axis=number + 1).reshape(shape)
            for i in range(0, len(columns), axis.kernel)
        ]
    tail = [-axis.end for axis in window]
    return apply("Pad", parts[0], [0] * (4 + len(tail)) + tail) if any(tail) else parts[0]
