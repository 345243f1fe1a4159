"""Cases of choosing."""

import numpy as np

from tests.trainer.ops.case import Case
from tests.trainer.ops.peer import of_torch

_R = np.random.default_rng(5)


def _x(*shape: int) -> np.ndarray:
    return _R.standard_normal(shape)


def _c(*shape: int) -> np.ndarray:
    return np.asarray(_R.random(shape) < 0.5)


CASES = [
    Case("Where", (_c(2, 3), _x(2, 3), _x(2, 3)), torch=of_torch("where")),
    Case("Where", (_c(2, 1), _x(3), _x()), torch=of_torch("where"), note="broadcast"),
    Case("Where", (_c(3), _x(2, 1), _x(2, 3)), torch=of_torch("where"), note="condition broadcast"),
    Case("Where", (_c(), _x(2), _x(1)), torch=of_torch("where"), note="scalar condition"),
    Case("Where", (_c(0, 2), _x(2), _x(0, 2)), torch=of_torch("where"), note="empty"),
    Case(
        "Where",
        (_c(70, 70), _x(70, 1), _x(70, 70)),
        torch=of_torch("where"),
        note="many",
    ),
    Case(
        "Where",
        (_c(70, 70), np.arange(70, dtype=np.int16), np.array(-1, np.int16)),
        order=0,
        torch=of_torch("where"),
        note="many integers",
    ),
    Case(
        "Where",
        (_c(4), np.array("a", object), np.array(list("bcde"), object)),
        order=0,
        note="strings",
    ),
]
