"""What the gradient rules of p-norms share."""

from __future__ import annotations

from trainer.core.tensor import Tensor, apply


def direction(x: Tensor, p: int) -> Tensor:
    """The derivative of |x|^p / p, element by element; 0 at 0."""
    if p == 2:
        return x
    sign: Tensor = apply("Sign", x)
    return sign if p == 1 else sign * abs(x) ** (p - 1.0)


def over(g: Tensor, norm: Tensor, p: int = 2) -> Tensor:
    """`g` divided by the norm to the power p - 1; 0 where the norm is 0, as a subgradient."""
    if p == 1:
        return g
    zero = norm == 0.0
    divisor = apply("Where", zero, 1.0, norm)
    quotient: Tensor = g / (divisor if p == 2 else divisor ** (p - 1.0))
    result: Tensor = apply("Where", zero, 0.0, quotient)
    return result
