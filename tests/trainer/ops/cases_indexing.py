"""Cases of taking at indices and of finding indices."""

import numpy as np

from tests.trainer.ops.case import Case

_R = np.random.default_rng(9)


def _x(*shape: int) -> np.ndarray:
    return _R.standard_normal(shape)


def _i(values) -> np.ndarray:
    return np.array(values, np.int64)


def _b(*values: int) -> np.ndarray:
    return np.array(values, np.bool_)


CASES = [
    Case("Gather", (_x(5, 3), _i([[0, 4, 0], [2, -1, 4]])), torch=lambda x, i: x[i]),
    Case("Gather", (_x(5, 3), _i(2)), torch=lambda x, i: x[i], note="one row"),
    Case(
        "Gather", (_x(2, 5), _i([3, 3, -5])), {"axis": 1}, torch=lambda x, i: x[:, i], note="axis 1"
    ),
    Case("Gather", (_x(2, 3), _i(1)), {"axis": -1}, torch=lambda x, i: x[:, i], note="one column"),
    Case(
        "Gather",
        (_x(2, 4, 3), np.array([[1, 0], [3, 1]], np.int32)),
        {"axis": 1},
        torch=lambda x, i: x[:, i],
        note="middle axis",
    ),
    Case("Gather", (_x(4), _i([1, 1, 2])), torch=lambda x, i: x[i], note="of a vector"),
    Case("Gather", (_x(4, 2), np.zeros((0,), np.int64)), torch=lambda x, i: x[i], note="nothing"),
    Case("Gather", (_x(4, 0), _i([1, 2])), torch=lambda x, i: x[i], note="empty rows"),
    Case("GatherElements", (_x(3, 4), _i([[0, 2, 1, 1], [2, 2, -1, 0]])), note="fewer rows"),
    Case(
        "GatherElements",
        (_x(3, 4), _i([[1, 1], [0, 3], [2, 0]])),
        {"axis": 1},
        torch=lambda x, i: x.gather(1, i),
    ),
    Case(
        "GatherElements",
        (_x(2, 3, 4), _i([[[1, 0]], [[1, 1]]])),
        {"axis": -2},
        torch=lambda x, i: x.gather(1, i),
        note="smaller",
    ),
    Case("GatherElements", (_x(3), np.zeros((0,), np.int64)), note="nothing"),
    Case(
        "GatherND",
        (_x(3, 4), _i([[0, 1], [2, -1], [0, 1]])),
        torch=lambda x, i: x[i[:, 0], i[:, 1]],
    ),
    Case("GatherND", (_x(3, 4), _i([[[2]], [[0]]])), torch=lambda x, i: x[i[..., 0]], note="rows"),
    Case("GatherND", (_x(2, 3, 4), _i([[1], [2]])), {"batch_dims": 1}, note="batch"),
    Case(
        "GatherND",
        (_x(2, 3, 4, 2), _i([[[[1], [0]], [[3], [3]], [[0], [0]]]] * 2)),
        {"batch_dims": 2},
        note="batch of two axes",
    ),
    Case("GatherND", (_x(3, 0), _i([[1]])), note="empty rows"),
    Case("Compress", (_x(3, 4), _b(1, 0, 1)), {"axis": 0}, torch=lambda x, c: x[c]),
    Case(
        "Compress",
        (_x(3, 4), _b(0, 1, 1)),
        {"axis": -1},
        torch=lambda x, c: x[:, [1, 2]],
        note="shorter",
    ),
    Case(
        "Compress",
        (_x(2, 3), _b(0, 1, 0, 0, 1)),
        torch=lambda x, c: x.reshape(-1)[[1, 4]],
        note="flat",
    ),
    Case("Compress", (_x(2, 3), _b(0, 0)), {"axis": 0}, note="nothing"),
    Case("NonZero", (np.array([[1.0, 0.0], [0.0, -2.0]]),), order=0, torch=lambda x: x.nonzero().T),
    Case("NonZero", (_b(1, 0, 1),), order=0, torch=lambda x: x.nonzero().T, note="bool"),
    Case("NonZero", (np.array(3.0),), order=0, torch=lambda x: x.nonzero().T, note="scalar"),
    Case("OneHot", (_i([1, -1, 7]), _i(4), _x(2))),
    Case("OneHot", (_i([[1, 0], [2, 2]]), _i([3]), _x(2)), {"axis": 0}, note="axis 0"),
    Case("OneHot", (_i([[1, 0], [2, 2]]), _i(3), _x(2)), {"axis": -2}, note="axis -2"),
    Case("OneHot", (_i(1), _i(3), _x(2)), order=0, note="scalar"),
    Case("Unique", (_x(2, 3),), torch=lambda x: x.reshape(-1).sort().values),
    Case(
        "Unique", (_x(2, 4),), {"axis": 1, "sorted": 0, "outputs": 2}, note="columns as they come"
    ),
    Case(
        "Unique",
        (np.array([3.0, 1, 3, 2, 1]),),
        {"outputs": 4},
        order=0,
        torch=lambda x: x.unique(),
        note="repeated",
    ),
    Case("Unique", (np.array([[3, 1], [2, 0], [3, 1]]),), {"axis": 0}, order=0, note="rows"),
    Case(
        "OneHot",
        (_i([2, 0]), _i(3), _i([0, 1])),
        order=0,
        torch=lambda i, _d, _v: _one_hot(i, 3),
        note="integers",
    ),
]


def _one_hot(indices, classes):
    import torch

    return torch.nn.functional.one_hot(indices, classes)
