"""Cases of probabilities along an axis."""

import numpy as np

from tests.trainer.ops.case import Case
from tests.trainer.ops.peer import of_torch

_R = np.random.default_rng(9)


def _x(*shape: int) -> np.ndarray:
    return _R.standard_normal(shape)


CASES = [
    case
    for name, peer in [("Softmax", "softmax"), ("LogSoftmax", "log_softmax")]
    for case in [
        Case(name, (_x(2, 3, 4),), torch=of_torch(peer, dim=-1)),
        Case(name, (_x(2, 3, 4),), {"axis": 0}, torch=of_torch(peer, dim=0), note="axis 0"),
        Case(name, (_x(2, 3, 4),), {"axis": -2}, torch=of_torch(peer, dim=-2), note="axis -2"),
        Case(name, (_x(5),), torch=of_torch(peer, dim=0), note="vector"),
        Case(name, (_x(3, 1),), torch=of_torch(peer, dim=-1), note="single"),
        Case(name, (_x(0, 3),), torch=of_torch(peer, dim=-1), note="empty"),
        Case(name, (_x(3, 0),), torch=of_torch(peer, dim=-1), note="of nothing"),
        Case(name, (_x(1000, 10),), order=0, torch=of_torch(peer, dim=-1), note="many"),
        Case(name, (_x(10, 2000),), order=0, torch=of_torch(peer, dim=-1), note="long rows"),
        Case(
            name,
            (np.array([[1e4, 0.0, -1e4], [-np.inf, 1.0, 2.0]]),),
            order=0,
            torch=of_torch(peer, dim=-1),
            note="far",
        ),
        Case(
            name,
            (np.full((2, 2), -np.inf),),
            order=0,
            torch=of_torch(peer, dim=-1),
            note="nothing possible",
        ),
    ]
]
CASES += [
    Case("Hardmax", (np.array([[1.0, 3.0, 3.0], [2.0, 1.0, 0.0]]),), order=0),
    Case("Hardmax", (_x(2, 3, 2),), {"axis": 1}, order=0, note="axis 1"),
    Case("Hardmax", (_x(0, 3),), order=0, note="empty"),
]
