"""Cases of rescaling by norms and by neighboring channels."""

from typing import Any

import numpy as np

from tests.trainer.ops.case import Case

_R = np.random.default_rng(37)


def _x(*shape: int) -> np.ndarray:
    return _R.standard_normal(shape) + 0.1


def _normalized(p: int, dim: int):
    def same(x: Any) -> Any:
        import torch

        return torch.nn.functional.normalize(x, p=float(p), dim=dim)

    return same


def _response(*args: Any):
    def same(x: Any) -> Any:
        import torch

        return torch.nn.functional.local_response_norm(x, *args)

    return same


_STRONG = {"alpha": 0.5, "beta": 0.6, "bias": 1.5}

CASES = [
    Case("LpNormalization", (_x(2, 3),), torch=_normalized(2, -1)),
    Case("LpNormalization", (_x(2, 3, 2),), {"axis": 1}, torch=_normalized(2, 1), note="axis"),
    Case("LpNormalization", (_x(2, 3),), {"p": 1}, torch=_normalized(1, -1), note="p 1"),
    Case(
        "LpNormalization",
        (_x(2, 3),),
        {"p": 1, "axis": 0},
        torch=_normalized(1, 0),
        note="p 1, axis",
    ),
    Case("LpNormalization", (np.array([[0, 0], [1, 2.0]]),), note="zeros", order=1, kinks=True),
    Case("LpNormalization", (_x(0, 3),), torch=_normalized(2, -1), note="empty"),
    # ONNX Runtime has LRN of odd sizes over 2 spatial axes only; test_rescaling.py has the others.
    Case("LRN", (_x(2, 4, 3, 1),), {"size": 3, **_STRONG}, torch=_response(3, 0.5, 0.6, 1.5)),
    Case(
        "LRN",
        (_x(1, 6, 2, 2),),
        {"size": 5, **_STRONG},
        torch=_response(5, 0.5, 0.6, 1.5),
        note="5",
    ),
    Case("LRN", (_x(1, 3, 2, 2),), {"size": 7}, note="more neighbors than channels"),
]
