"""Cases of activation functions that bend at 0."""

import numpy as np

from tests.trainer.ops.case import Case
from tests.trainer.ops.peer import of_torch

_R = np.random.default_rng(8)
_F = "nn.functional"
_KINKS = np.array([-2.0, -0.5, -0.0, 0.0, 0.5, 1.0, 2.0])


def _away(*shape: int) -> np.ndarray:
    """Numbers that are not near 0."""
    return _R.uniform(0.2, 1.8, shape) * _R.choice([-1.0, 1.0], shape)


CASES = [
    case
    for name, attrs, peer in [
        ("Relu", {}, of_torch("relu")),
        ("LeakyRelu", {}, of_torch(f"{_F}.leaky_relu")),
        ("LeakyRelu", {"alpha": 0.3}, of_torch(f"{_F}.leaky_relu", negative_slope=0.3)),
        ("LeakyRelu", {"alpha": 1.5}, of_torch(f"{_F}.leaky_relu", negative_slope=1.5)),
        ("Elu", {}, of_torch(f"{_F}.elu")),
        ("Elu", {"alpha": 0.7}, of_torch(f"{_F}.elu", alpha=0.7)),
        ("Celu", {}, of_torch(f"{_F}.celu")),
        ("Celu", {"alpha": 0.7}, of_torch(f"{_F}.celu", alpha=0.7)),
        ("Selu", {}, of_torch(f"{_F}.selu")),
        ("ThresholdedRelu", {}, of_torch(f"{_F}.threshold", threshold=1.0, value=0.0)),
        ("Shrink", {"bias": 0.5}, of_torch(f"{_F}.softshrink")),
        ("Shrink", {}, of_torch(f"{_F}.hardshrink")),
    ]
    for case in [
        Case(name, (_away(2, 3),), attrs, torch=peer),
        Case(name, (_away(),), attrs, torch=peer, note="scalar"),
        Case(name, (_away(0, 2),), attrs, torch=peer, note="empty"),
        Case(name, (_away(71, 71),), attrs, order=0, torch=peer, note="many"),
        Case(name, (_KINKS,), attrs, torch=peer, note="at kinks", kinks=True),
    ]
]
CASES += [
    Case("Selu", (_away(2, 3),), {"alpha": 2.0, "gamma": 0.5}, note="attributes"),
    Case("Shrink", (_away(2, 3),), {"lambd": 0.9, "bias": 0.1}, note="attributes"),
    Case("Shrink", (np.array([-3, 0, 1, 3]),), {"lambd": 1.5}, order=0, note="integers"),
    Case(
        "PRelu",
        (_away(2, 3, 4), _away(3, 1)),
        torch=lambda x, slope: of_torch("prelu")(x, slope[:, 0]),
    ),
    Case("PRelu", (_away(2, 3), _away(1)), torch=of_torch("prelu"), note="one slope"),
    Case("PRelu", (_KINKS, _away(1)), torch=of_torch("prelu"), note="at 0", kinks=True),
]
