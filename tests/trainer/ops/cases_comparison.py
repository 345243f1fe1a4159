"""Cases of comparisons."""

import numpy as np

from tests.trainer.ops.case import Case
from tests.trainer.ops.peer import of_torch

_A, _B = np.array([[1.0, 2.0, 3.0]]), np.array([[1.0], [3.0]])
_ODD = np.array([np.nan, np.inf, -np.inf, 0.0])

CASES = [
    case
    for name, peer in [
        ("Equal", "eq"),
        ("Less", "lt"),
        ("LessOrEqual", "le"),
        ("Greater", "gt"),
        ("GreaterOrEqual", "ge"),
    ]
    for case in [
        Case(name, (_A, _B), order=0, torch=of_torch(peer), note="broadcast"),
        Case(name, (_ODD, _ODD[::-1].copy()), order=0, torch=of_torch(peer), note="odd"),
        Case(name, (np.array([1, 2]), np.array(2)), order=0, torch=of_torch(peer), note="integers"),
        Case(name, (np.zeros((0, 2)), np.zeros(2)), order=0, torch=of_torch(peer), note="empty"),
    ]
]
CASES += [
    Case("Equal", (np.array([True, False]), np.array([True, True])), order=0, note="booleans"),
    Case(
        "Equal",
        (np.array(["a", "b"], object), np.array(["a", "c"], object)),
        order=0,
        note="strings",
    ),
    Case("IsNaN", (_ODD,), order=0, torch=of_torch("isnan")),
    Case("IsInf", (_ODD,), order=0, torch=of_torch("isinf")),
    Case(
        "IsInf", (_ODD,), {"detect_negative": 0}, order=0, torch=of_torch("isposinf"), note="plus"
    ),
    Case(
        "IsInf", (_ODD,), {"detect_positive": 0}, order=0, torch=of_torch("isneginf"), note="minus"
    ),
    Case(
        "IsInf",
        (_ODD,),
        {"detect_positive": 0, "detect_negative": 0},
        order=0,
        torch=lambda x: x.isnan() & x.isinf(),
        note="neither",
    ),
]
