"""Cases of products of matrices, and of triangles."""

import numpy as np

from tests.trainer.ops.case import Case

_R = np.random.default_rng(12)


def _x(*shape: int) -> np.ndarray:
    return _R.standard_normal(shape)


def _bytes(*shape: int) -> np.ndarray:
    return _R.integers(0, 256, shape).astype(np.uint8)


def _matmul(a, b):
    return a @ b


def _gemm(transA=0, transB=0, alpha=1.0, beta=1.0):
    def function(a, b, c=None):
        y = alpha * ((a.T if transA else a) @ (b.T if transB else b))
        return y if c is None else y + beta * c

    return function


CASES = [
    Case("MatMul", shapes, torch=_matmul, note=note)
    for note, shapes in [
        ("", (_x(2, 3), _x(3, 4))),
        ("batch", (_x(2, 2, 3), _x(2, 3, 4))),
        ("batch times matrix", (_x(2, 2, 3), _x(3, 4))),
        ("matrix times batch", (_x(2, 3), _x(2, 3, 4))),
        ("broadcast batch", (_x(2, 1, 2, 3), _x(3, 3, 2))),
        ("vectors", (_x(3), _x(3))),
        ("vector times matrix", (_x(3), _x(3, 2))),
        ("matrix times vector", (_x(2, 3), _x(3))),
        ("vector times batch", (_x(3), _x(2, 3, 2))),
        ("batch times vector", (_x(2, 2, 3), _x(3))),
        ("no rows", (_x(0, 3), _x(3, 2))),
        ("nothing inside", (_x(2, 0), _x(0, 2))),
        ("empty batch", (_x(0, 2, 3), _x(3, 2))),
        ("nothing inside a batch", (_x(2, 2, 0), _x(0, 3))),
    ]
]
CASES += [
    Case("MatMul", (np.arange(6).reshape(2, 3), np.arange(3)), order=0, torch=_matmul, note="ints"),
    Case("Gemm", (_x(2, 3), _x(3, 4), _x(4)), torch=_gemm(), note="bias"),
    Case("Gemm", (_x(2, 3), _x(3, 4), _x(2, 1)), torch=_gemm(), note="column"),
    Case("Gemm", (_x(2, 3), _x(3, 4), _x()), torch=_gemm(), note="scalar"),
    Case("Gemm", (_x(2, 3), _x(3, 4)), torch=_gemm(), note="no bias"),
    Case("Gemm", (_x(0, 3), _x(3, 4), _x(4)), torch=_gemm(), note="no rows"),
]
for _a in (0, 1):
    for _b in (0, 1):
        _attrs = {"transA": _a, "transB": _b, "alpha": 0.5, "beta": 2.0}
        CASES.append(
            Case(
                "Gemm",
                (_x(*((3, 2) if _a else (2, 3))), _x(*((4, 3) if _b else (3, 4))), _x(2, 4)),
                _attrs,
                torch=_gemm(**_attrs),
                note=f"transposed {_a}{_b}",
            )
        )
CASES += [
    Case("MatMulInteger", (_bytes(2, 3), _bytes(3, 4)), order=0),
    Case(
        "MatMulInteger",
        (_bytes(2, 3), _bytes(3, 4), np.array([7, 9], np.uint8), np.array(3, np.uint8)),
        order=0,
        note="zero points",
    ),
    Case("Trilu", (_x(3, 4),), torch=lambda x: x.triu()),
    Case("Trilu", (_x(2, 3, 3), np.array(1)), torch=lambda x, _: x.triu(1), note="above"),
    Case(
        "Trilu", (_x(3, 4), np.array(-1)), {"upper": 0}, torch=lambda x, _: x.tril(-1), note="lower"
    ),
    Case("Trilu", (_x(0, 3, 3),), torch=lambda x: x.triu(), note="empty"),
    Case("Trilu", (np.arange(9).reshape(3, 3),), order=0, note="integers"),
]
CASES += [
    Case("Det", (_x(3, 3),), torch=lambda x: x.det()),
    Case("Det", (_x(2, 2, 2),), torch=lambda x: x.det(), note="batch"),
    Case("Det", (_x(2, 3, 4, 4),), torch=lambda x: x.det(), note="batches"),
    Case("Det", (_x(2, 1, 1),), torch=lambda x: x.det(), note="one by one"),
    Case("Det", (np.ones((3, 3)) + np.diag([1.0, 1.0, 0.0]),), note="almost singular"),
    Case("Det", (np.arange(9.0).reshape(3, 3),), note="singular"),
]
