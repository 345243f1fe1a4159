"""Cases of powers, roots, exponentials, logarithms and the error function."""

import numpy as np

from tests.trainer.ops.case import Case
from tests.trainer.ops.peer import of_torch

_R = np.random.default_rng(2)


def _x(*shape: int) -> np.ndarray:
    return _R.standard_normal(shape)


def _positive(*shape: int) -> np.ndarray:
    return _R.uniform(0.5, 2.0, shape)


CASES = [
    case
    for name, make in [
        ("Exp", _x),
        ("Log", _positive),
        ("Sqrt", _positive),
        ("Erf", _x),
    ]
    for case in [
        Case(name, (make(2, 3),), torch=of_torch(name.lower())),
        Case(name, (make(),), torch=of_torch(name.lower()), note="scalar"),
        Case(name, (make(0, 2),), torch=of_torch(name.lower()), note="empty"),
    ]
]
CASES += [
    Case("Log", (np.array([0.0, 1.0, -1.0]),), order=0, torch=of_torch("log"), note="outside"),
    Case("Sqrt", (np.array([0.0, -1.0]),), order=0, torch=of_torch("sqrt"), note="outside"),
    Case("Sqrt", (np.array([0.0, 4.0]),), torch=of_torch("sqrt"), note="at 0", kinks=True),
    Case("Exp", (np.array([1000.0, -1000.0]),), order=0, torch=of_torch("exp"), note="beyond"),
    Case(
        "Erf",
        (np.array([-9.0, -4.0, -3.9, -1e-4, 0.0, 1e-4, 0.5, 3.9, 4.0, 9.0, np.inf, np.nan]),),
        order=0,
        torch=of_torch("erf"),
        note="far",
    ),
    Case("Pow", (_positive(2, 3), _x(2, 3)), torch=of_torch("pow")),
    Case("Pow", (_positive(2, 1), _x(3)), torch=of_torch("pow"), note="broadcast"),
    Case("Pow", (_positive(), _x(3)), torch=of_torch("pow"), note="scalar base"),
    Case("Pow", (_positive(2, 3), np.array([1, 2, -3])), torch=of_torch("pow"), note="integers"),
    Case(
        "Pow",
        (np.array([2, -3]), np.array([3, 2])),
        order=0,
        torch=of_torch("pow"),
        note="integers only",
    ),
    Case("Pow", (np.array([2, 3], np.int32), np.array([1.9, 2.1])), order=0, note="truncated"),
    Case(
        "Pow",
        (np.array([0.0, 0.0, 0.0, 0.0, 2.0]), np.array([0.0, 1.0, 2.0, 0.5, 0.0])),
        torch=of_torch("pow"),
        note="base 0",
        kinks=True,
    ),
    Case(
        "Pow",
        (np.array([-2.0, -0.5, 0.0]), np.array(2.0)),
        wrt=(0,),
        torch=lambda x, _: x**2,
        note="square of negatives",
    ),
]
for number in (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0, 4.0):
    for shape in ((), (1,)):
        CASES.append(
            Case(
                "Pow",
                (_positive(2, 3), np.full(shape, number)),
                wrt=(0,),
                torch=of_torch("pow"),
                note=f"constant {number:g}",
            )
        )
