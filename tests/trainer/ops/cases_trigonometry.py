"""Cases of circular and hyperbolic functions."""

import numpy as np

from tests.trainer.ops.case import Case
from tests.trainer.ops.peer import of_torch

_R = np.random.default_rng(4)


def _x(low: float, high: float, *shape: int) -> np.ndarray:
    return _R.uniform(low, high, shape)


CASES = [
    case
    for name, low, high in [
        ("Sin", -3, 3),
        ("Cos", -3, 3),
        ("Tan", -1, 1),
        ("Asin", -0.8, 0.8),
        ("Acos", -0.8, 0.8),
        ("Atan", -3, 3),
        ("Sinh", -2, 2),
        ("Cosh", -2, 2),
        ("Asinh", -3, 3),
        ("Acosh", 1.5, 4),
        ("Atanh", -0.8, 0.8),
    ]
    for case in [
        Case(name, (_x(low, high, 2, 3),), torch=of_torch(name.lower())),
        Case(name, (_x(low, high),), torch=of_torch(name.lower()), note="scalar"),
        Case(
            name,
            (np.array([np.inf, 2.0, -2.0]),),
            order=0,
            torch=of_torch(name.lower()),
            note="far",
        ),
    ]
]
