"""Cases of pooling by averages and norms."""

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


def _average(x: np.ndarray, torch: Any = None, note: str = "", **attrs: Any) -> Case:
    return Case("AveragePool", (x,), attrs, torch=torch, note=note)


def _norm(x: np.ndarray, torch: Any = None, note: str = "", **attrs: Any) -> Case:
    return Case("LpPool", (x,), attrs, torch=torch, note=note)


_K2, _K3, _S2 = [2, 2], [3, 3], [2, 2]

CASES = [
    _average(_apart(2, 2, 5), _torch("avg_pool", 2), "1d", kernel_shape=[2], strides=[2]),
    _average(_apart(2, 2, 4, 6), _torch("avg_pool", 2), "2x2", kernel_shape=_K2, strides=_S2),
    _average(_apart(1, 2, 3, 4, 3), _torch("avg_pool", 2, 1), "3d", kernel_shape=[2, 2, 2]),
    _average(_apart(2, 2, 5, 5), _torch("avg_pool", 3, 1), "overlapping", kernel_shape=_K3),
    _average(
        _apart(2, 2, 5, 4), _torch("avg_pool", 2), "with a tail", kernel_shape=_K2, strides=_S2
    ),
    _average(
        _apart(2, 2, 5, 6),
        _torch("avg_pool", 3, 2, 1, count_include_pad=False),
        "padded",
        kernel_shape=_K3,
        strides=_S2,
        pads=[1, 1, 1, 1],
    ),
    _average(
        _apart(2, 2, 5, 6),
        _torch("avg_pool", 3, 2, 1),
        "padding counted",
        kernel_shape=_K3,
        strides=_S2,
        pads=[1, 1, 1, 1],
        count_include_pad=1,
    ),
    _average(
        _apart(1, 2, 6, 6),
        _torch("avg_pool", 3, 2, 0, ceil_mode=True),
        "ceil",
        kernel_shape=_K3,
        strides=_S2,
        ceil_mode=1,
    ),
    _average(
        _apart(1, 2, 6, 6),
        _torch("avg_pool", 3, 2, 1, ceil_mode=True),
        "ceil and padding counted",
        kernel_shape=_K3,
        strides=_S2,
        pads=[1, 1, 1, 1],
        ceil_mode=1,
        count_include_pad=1,
    ),
    _average(_apart(1, 2, 7, 6), None, "dilated", kernel_shape=_K2, dilations=[2, 3]),
    _average(
        _apart(1, 2, 5, 5), None, "same", kernel_shape=_K3, strides=_S2, auto_pad="SAME_UPPER"
    ),
    _average(
        _apart(1, 2, 5, 5),
        None,
        "same counted",
        kernel_shape=_K2,
        auto_pad="SAME_LOWER",
        count_include_pad=1,
    ),
    _average(_apart(0, 2, 4, 4), _torch("avg_pool", 2), "no images", kernel_shape=_K2, strides=_S2),
    _norm(_apart(2, 2, 5), _torch("lp_pool", 2, 2), "1d", kernel_shape=[2], strides=[2]),
    _norm(_apart(2, 2, 4, 6), _torch("lp_pool", 4, 2, 1), "p 4", kernel_shape=_K2, p=4),
    _norm(_apart(2, 2, 4, 5), None, "p 3", kernel_shape=_K2, p=3, strides=[1, 2]),
    _norm(_apart(1, 2, 4, 5), None, "p 1", kernel_shape=_K2, p=1, strides=_S2),
    _norm(_apart(1, 2, 5, 5), None, "padded", kernel_shape=_K3, strides=_S2, pads=[1, 1, 1, 1]),
    _norm(_apart(1, 2, 5, 5), None, "dilated", kernel_shape=_K2, dilations=[2, 2]),
    _norm(_apart(1, 2, 5, 5), None, "same", kernel_shape=_K2, auto_pad="SAME_LOWER"),
    _norm(np.zeros((1, 1, 4, 4)), None, "zeros", kernel_shape=_K2)._replace(kinks=True),
]
