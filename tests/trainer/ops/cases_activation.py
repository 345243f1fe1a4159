"""Cases of smooth activation functions."""

import numpy as np

from tests.trainer.ops.case import Case
from tests.trainer.ops.peer import of_torch

_R = np.random.default_rng(6)
_F = "nn.functional"
_SIXTH = {"alpha": 1 / 6, "beta": 0.5}


def _x(*shape: int) -> np.ndarray:
    return _R.standard_normal(shape) * 1.5


CASES = [
    case
    for name, attrs, peer in [
        ("Sigmoid", {}, of_torch("sigmoid")),
        ("Tanh", {}, of_torch("tanh")),
        ("HardSigmoid", _SIXTH, of_torch(f"{_F}.hardsigmoid")),
        ("HardSwish", {}, of_torch(f"{_F}.hardswish")),
        ("Gelu", {}, of_torch(f"{_F}.gelu")),
        ("Gelu", {"approximate": "tanh"}, of_torch(f"{_F}.gelu", approximate="tanh")),
        ("Softplus", {}, of_torch(f"{_F}.softplus")),
        ("Softsign", {}, of_torch(f"{_F}.softsign")),
        ("Mish", {}, of_torch(f"{_F}.mish")),
    ]
    for case in [
        Case(name, (_x(2, 3),), attrs, torch=peer),
        Case(name, (_x(),), attrs, torch=peer, note="scalar"),
        Case(name, (_x(0, 2),), attrs, torch=peer, note="empty"),
        Case(name, (_x(71, 71),), attrs, order=0, torch=peer, note="many"),
        Case(
            name, (np.array([-90.0, 90.0, 1e4, -1e4]),), attrs, torch=peer, note="far", kinks=True
        ),
    ]
]
CASES += [
    Case("HardSigmoid", (_x(3, 3),), note="defaults"),
    Case(
        "HardSigmoid",
        (np.array([-3.0, 0.0, 3.0]),),
        _SIXTH,
        torch=of_torch(f"{_F}.hardsigmoid"),
        note="at kinks",
        kinks=True,
    ),
    Case(
        "HardSwish",
        (np.array([-3.0, 0.0, 3.0]),),
        torch=of_torch(f"{_F}.hardswish"),
        note="at kinks",
        kinks=True,
    ),
]
