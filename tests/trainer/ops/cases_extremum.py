"""Cases of the larger, the smaller, and bounds."""

import numpy as np

from tests.trainer.ops.case import Case
from tests.trainer.ops.peer import of_torch

_R = np.random.default_rng(3)


def _x(*shape: int) -> np.ndarray:
    return _R.standard_normal(shape)


CASES = [
    case
    for name, torch in [("Max", of_torch("maximum")), ("Min", of_torch("minimum"))]
    for case in [
        Case(name, (_x(2, 3), _x(2, 3)), torch=torch),
        Case(name, (_x(3, 1), _x(2, 1, 4)), torch=torch, note="broadcast"),
        Case(name, (_x(2, 3), _x()), torch=torch, note="scalar"),
        Case(name, (_x(0, 3), _x(3)), torch=torch, note="empty"),
        Case(name, (_x(2, 3),), torch=lambda x: x * 1, note="single"),
        Case(name, (_x(2, 3), _x(3), _x(2, 1)), note="three"),
        Case(
            name,
            (np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0])),
            torch=torch,
            note="equals",
            kinks=True,
        ),
        Case(name, (np.array([1, 5]), np.array([3, 2])), order=0, torch=torch, note="integers"),
        Case(name, (np.array([np.nan, 1.0]), _x(2)), order=0, torch=torch, note="no number"),
    ]
]
_LOW, _HIGH = np.array(-0.5), np.array(0.7)
CASES += [
    Case("Clip", (_x(3, 4), _LOW, _HIGH), torch=of_torch("clamp")),
    Case("Clip", (_x(3, 4), _LOW), torch=of_torch("clamp"), note="lower"),
    Case("Clip", (_x(3, 4), None, _HIGH), torch=of_torch("clamp"), note="upper"),
    Case("Clip", (_x(3, 4),), torch=lambda x: x * 1, note="no bounds"),
    Case("Clip", (_x(), _LOW, _HIGH), torch=of_torch("clamp"), note="scalar"),
    Case("Clip", (_x(0, 2), _LOW, _HIGH), torch=of_torch("clamp"), note="empty"),
    Case("Clip", (_x(3, 4), _HIGH, _LOW), torch=of_torch("clamp"), note="crossed"),
    Case(
        "Clip",
        (np.array([-2.0, -1.0, 0.0, 1.0, 2.0]), np.array(-1.0), np.array(1.0)),
        wrt=(0,),
        torch=lambda x, *_: x.clamp(-1, 1),
        note="on the bounds",
        kinks=True,
    ),
    Case(
        "Clip",
        (np.array([-2.0, -1.0, 0.0]), np.array(-1.0)),
        wrt=(0,),
        torch=lambda x, _: x.clamp(-1),
        note="on the lower bound",
        kinks=True,
    ),
    Case("Clip", (np.array([1, 5, 9]), np.array(2), np.array(7)), order=0, note="integers"),
]
