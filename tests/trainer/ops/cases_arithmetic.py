"""Cases of arithmetic."""

import numpy as np

from tests.trainer.ops.case import Case
from tests.trainer.ops.peer import of_torch

_R = np.random.default_rng(1)


def _x(*shape: int) -> np.ndarray:
    return _R.standard_normal(shape)


def _away(*shape: int) -> np.ndarray:
    """Numbers that are not near 0."""
    return _R.uniform(0.5, 1.5, shape) * _R.choice([-1.0, 1.0], shape)


CASES = [
    case
    for name, torch in [
        ("Add", lambda a, b: a + b),
        ("Sub", lambda a, b: a - b),
        ("Mul", lambda a, b: a * b),
        ("Div", lambda a, b: a / b),
    ]
    for case in [
        Case(name, (_x(2, 3), _away(2, 3)), torch=torch),
        Case(name, (_x(2, 3), _away(3)), torch=torch, note="broadcast right"),
        Case(name, (_x(3, 1), _away(2, 1, 4)), torch=torch, note="broadcast both"),
        Case(name, (_x(), _away(2, 2)), torch=torch, note="scalar"),
        Case(name, (_x(), _away()), torch=torch, note="scalars"),
        Case(name, (_x(0, 3), _away(3)), torch=torch, note="empty"),
        Case(name, (_x(2, 1), _away(0)), torch=torch, note="broadcast to nothing"),
        Case(name, (np.array([7, -7, 7, -7]), np.array([2, 2, -2, -2])), order=0, note="integers"),
    ]
] + [
    Case(
        "Div",
        (np.array([7, -7, 7, -7, 6, 0]), np.array([2, 2, -2, -2, -3, -5])),
        order=0,
        torch=of_torch("div", rounding_mode="trunc"),
        note="towards zero",
    ),
    Case(
        "Div",
        (np.array([7, 250], np.uint8), np.array([2, 7], np.uint8)),
        order=0,
        torch=of_torch("div", rounding_mode="trunc"),
        note="unsigned",
    ),
    Case(
        "Div",
        (np.array([1.0, -1.0, 0.0]), np.array([0.0, 0.0, 0.0])),
        torch=lambda a, b: a / b,
        order=0,
        note="by zero",
    ),
    Case("Mod", (_x(2, 4) * 5, _away(4)), {"fmod": 1}, torch=of_torch("fmod"), note="fmod"),
    Case(
        "Mod",
        (_x(2, 4) * 5, _away(4)),
        order=0,  # ONNX Runtime has no such kernel before opset 27
        torch=of_torch("remainder"),
        note="floats",
    ),
    Case(
        "Mod",
        (np.array([7, -7, 7, -7]), np.array([3, 3, -3, -3])),
        order=0,
        torch=of_torch("remainder"),
    ),
    Case(
        "Mod",
        (np.array([7, -7, 7, -7]), np.array([3, 3, -3, -3])),
        {"fmod": 1},
        order=0,
        torch=of_torch("fmod"),
        note="integers with fmod",
    ),
    Case("Neg", (_x(2, 3),), torch=lambda x: -x),
    Case("Neg", (_x(),), torch=lambda x: -x, note="scalar"),
    Case("Abs", (_away(2, 3),), torch=of_torch("abs")),
    Case("Abs", (np.array([-1.0, 0.0, 2.0]),), torch=of_torch("abs"), note="at 0", kinks=True),
    Case("Sign", (np.array([-2.0, 0.0, 3.0]),), order=0, torch=of_torch("sign")),
    Case("Reciprocal", (_away(2, 3),), torch=of_torch("reciprocal")),
    Case("Reciprocal", (_away(),), torch=of_torch("reciprocal"), note="scalar"),
    Case("Sum", (_x(2, 3), _x(3), _x(2, 1)), torch=lambda a, b, c: a + b + c),
    Case("Sum", (_x(2, 3),), torch=lambda x: x * 1, note="single"),
    Case("Mean", (_x(2, 3), _x(3), _x(2, 1)), torch=lambda a, b, c: (a + b + c) / 3),
    Case("Mean", (_x(2, 3),), torch=lambda x: x * 1, note="single"),
]
