"""Cases of global pooling."""

from typing import Any

import numpy as np

from tests.trainer.ops.case import Case

_R = np.random.default_rng(36)


def _x(*shape: int) -> np.ndarray:
    return _R.standard_normal(shape)


def _torch(function: str):
    def same(x: Any) -> Any:
        import torch.nn.functional as f

        return getattr(f, f"adaptive_{function}_pool{x.ndim - 2}d")(x, 1)

    return same


def _norm(p: int):
    return lambda x: (abs(x) ** p).sum((2, 3), keepdim=True) ** (1 / p)


_TIES = np.array([[[[1, 2.0], [2, 2]], [[0, 0], [0, 0]]]])

CASES = [
    *(
        Case(f"Global{name}Pool", (_x(*shape),), torch=_torch(function), note=f"{len(shape) - 2}d")
        for name, function in (("Max", "max"), ("Average", "avg"))
        for shape in ((2, 3, 4), (2, 3, 3, 2), (1, 2, 2, 3, 2))
    ),
    Case("GlobalMaxPool", (_TIES,), torch=_torch("max"), note="ties", kinks=True),
    Case("GlobalAveragePool", (_x(0, 3, 2, 2),), torch=_torch("avg"), note="no images"),
    Case("GlobalLpPool", (_x(2, 3, 2, 2),), torch=_norm(2)),
    Case("GlobalLpPool", (_x(2, 3, 2, 2),), {"p": 3}, torch=_norm(3), note="p 3"),
    Case("GlobalLpPool", (_x(2, 3, 2, 2),), {"p": 1}, torch=_norm(1), note="p 1"),
    Case("GlobalLpPool", (np.zeros((1, 1, 2, 2)),), note="zeros", kinks=True),
]
