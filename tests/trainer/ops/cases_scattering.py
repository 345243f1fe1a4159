"""Cases of writing at indices."""

import numpy as np

from tests.trainer.ops.case import Case

_R = np.random.default_rng(10)

_INDICES = np.array([[0, 2, 1, 1], [2, 2, -1, 0]], np.int64)
_POSITIVE = np.where(_INDICES < 0, _INDICES + 3, _INDICES)
_ROWS = np.array([[2], [0], [2], [-2]], np.int64)
_CELLS = np.array([[[0, 1]], [[2, 3]], [[0, 1]]], np.int64)
_NAMES = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


def _x(*shape: int) -> np.ndarray:
    return _R.standard_normal(shape)


def _reduced(reduction):
    def function(data, indices, updates):
        positive = indices.remainder(data.shape[0])
        return data.scatter_reduce(0, positive, updates, _NAMES[reduction])

    return function


def _reduced_rows(reduction):
    def function(data, indices, updates):
        import torch

        rows = indices.remainder(data.shape[0]).expand(updates.shape)
        return torch.scatter_reduce(data, 0, rows, updates, _NAMES[reduction])

    return function


CASES = [
    Case(
        "ScatterElements",
        (_x(3, 4), np.array([[0, 2, 1, 1], [2, 1, 0, 0]], np.int64), _x(2, 4)),
        torch=lambda x, i, u: x.scatter(0, i, u),
    ),
    Case(
        "ScatterElements",
        (_x(2, 3), np.array([[2], [0]], np.int32), _x(2, 1)),
        {"axis": -1},
        torch=lambda x, i, u: x.scatter(1, i.long(), u),
        note="int32",
    ),
    Case("ScatterElements", (_x(3), np.zeros((0,), np.int64), _x(0)), note="nothing"),
    *(
        Case(
            "ScatterElements",
            (_x(3, 4), _INDICES, _x(2, 4)),
            {"reduction": reduction},
            torch=_reduced(reduction),
            note=reduction,
        )
        for reduction in _NAMES
    ),
    Case(
        "ScatterElements",
        (np.array([2.0, 0.0, 3.0]), np.array([0, 0, 1, 2, 2]), np.array([0.0, 5, 2, 0, 0])),
        {"reduction": "mul"},
        order=1,
        torch=_reduced("mul"),
        note="mul by zeros",
        kinks=True,
    ),
    *(
        Case(
            "ScatterElements",
            (np.array([2.0, 1.0, 3.0]), np.array([0, 0, 1, 1, 2]), np.array([2.0, 2, 1, -1, 0])),
            {"reduction": reduction},
            order=1,
            torch=_reduced(reduction),
            note=f"{reduction} of equals",
            kinks=True,
        )
        for reduction in ("max", "min")
    ),
    Case(
        "ScatterND",
        (_x(4, 3), np.array([[2], [0]], np.int64), _x(2, 3)),
        torch=lambda x, i, u: x.index_put((i[:, 0],), u),
    ),
    Case(
        "ScatterND",
        (_x(3, 4), np.array([[[0, 1]], [[2, 3]]], np.int64), _x(2, 1)),
        torch=lambda x, i, u: x.index_put((i[..., 0], i[..., 1]), u),
        note="elements",
    ),
    Case(
        "ScatterND",
        (_x(3, 4), _CELLS, _x(3, 1)),
        {"reduction": "add"},
        torch=lambda x, i, u: x.index_put((i[..., 0], i[..., 1]), u, accumulate=True),
        note="add elements",
    ),
    Case(
        "ScatterND", (_x(3, 0), np.array([[1]]), _x(1, 0)), {"reduction": "add"}, note="empty rows"
    ),
    Case("ScatterND", (_x(3, 2), np.zeros((0, 1), np.int64), _x(0, 2)), note="nothing"),
    *(
        Case(
            "ScatterND",
            (_x(4, 3), _ROWS, _x(4, 3)),
            {"reduction": reduction},
            torch=_reduced_rows(reduction),
            note=reduction,
        )
        for reduction in _NAMES
    ),
]
