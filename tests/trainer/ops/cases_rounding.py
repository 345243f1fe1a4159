"""Cases of whole numbers."""

import numpy as np

from tests.trainer.ops.case import Case
from tests.trainer.ops.peer import of_torch

_X = np.array([[-2.5, -1.5, -0.5, -0.2], [0.0, 0.5, 1.5, 2.7]])

CASES = [
    case
    for name in ("Floor", "Ceil", "Round")
    for case in [
        Case(name, (_X,), order=0, torch=of_torch(name.lower())),
        Case(name, (np.array(1.5),), order=0, torch=of_torch(name.lower()), note="scalar"),
    ]
]
