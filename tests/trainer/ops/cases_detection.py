"""Cases of choosing boxes."""

import numpy as np

from tests.trainer.ops.case import Case

_R = np.random.default_rng(16)

CASES = [
    Case(
        "NonMaxSuppression",
        (
            _R.random((2, 9, 4)).astype(np.float32),
            _R.random((2, 3, 9)).astype(np.float32),
            np.array(4),
            np.array(0.2, np.float32),
            np.array(0.3, np.float32),
        ),
        order=0,
    ),
    Case(
        "NonMaxSuppression",
        (
            _R.random((1, 5, 4)).astype(np.float32),
            _R.random((1, 2, 5)).astype(np.float32),
            np.array([9]),
        ),
        {"center_point_box": 1},
        order=0,
        note="center",
    ),
    Case(
        "NonMaxSuppression",
        (np.zeros((1, 0, 4), np.float32), np.zeros((1, 2, 0), np.float32), np.array([3])),
        order=0,
        note="no boxes",
    ),
]
