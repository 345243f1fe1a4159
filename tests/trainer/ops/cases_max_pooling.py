"""Cases of pooling by maxima, and the way back."""

from typing import Any

import numpy as np

from tests.trainer.ops.case import Case

_R = np.random.default_rng(32)


def _apart(*shape: int) -> np.ndarray:
    """Values that lie well apart, so that a small step changes no maximum."""
    count = int(np.prod(shape))
    return ((_R.permutation(count) - count / 2 + 0.3) / 7).reshape(shape)


def _torch(function: str, *args: Any, **kwargs: Any):
    def same(x, *_):
        import torch.nn.functional as f

        return getattr(f, f"{function}{x.ndim - 2}d")(x, *args, **kwargs)

    return same


def _max(x: np.ndarray, torch: Any = None, note: str = "", **attrs: Any) -> Case:
    return Case("MaxPool", (x,), attrs, torch=torch, note=note)


_K2, _K3, _S2 = [2, 2], [3, 3], [2, 2]
_TIES = np.array([[[[1, 1, 0, 0], [1, 1, 0, 0], [2, 0, 3, 3], [0, 2, 0, 3.0]]]])
_UNPOOLED = np.array([[[[0, 3], [8, 15]], [[16, 18], [25, 27]]]])

CASES = [
    _max(_apart(2, 2, 5), _torch("max_pool", 2), "1d", kernel_shape=[2], strides=[2]),
    _max(_apart(2, 2, 4, 6), _torch("max_pool", 2), "2x2", kernel_shape=_K2, strides=_S2),
    _max(_apart(1, 2, 3, 4, 3), _torch("max_pool", 2, 1), "3d", kernel_shape=[2, 2, 2]),
    _max(
        _apart(2, 2, 5, 7), _torch("max_pool", (2, 3)), "tails", kernel_shape=[2, 3], strides=[2, 3]
    ),
    _max(_apart(1, 2, 4, 8), _torch("max_pool", 4), "4x4", kernel_shape=[4, 4], strides=[4, 4]),
    _max(_apart(1, 2, 5, 5), _torch("max_pool", 1, 2), "gaps", kernel_shape=[1, 1], strides=_S2),
    _max(_apart(2, 2, 5, 5), _torch("max_pool", 3, 1), "overlapping", kernel_shape=_K3),
    _max(
        _apart(2, 2, 5, 6) - 20,
        _torch("max_pool", 3, 2, 1),
        "padded",
        kernel_shape=_K3,
        strides=_S2,
        pads=[1, 1, 1, 1],
    ),
    _max(
        _apart(1, 2, 7, 6),
        _torch("max_pool", 2, 1, 0, 2),
        "dilated",
        kernel_shape=_K2,
        dilations=[2, 2],
    ),
    _max(
        _apart(1, 2, 6, 6),
        _torch("max_pool", 3, 2, 0, ceil_mode=True),
        "ceil",
        kernel_shape=_K3,
        strides=_S2,
        ceil_mode=1,
    ),
    _max(
        _apart(1, 2, 5, 5),
        _torch("max_pool", 3, 3, 1, ceil_mode=True),
        "ceil and padded",
        kernel_shape=_K3,
        strides=[3, 3],
        pads=[1, 1, 1, 1],
        ceil_mode=1,
    ),
    _max(_apart(1, 2, 5, 5), None, "same", kernel_shape=_K3, strides=_S2, auto_pad="SAME_LOWER"),
    _max(_apart(1, 1, 5, 5), None, "valid", kernel_shape=_K2, strides=_S2, auto_pad="VALID"),
    _max(
        _apart(2, 2, 5, 6),
        None,
        "with indices",
        kernel_shape=_K3,
        strides=_S2,
        pads=[1, 1, 1, 1],
        outputs=2,
    ),
    _max(_TIES, _torch("max_pool", 2), "ties", kernel_shape=_K2, strides=_S2)._replace(kinks=True),
    _max(
        _TIES, _torch("max_pool", 3, 1, 1), "ties overlapping", kernel_shape=_K3, pads=[1] * 4
    )._replace(kinks=True),
    _max(
        _R.integers(0, 99, (1, 2, 4, 4)).astype(np.uint8),
        None,
        "uint8",
        kernel_shape=_K3,
        pads=[1] * 4,
    )._replace(order=0),
    _max(_apart(0, 2, 4, 4), _torch("max_pool", 2), "no images", kernel_shape=_K2, strides=_S2),
    Case(
        "MaxUnpool",
        (_R.standard_normal((1, 2, 2, 2)), _UNPOOLED),
        {"kernel_shape": _K2, "strides": _S2},
    ),
    Case(
        "MaxUnpool",
        (_R.standard_normal((1, 2, 2, 2)), _UNPOOLED, np.array([1, 2, 4, 4])),
        {"kernel_shape": _K2, "strides": _S2},
        note="output shape",
    ),
]
