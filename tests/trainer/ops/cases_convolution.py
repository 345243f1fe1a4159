"""Cases of convolution and its transpose."""

from typing import Any

import numpy as np

from tests.trainer.ops.case import Case

_R = np.random.default_rng(31)


def _conv(
    image: tuple[int, ...],
    filters: tuple[int, ...],
    bias: bool = False,
    torch: dict[str, Any] | None = None,
    note: str = "",
    **attrs: Any,
) -> Case:
    """A case of Conv; `torch` are the arguments of torch's own, `None` if it has none."""

    def same(*inputs):
        import torch.nn.functional as f

        return getattr(f, f"conv{len(image) - 2}d")(*inputs, **(torch or {}))

    x, w = _R.standard_normal(image), _R.standard_normal(filters)
    inputs = (x, w, _R.standard_normal(filters[0])) if bias else (x, w)
    return Case("Conv", inputs, attrs, torch=same if torch is not None else None, note=note)


def _transposed(
    image: tuple[int, ...],
    filters: tuple[int, ...],
    bias: bool = False,
    torch: dict[str, Any] | None = None,
    note: str = "",
    **attrs: Any,
) -> Case:
    """A case of ConvTranspose likewise."""

    def same(*inputs):
        import torch.nn.functional as f

        return getattr(f, f"conv_transpose{len(image) - 2}d")(*inputs, **(torch or {}))

    x, w = _R.standard_normal(image), _R.standard_normal(filters)
    inputs = (x, w, _R.standard_normal(filters[1] * attrs.get("group", 1))) if bias else (x, w)
    chosen = same if torch is not None else None
    return Case("ConvTranspose", inputs, attrs, torch=chosen, note=note)


CASES = [
    _conv((2, 3, 5), (4, 3, 3), torch={}, note="1d"),
    _conv((2, 2, 5, 4), (3, 2, 3, 2), bias=True, torch={}, note="2d with bias"),
    _conv((1, 2, 3, 4, 3), (2, 2, 2, 3, 2), torch={}, note="3d"),
    _conv((2, 3, 4, 4), (5, 3, 1, 1), bias=True, torch={}, note="1x1"),
    _conv((2, 3, 5, 4), (2, 3, 1, 1), torch={"stride": 2}, note="1x1 strided", strides=[2, 2]),
    _conv((2, 2, 5, 5), (3, 2, 3, 3), torch={"padding": 1}, note="padded", pads=[1, 1, 1, 1]),
    _conv((2, 2, 4, 5), (3, 2, 3, 3), note="padded unevenly", pads=[0, 2, 1, 1]),
    _conv((1, 1, 4, 4), (1, 1, 2, 2), torch={"padding": 3}, note="padded wide", pads=[3, 3, 3, 3]),
    _conv((2, 2, 7, 6), (3, 2, 3, 3), torch={"stride": 2}, note="strided", strides=[2, 2]),
    _conv((2, 2, 9), (2, 2, 2), torch={"stride": 4}, note="stride leaves a tail", strides=[4]),
    _conv(
        (1, 2, 8, 7),
        (2, 2, 3, 2),
        torch={"stride": (3, 2), "padding": (1, 0), "dilation": (2, 3)},
        note="strided, padded and dilated",
        strides=[3, 2],
        pads=[1, 0, 1, 0],
        dilations=[2, 3],
    ),
    _conv((2, 4, 5, 4), (6, 2, 2, 3), bias=True, torch={"groups": 2}, note="groups", group=2),
    _conv(
        (2, 4, 6),
        (2, 2, 3),
        torch={"groups": 2, "stride": 2},
        note="groups strided",
        group=2,
        strides=[2],
    ),
    _conv(
        (2, 3, 5, 5),
        (3, 1, 3, 3),
        torch={"groups": 3, "padding": 1},
        note="depthwise",
        group=3,
        pads=[1, 1, 1, 1],
    ),
    _conv(
        (1, 2, 6, 5),
        (6, 1, 3, 2),
        bias=True,
        torch={"groups": 2, "stride": 2},
        note="depthwise with multiplier",
        group=2,
        strides=[2, 2],
    ),
    _conv((1, 2, 4, 4), (3, 2, 4, 4), torch={}, note="one position"),
    _conv((2, 2, 5, 4), (2, 2, 4, 3), torch={}, note="more elements than positions"),
    _conv((2, 1, 5, 6), (2, 1, 3, 3), note="same upper", auto_pad="SAME_UPPER", strides=[2, 2]),
    _conv((2, 1, 5, 6), (2, 1, 2, 2), note="same lower", auto_pad="SAME_LOWER"),
    _conv((2, 1, 5), (2, 1, 3), torch={}, note="valid", auto_pad="VALID", kernel_shape=[3]),
    _conv((0, 2, 4, 4), (3, 2, 3, 3), torch={}, note="no images")._replace(order=0),
    _transposed((2, 3, 4), (3, 2, 3), torch={}, note="1d"),
    _transposed((2, 2, 3, 4), (2, 3, 3, 2), bias=True, torch={}, note="2d with bias"),
    _transposed((1, 2, 2, 3, 2), (2, 2, 2, 2, 3), torch={}, note="3d"),
    _transposed((2, 3, 3, 3), (3, 2, 1, 1), torch={}, note="1x1"),
    _transposed(
        (2, 2, 3, 3),
        (2, 3, 3, 3),
        torch={"stride": 2, "padding": 1, "output_padding": 1},
        note="strided with output padding",
        strides=[2, 2],
        pads=[1, 1, 1, 1],
        output_padding=[1, 1],
    ),
    _transposed((1, 2, 3, 3), (2, 2, 2, 2), torch={"stride": 3}, note="gaps", strides=[3, 3]),
    _transposed((1, 2, 4, 3), (2, 2, 3, 3), torch={"padding": 1}, note="cut", pads=[1, 1, 1, 1]),
    _transposed(
        (1, 2, 3, 4),
        (2, 2, 3, 2),
        torch={"dilation": (2, 3), "stride": (1, 2)},
        note="dilated",
        dilations=[2, 3],
        strides=[1, 2],
    ),
    _transposed((2, 4, 3), (4, 3, 2), bias=True, torch={"groups": 2}, note="groups", group=2),
    _transposed(
        (2, 3, 3, 3),
        (3, 1, 3, 3),
        torch={"groups": 3, "stride": 2},
        note="depthwise",
        group=3,
        strides=[2, 2],
    ),
    _transposed(
        (1, 1, 3, 3), (1, 2, 3, 3), note="output shape", strides=[3, 2], output_shape=[10, 8]
    ),
    _transposed((1, 1, 3, 3), (1, 2, 3, 3), note="odd shape", strides=[2, 2], output_shape=[6, 6]),
    _transposed((1, 1, 3), (1, 2, 3), note="same upper", strides=[2], auto_pad="SAME_UPPER"),
    _transposed((1, 1, 3), (1, 2, 3), note="same lower", strides=[2], auto_pad="SAME_LOWER"),
]
