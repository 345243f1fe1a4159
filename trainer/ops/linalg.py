"""Products of matrices, and their triangles."""

from __future__ import annotations

from math import prod

import numpy as np

from trainer.core.define import T1, T2, T3, Array, Int64, T, no_gradient, op, vjp
from trainer.core.errors import OperatorError
from trainer.core.tensor import Tensor, apply
from trainer.ops.ieee import widened


@op("MatMul")
@widened
def matmul(a: T, b: T) -> T:
    """The product of matrices; axes before the last two are batch axes and broadcast.

    Args:
        a: [..., n, k], or [k], which is one row.
        b: [..., k, m], or [k], which is one column.
    """
    _check_inner(a, b)
    if b.ndim == 2 and a.ndim > 2 and a.flags.c_contiguous:  # one product instead of many
        rows = a.reshape(prod(a.shape[:-1]), a.shape[-1])
        return np.matmul(rows, b).reshape(*a.shape[:-1], b.shape[1])
    return np.matmul(a, b)


def _check_inner(a: Array, b: Array) -> None:
    if not a.ndim or not b.ndim:
        raise ValueError("a scalar is no matrix; multiply with *")
    inner = b.shape[-2] if b.ndim > 1 else b.shape[0]
    if a.shape[-1] != inner:
        raise ValueError(f"inner dimensions {a.shape[-1]} and {inner} differ")


@vjp("MatMul")
def _matmul_vjp(g, _y, a, b):
    if a.ndim > 1 and b.ndim == 2 and 0 not in b.shape:
        return lambda: _by_transposed(g, b), lambda: product_over_rows(a, g)
    left = a.unsqueeze(0) if a.ndim == 1 else a
    right = b.unsqueeze(-1) if b.ndim == 1 else b
    inner = g.unsqueeze(-1) if b.ndim == 1 else g
    inner = inner.unsqueeze(-2) if a.ndim == 1 else inner

    def by_a():
        found = inner @ right.transpose(-1, -2)
        return found.squeeze(-2) if a.ndim == 1 else found

    def by_b():
        found = left.transpose(-1, -2) @ inner
        return found.squeeze(-1) if b.ndim == 1 else found

    return by_a, by_b


def _by_transposed(g, b):
    """Gemm reads a matrix transposed without a copy."""
    return apply("Gemm", g, b, transB=1) if g.ndim == 2 else g @ b.T


def product_over_rows(a, g):
    """The product of `a` transposed and `g`; the axes before the last are rows."""
    if a.ndim != 2:
        a, g = (apply("Reshape", x, [-1, x.shape[-1]]) for x in (a, g))
    return apply("Gemm", a, g, transA=1)


@op("Gemm")
@widened
def gemm(
    a: T,
    b: T,
    c: T | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,
    transB: int = 0,
) -> T:
    """The product of two matrices plus a third Tensor: alpha * a @ b + beta * c.

    Args:
        a: [n, k].
        b: [k, m].
        c: What broadcasts to [n, m]. Defaults to nothing.
        alpha: The factor of the product. Defaults to 1.
        beta: The factor of `c`. Defaults to 1.
        transA: Whether `a` is given as [k, n]. Defaults to 0.
        transB: Whether `b` is given as [m, k]. Defaults to 0.
    """
    if a.ndim != 2 or b.ndim != 2:
        raise ValueError("it multiplies two matrices; use MatMul for other ranks")
    left, right = a.T if transA else a, b.T if transB else b
    _check_inner(left, right)
    y = np.matmul(left, right)
    if alpha != 1:
        y *= y.dtype.type(alpha)
    if c is not None:
        y += c if beta == 1 else c * c.dtype.type(beta)
    return y


@vjp("Gemm")
def _gemm_vjp(g, _y, a, b, _c=None, *, alpha, beta, transA, transB):
    def product(left, right, transLeft, transRight):
        return apply("Gemm", left, right, alpha=alpha, transA=transLeft, transB=transRight)

    return (
        (lambda: product(b, g, transB, 1)) if transA else (lambda: product(g, b, 0, 1 - transB)),
        (lambda: product(g, a, 1, transA)) if transB else (lambda: product(a, g, 1 - transA, 0)),
        lambda: g if beta == 1 else g * beta,
    )


@op("MatMulInteger")
def matmul_integer(
    a: T1, b: T2, a_zero_point: T1 | None = None, b_zero_point: T2 | None = None
) -> T3:
    """The product of matrices of 8-bit integers, as 32-bit integers.

    Args:
        a: As in `matmul`.
        b: As in `matmul`.
        a_zero_point: What stands for 0 in `a`, for all of it or per row. Defaults to 0.
        b_zero_point: What stands for 0 in `b`, for all of it or per column. Defaults to 0.
    """
    _check_inner(a, b)
    # In float64 the products are exact, and there is a fast routine.
    left, right = a.astype(np.float64), b.astype(np.float64)
    if a_zero_point is not None:
        left -= a_zero_point[..., None] if a_zero_point.ndim == 1 < a.ndim else a_zero_point
    if b_zero_point is not None:
        right -= b_zero_point
    return np.matmul(left, right).astype(np.int32)


no_gradient("MatMulInteger")


@op("Trilu")
def trilu(input: T, k: Int64 | None = None, *, upper: int = 1) -> T:
    """The triangle of matrices, with 0 outside of it.

    Args:
        input: [..., n, m].
        k: Which diagonal bounds it: 0 the main one, 1 the one above. Defaults to 0.
        upper: Whether it is the upper triangle. Defaults to 1.
    """
    diagonal = 0 if k is None else int(np.asarray(k).item())
    return np.triu(input, diagonal) if upper else np.tril(input, diagonal)


@vjp("Trilu")
def _trilu_vjp(g, _y, _input, k=None, *, upper):
    return apply("Trilu", g, k, upper=upper)


@op("Det")
@widened
def det(X: T) -> T:
    """The determinant of the last two axes.

    Args:
        X: [..., n, n].
    """
    if X.ndim < 2 or X.shape[-1] != X.shape[-2]:
        raise OperatorError("the last two axes must be of one size")
    return np.asarray(np.linalg.det(X), X.dtype)


@vjp("Det")
def _det_vjp(g, _y, x):
    """Jacobi's formula with cofactors, which singular matrices have, too; ONNX has no inverse."""
    n = x.shape[-1]
    others = [[j for j in range(n) if j != i] for i in range(n)]
    signs = [[(-1.0) ** (i + j) for j in range(n)] for i in range(n)]
    spread = g.unsqueeze(-1).unsqueeze(-1)
    if n < 2:
        return apply("Expand", spread, list(x.shape))
    without_row = apply("Gather", x, others, axis=-2)
    minors = apply("Gather", without_row, others, axis=-1).transpose(-3, -2)
    return spread * (apply("Det", minors) * Tensor(signs, x.dtype))
